"""The public register and the timestamps of a mirror, checked by anyone who has it.

Numbers gapless and none twice, every certificate completed once and as intended, none outside the
one register; the status list recomputed from the entries before it; tokens over kept checkpoints.
The entries were shown to be in the signed tree before (`ledger.audit`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.between import LONGEST
from ledger.entry import Leaf, canonical_json
from ledger.errors import EntryError, LedgerError
from ledger.folder import read_file
from ledger.handover import BEGAN, own_case
from ledger.kept import KeptNote
from ledger.replay import Findings
from signing import status
from signing.errors import SigningError, UnknownIssuerError
from signing.register import COMPLETED, INTENDED, REVOKING, STATUS_LIST, register_of
from signing.tokens import read_token
from signing.trust import Trust

KINDS = frozenset({COMPLETED, INTENDED, STATUS_LIST, *REVOKING})
"""Entries of these kinds stand in the register only."""
BESIDE = ".tsr"
"""The end of a token's name, which lies beside the note it is over."""
_NUMBER = re.compile(r"(.*?)([1-9][0-9]*)([^0-9]*)", re.DOTALL)
LONGEST_NUMBER = 200
"""A log may write what it likes; no office's number is longer (characters)."""


@dataclass(slots=True)
class Numbers:
    """The register's numbers, as its entries give them out and take them back.

    indexes: number -> status index, in order. lists: digest of each status list -> how many
    entries of `revoked` came before it. Of the ledger before this one, as `log-began` tells it:
    base: how many status indexes it gave out; older: its numbers that were taken back since, with
    their status index; before: the status indexes it had taken back itself.
    """

    indexes: dict[str, int] = field(default_factory=dict)
    serials: dict[tuple[str, str], int] = field(default_factory=dict)
    completed: set[str] = field(default_factory=set)
    revoked: list[str] = field(default_factory=list)
    lists: dict[str, int] = field(default_factory=dict)
    base: int = 0
    older: dict[str, int] = field(default_factory=dict)
    before: frozenset[int] = frozenset()

    def carried(self) -> dict[str, Any]:
        """What the ledger after this one begins with, as it stands in its `log-began`."""
        known = self.older | self.indexes
        back = {known[number] for number in self.revoked if number in known}
        series = [
            {"before": before, "after": after, "last": last}
            for (before, after), last in sorted(self.serials.items())
        ]
        return {
            "revoked": sorted(self.before | back),
            "series": series,
            "status_index": self.base + len(self.indexes),
        }

    def carry(self, value: Mapping[str, Any]) -> None:
        """Begin with what `carried` told. Raises KeyError, TypeError, ValueError."""
        self.serials = {
            (str(each["before"]), str(each["after"])): int(each["last"]) for each in value["series"]
        }
        self.before = frozenset(int(index) for index in value["revoked"])
        self.base = int(value["status_index"])

    def gave_out_before(self, number: str) -> bool:
        """Whether the ledger before this one has given this number out."""
        spelled = _spelled(number)
        if spelled is None or number in self.indexes:
            return False
        return int(spelled[2]) <= self.serials.get((spelled[1], spelled[3]), 0)


def audit_register(origin: str, collected: Sequence[tuple[int, bytes]], found: Findings) -> Numbers:
    """Follow the register's entries in order. `collected`: index and leaf of each wanted one."""
    chain, numbers = register_of(origin), Numbers()
    for index, data in collected:
        where = f"entry {index}"
        try:
            leaf = Leaf.parse(data)
        except EntryError:
            continue  # found before: it is no leaf
        kind = leaf.body.get("kind")
        if index == 0 and kind == BEGAN and leaf.case == own_case(origin):
            try:
                numbers.carry(leaf.body["register"])
            except (KeyError, TypeError, ValueError):
                found.add("register", where, "number-none", number="register")
            continue
        if leaf.case != chain:
            if kind in KINDS:
                found.add("register", where, "other-register")
            continue
        if kind == INTENDED:
            _intended(numbers, leaf, where, found)
        elif kind == COMPLETED:
            _completed(numbers, leaf, where, found)
        elif kind in REVOKING:
            number, given = str(leaf.body.get("number")), leaf.body.get("status_index")
            if numbers.gave_out_before(number) and type(given) is int and given < numbers.base:
                numbers.older[number] = given
            elif number not in numbers.indexes:
                found.add("register", where, "number-unknown", number=number)
            numbers.revoked.append(number)
        elif kind == STATUS_LIST:
            numbers.lists[str(leaf.body.get("sha256"))] = len(numbers.revoked)
    return numbers


def _spelled(number: str) -> re.Match[str] | None:
    """What stands before the serial, the serial, and what stands behind it."""
    return _NUMBER.fullmatch(number) if len(number) <= LONGEST_NUMBER else None


def _intended(numbers: Numbers, leaf: Leaf, where: str, found: Findings) -> None:
    number, index = leaf.body.get("number"), leaf.body.get("status_index")
    spelled = _spelled(number) if isinstance(number, str) else None
    if spelled is None or not isinstance(number, str) or type(index) is not int:
        found.add("register", where, "number-none", number=str(number)[:80])
        return
    if number in numbers.indexes:
        found.add("register", where, "number-twice", number=number)
        return
    # A serial counts within its office, year and class: all of the number but the serial.
    series, serial = (spelled[1], spelled[3]), int(spelled[2])
    expected = numbers.serials.get(series, 0) + 1
    if serial != expected:
        found.add("register", where, "number-gap", number=number, expected=expected)
    if index != numbers.base + len(numbers.indexes):
        expected = numbers.base + len(numbers.indexes)
        found.add("register", where, "index-gap", status_index=index, expected=expected)
    numbers.serials[series] = serial
    numbers.indexes[number] = index


def _completed(numbers: Numbers, leaf: Leaf, where: str, found: Findings) -> None:
    number = str(leaf.body.get("number"))
    if number not in numbers.indexes:
        found.add("register", where, "number-unknown", number=number)
    elif leaf.body.get("status_index") != numbers.indexes[number]:
        found.add("register", where, "index-other", number=number)
    if number in numbers.completed:
        found.add("register", where, "completed-twice", number=number)
    numbers.completed.add(number)


def audit_status(
    document: Mapping[str, Any], numbers: Numbers, trust: Trust, found: Findings
) -> status.StatusList | None:
    """Recompute a signed status list from the entries that stand before its own."""
    where = "status"
    try:
        listed = status.check(document, trust)
        digest = sha256(canonical_json(document)).hexdigest()
    except (SigningError, LedgerError) as error:
        found.add("status", where, "signature", error=str(error))
        return None
    if digest not in numbers.lists:
        found.add("status", where, "not-logged")
        return listed
    known = numbers.older | numbers.indexes
    revoked = numbers.revoked[: numbers.lists[digest]]
    expected = numbers.before | {known[number] for number in revoked if number in known}
    shown = {
        at * 8 + bit
        for at, byte in enumerate(listed.bits)
        if byte
        for bit in range(8)
        if byte & (0x80 >> bit)
    }
    for index in sorted(expected ^ shown):
        reason = "not-shown" if index in expected else "not-revoked"
        found.add("status", where, reason, status_index=index)
    return listed


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens that hold, by their times (ms), and who signed those of nobody that is trusted."""

    times: tuple[int, ...]
    unknown: tuple[str, ...]


def audit_tokens(
    directory: Path, notes: Sequence[KeptNote], trust: Trust, found: Findings
) -> Tokens:
    """Verify each token beside a kept note (`<size>.tsr`).

    One of an authority that trust.json does not name is no finding: it proves nothing.
    """
    times, unknown = [], []
    for each in notes:
        path = directory / f"{each.where}{BESIDE}"
        if not path.is_file():
            continue
        try:
            digest = sha256(each.note.encode()).digest()
            token = read_file(path, LONGEST)
            times.append(read_token(token, digest=digest, roots=trust.tsa_roots).at)
        except UnknownIssuerError as stranger:
            unknown.append(stranger.who)
        except SigningError as error:
            found.add("tokens", f"{each.where}{BESIDE}", "token", error=str(error))
    return Tokens(tuple(times), tuple(unknown))


def read_status(data: bytes) -> Mapping[str, Any]:
    """A status list's document. Raises ValueError."""
    try:
        value = json.loads(data)
    except RecursionError as error:
        raise ValueError("a status list is not nested so deep") from error
    if not isinstance(value, dict):
        raise ValueError("a status list is a JSON object")
    return value
