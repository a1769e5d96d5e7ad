"""The ledger's private keys on disk, one pair of files for each generation, and which ledger it is.

    ledger-ed25519.key   ledger-mldsa44.key     the first generation; -2, -3, ... those after it
    ledger.json          once the first ledger has ended: the present one's number, origin and
                         first generation, and those before it as trust.json names them

Which generation signs is for the ledger's own entries to say, never for these files: a pair that
no entry names yet signs nothing, so a rotation that broke off goes on with the pair it made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

from ledger.errors import LedgerError
from ledger.generations import Generation, KnownLog
from ledger.note import LogKeys, Verifier
from signing.errors import KeyFileError, OfficeError
from signing.keys import Keyring, PrivateKey, write_private

_PAIR = re.compile(r"ledger-(ed25519|mldsa44)(?:-([2-9]|[1-9][0-9]+))?[.]key")


@dataclass(frozen=True, slots=True)
class Place:
    """Which of an office's ledgers is the present one. first: the number of its first pair."""

    number: int
    origin: str
    first: int
    former: tuple[KnownLog, ...] = ()

    @property
    def folder(self) -> str:
        """Its name in the data directory."""
        return folder_of(self.number)

    @classmethod
    def read(cls, directory: Path, founded: str) -> Place:
        """The place in an office's directory; `founded`: the first ledger's origin.

        Raises OfficeError.
        """
        path = directory / "ledger.json"
        if not path.exists():
            return cls(1, founded, 1)
        try:
            value = json.loads(path.read_bytes())
            former = tuple(KnownLog.parse(each) for each in value["former"])
            return cls(int(value["number"]), str(value["origin"]), int(value["first"]), former)
        except (OSError, ValueError, KeyError, TypeError, LedgerError) as failure:
            raise OfficeError(f"{path} cannot be read; restore it from the backup") from failure

    def write(self, directory: Path) -> None:
        """Make this the present ledger: the one moment at which it changes."""
        value: dict[str, Any] = {"number": self.number, "origin": self.origin, "first": self.first}
        value["former"] = [each.record() for each in self.former]
        text = json.dumps(value, ensure_ascii=False, indent=2)
        write_private(directory / "ledger.json", text.encode(), exclusive=False)


def folder_of(number: int) -> str:
    """The name of an office's ledger in its data directory."""
    return "ledger" if number == 1 else f"ledger-{number}"


class LedgerKeys:
    """The ledger keys of an office: files, and what the ledger's own entries say of them."""

    def __init__(
        self,
        directory: Path,
        keyring: Keyring,
        place: Place,
        pairs: dict[int, LogKeys],
        known: KnownLog,
    ) -> None:
        self.place = place
        self.known = known
        """Whose keys sign which trees of the present ledger, as it was last told."""
        self.third: Callable[[str], str] | None = None
        """Writes a further line over each checkpoint (`ledger.sm2`), if the office has it."""
        self._directory = directory
        self._keyring = keyring
        self._pairs = pairs

    @classmethod
    def open(
        cls, directory: Path, keyring: Keyring, *, founded: str, told: Mapping[str, Any]
    ) -> LedgerKeys:
        """Read what is there. told: a trust.json from before. Raises KeyFileError, OfficeError."""
        place = Place.read(directory, founded)
        pairs = _read_pairs(keyring, directory, place)
        if not pairs:
            raise KeyFileError(f"{directory} holds no key of the ledger {place.origin}")
        try:
            known = KnownLog.parse(told["ledger"])
        except (LedgerError, KeyError, TypeError, ValueError, AttributeError):
            known = None
        if known is None or known.origin != place.origin:
            known = KnownLog(place.origin, (Generation(next(iter(pairs.values())).verifiers),))
        return cls(directory, keyring, place, pairs, known)

    @property
    def at_hand(self) -> tuple[LogKeys, ...]:
        """Every generation of the present ledger whose files are there, the oldest first."""
        if self.third is None:
            return tuple(self._pairs.values())
        return tuple(replace(keys, third=self.third) for keys in self._pairs.values())

    @property
    def signing(self) -> LogKeys:
        """The keys that sign; of two generations, the older."""
        signing = [each.verifiers for each in self.known.generations if each.until_size is None]
        return next((keys for keys in self.at_hand if keys.verifiers in signing), self.at_hand[0])

    def tell(self, generations: tuple[Generation, ...]) -> None:
        """What the ledger's entries say."""
        self.known = KnownLog(self.place.origin, generations)

    def record(self) -> dict[str, Any]:
        """The present ledger and those before it, as trust.json names them."""
        former = [each.record() for each in self.place.former]
        return self.known.record() | ({"former": former} if former else {})

    def prepare(self) -> LogKeys:
        """The pair that is to sign next: made, or found where a rotation broke off.

        It signs nothing before the ledger has an entry that names it.
        """
        signing = {each.verifiers for each in self.known.generations}
        for keys in self._pairs.values():
            if keys.verifiers not in signing:
                return replace(keys, third=self.third)
        number = max([*_numbers(self._directory), self._spent()])
        if number in self._pairs or number <= self._spent():
            number += 1
        self._pairs[number] = self._make(number, self.place.origin)
        return replace(self._pairs[number], third=self.third)

    def succeed(self, origin: str) -> tuple[int, LogKeys]:
        """The first pair of another ledger, and its number: made, or found half-made."""
        number = max(_numbers(self._directory), default=0)
        begun = number > max(self._pairs, default=0)
        number = number if begun else number + 1
        return number, self._make(number, origin)

    def follow(self, number: int, origin: str, first: int, ended: KnownLog) -> None:
        """Make another ledger the present one, for good; the one before it is named as ended.

        number: of the ledger; first: of its first pair. Nothing here changes: open the office anew.
        """
        Place(number, origin, first, (*self.place.former, ended)).write(self._directory)

    def forget(self) -> int:
        """Remove the private keys of ledgers that have ended; how many files there were."""
        removed = 0
        for number in _numbers(self._directory):
            for name in _names(number) if number < self.place.first else ():
                path = self._directory / f"{name}.key"
                removed += path.exists()
                path.unlink(missing_ok=True)
        return removed

    def destroy(self, verifiers: tuple[Verifier, ...]) -> int:
        """Remove the files of a generation that signs no more; how many there were."""
        removed = 0
        for number, keys in [*self._pairs.items()]:
            if keys.verifiers == verifiers:
                for name in _names(number):
                    path = self._directory / f"{name}.key"
                    removed += path.exists()
                    path.unlink(missing_ok=True)
                del self._pairs[number]
        return removed

    def _spent(self) -> int:
        """The highest number that ever had files of this ledger: it is given to no others."""
        return self.place.first + len(self.known.generations) - 1

    def _make(self, number: int, origin: str) -> LogKeys:
        fresh: tuple[Callable[[], PrivateKey], ...] = (
            ed25519.Ed25519PrivateKey.generate,
            mldsa.MLDSA44PrivateKey.generate,
        )
        for name, make in zip(_names(number), fresh, strict=True):
            if not (self._directory / f"{name}.key").exists():
                self._keyring.write(name, make())
        return _read_pair(self._keyring, number, origin)


def _numbers(directory: Path) -> list[int]:
    """The numbers of all pairs of which a file is there, in order."""
    found = {
        int(match[2] or 1)
        for path in directory.glob("ledger-*.key")
        if (match := _PAIR.fullmatch(path.name))
    }
    return sorted(found)


def _names(number: int) -> tuple[str, str]:
    end = "" if number == 1 else f"-{number}"
    return f"ledger-ed25519{end}", f"ledger-mldsa44{end}"


def _read_pair(keyring: Keyring, number: int, origin: str) -> LogKeys:
    ed25519_name, mldsa44_name = _names(number)
    classical, lattice = keyring.read(ed25519_name), keyring.read(mldsa44_name)
    if not isinstance(classical, ed25519.Ed25519PrivateKey):
        raise KeyFileError(f"{ed25519_name}.key holds another kind of key")
    if not isinstance(lattice, mldsa.MLDSA44PrivateKey):
        raise KeyFileError(f"{mldsa44_name}.key holds another kind of key")
    return LogKeys(origin, classical, lattice)


def _read_pairs(keyring: Keyring, directory: Path, place: Place) -> dict[int, LogKeys]:
    """Every whole generation of the present ledger, the oldest first."""
    return {
        number: _read_pair(keyring, number, place.origin)
        for number in _numbers(directory)
        if number >= place.first
        and all((directory / f"{name}.key").exists() for name in _names(number))
    }
