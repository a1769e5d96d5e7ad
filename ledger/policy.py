"""Whose cosignatures are enough: a trust policy in the form of C2SP tlog-policy.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <name>...
    quorum <name>|none

Names mean something within the file only. A witness here is one key; an office's witness with two
keys is two lines and a group of both. The policy says when a checkpoint counts as witnessed;
that its log has signed it is for `ledger.note.open_checkpoint` to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ledger.errors import NoteError, PolicyError
from ledger.note import Algorithm, Signature, Verifier, open_note, split_note

MAX_POLICY_BYTES = 1_000_000
MAX_LINES = 1000
NONE = "none"
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BLANK = re.compile(r"[ \t]+")
_COUNT = re.compile(r"[1-9][0-9]{0,3}")
_LOG_KEYS = frozenset({Algorithm.ED25519, Algorithm.MLDSA44_COSIGNATURE})
_WITNESS_KEYS = frozenset({Algorithm.ED25519_COSIGNATURE, Algorithm.MLDSA44_COSIGNATURE})


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A log's or a witness's line. `name` is the policy's own; the key has another."""

    name: str
    verifier: Verifier
    url: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Met when at least `needed` of `members` are."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed policy. Make one with `Policy.parse`; `NO_WITNESSES` asks for nobody."""

    logs: tuple[NamedKey, ...]
    witnesses: tuple[NamedKey, ...]
    groups: Mapping[str, Group]
    quorum: str
    text: str = field(repr=False, compare=False)

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Read a policy file. Raises PolicyError, naming the line."""
        return _Parser(data).policy()

    @property
    def verifiers(self) -> tuple[Verifier, ...]:
        """The keys of all witnesses."""
        return tuple(witness.verifier for witness in self.witnesses)

    @property
    def asks(self) -> bool:
        """Whether any cosignature is needed at all."""
        return self.quorum != NONE

    def by_url(self) -> dict[str, tuple[Verifier, ...]]:
        """The keys to expect from each address that is given: one request, all its keys."""
        found: dict[str, tuple[Verifier, ...]] = {}
        for witness in self.witnesses:
            if witness.url is not None:
                found[witness.url] = (*found.get(witness.url, ()), witness.verifier)
        return found

    def met_by(self, cosigned: Collection[Verifier]) -> bool:
        """Whether these keys together are the quorum."""
        met = {each.name for each in self.witnesses if each.verifier in cosigned}
        for name, group in self.groups.items():  # each names only what stands before it
            if sum(member in met for member in group.members) >= group.needed:
                met.add(name)
        return not self.asks or self.quorum in met

    def cosignatures(self, note: str) -> tuple[Signature, ...]:
        """The lines of a checkpoint note by witnesses of this policy, each verified.

        A note that none of them has signed gives none. Raises NoteError when the note is
        malformed, or one known witness's line fails.
        """
        return _signatures(note, self.verifiers) if self.witnesses else ()

    def holds(self, note: str) -> bool:
        """Whether a checkpoint note carries the quorum. Raises NoteError as `cosignatures`."""
        return self.met_by({each.verifier for each in self.cosignatures(note) if each.time})

    def require_reachable(self) -> None:
        """Raise PolicyError when witnesses that have no address are needed for the quorum."""
        asked = {each.verifier for each in self.witnesses if each.url is not None}
        if not self.met_by(asked):
            raise PolicyError(
                "the policy's quorum needs witnesses that have no address to ask; "
                "write one after their keys"
            )


NO_WITNESSES = Policy((), (), MappingProxyType({}), NONE, "quorum none\n")


def _signatures(note: str, verifiers: tuple[Verifier, ...]) -> tuple[Signature, ...]:
    _, lines = split_note(note)
    known = {(verifier.name, verifier.key_id) for verifier in verifiers}
    if not any((name, key_id) in known for name, key_id, _ in lines):
        return ()
    return open_note(note, verifiers).signatures


class _Parser:
    """Reads line by line; a name must be known before it is used, so no group contains itself."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._logs: list[NamedKey] = []
        self._witnesses: list[NamedKey] = []
        self._groups: dict[str, Group] = {}
        self._names: set[str] = set()
        self._members: set[str] = set()
        self._quorum: str | None = None

    def policy(self) -> Policy:
        if len(self._data) > MAX_POLICY_BYTES:
            raise PolicyError("the policy is too long to be one")
        # Bytes above 0x7f are opaque to the format; this maps each to itself and back.
        text = self._data.decode("utf-8", "surrogateescape")
        if _FORBIDDEN.search(text):
            raise PolicyError("the policy holds control characters")
        lines = text.split("\n")
        if len(lines) > MAX_LINES:
            raise PolicyError("the policy has too many lines")
        for number, line in enumerate(lines, 1):
            try:
                self._read(line.strip(" \t"))
            except (PolicyError, NoteError) as error:
                raise PolicyError(f"line {number} of the policy: {error}") from error
        if self._quorum is None:
            raise PolicyError("the policy has no quorum line")
        return Policy(
            tuple(self._logs),
            tuple(self._witnesses),
            MappingProxyType(self._groups),
            self._quorum,
            text,
        )

    def _read(self, line: str) -> None:
        if not line or line.startswith("#"):
            return
        keyword, *words = _BLANK.split(line)
        readers: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._set_quorum,
        }
        if keyword not in readers:
            raise PolicyError(f"it begins with {keyword[:20]!r}: log, witness, group or quorum")
        readers[keyword](words)

    def _log(self, words: list[str]) -> None:
        if len(words) not in (1, 2):
            raise PolicyError("log <vkey> [<url>]")
        key = Verifier.parse(words[0])
        self._logs.append(_named(key.name, key, words[1:], _LOG_KEYS, self._logs))

    def _witness(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise PolicyError("witness <name> <vkey> [<url>]")
        key = Verifier.parse(words[1])
        witness = _named(words[0], key, words[2:], _WITNESS_KEYS, self._witnesses)
        self._define(words[0])
        self._witnesses.append(witness)

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise PolicyError("group <name> all|any|<k> <name>...")
        name, count, *members = words
        for member in members:
            if member not in self._names:
                raise PolicyError(f"{member[:60]!r} is not defined above")
            if member in self._members:
                raise PolicyError(f"{member[:60]!r} is a member already: each counts once")
            self._members.add(member)
        spelled = {"all": len(members), "any": 1}
        if count not in spelled and not _COUNT.fullmatch(count):
            raise PolicyError(f"{count[:20]!r} is neither all, any nor a number")
        needed = spelled[count] if count in spelled else int(count)
        if needed > len(members):
            raise PolicyError(f"{needed} of {len(members)} can never be met")
        self._define(name)
        self._groups[name] = Group(needed, tuple(members))

    def _set_quorum(self, words: list[str]) -> None:
        if len(words) != 1:
            raise PolicyError("quorum <name>|none")
        if self._quorum is not None:
            raise PolicyError("there is a quorum line already")
        if words[0] != NONE and words[0] not in self._names:
            raise PolicyError(f"{words[0][:60]!r} is not defined above")
        self._quorum = words[0]

    def _define(self, name: str) -> None:
        if name == NONE or name in self._names:
            raise PolicyError(f"the name {name[:60]!r} is taken")
        self._names.add(name)


def _named(
    name: str,
    key: Verifier,
    url: list[str],
    allowed: frozenset[Algorithm],
    others: list[NamedKey],
) -> NamedKey:
    if key.algorithm not in allowed:
        raise PolicyError(f"a key of type {key.algorithm:#04x} is of no use here")
    if any(other.verifier.public == key.public for other in others):
        raise PolicyError("this key is there already, perhaps by another name")
    return NamedKey(name, key, url[0] if url else None)
