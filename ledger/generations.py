"""Whose signature under a log's checkpoint counts, and up to which tree.

A log's keys change. A *generation* is the keys that sign together; each signs the trees from one
size to another. The log itself says when, in its own case:

    keys-rotated at index i    the keys it names sign every tree larger than i, beside the old
    keys-retired at index i    the keys it names sign no tree larger than i any more

so whoever holds one generation learns the next from entries proven under it (`ledger.handover`).
A log whose keys have leaked cannot say so itself. It is *ended*: the office names its last tree in
trust.json, and nothing counts that is larger, or that has another root at that size.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from ledger.errors import NoteError, RetiredError
from ledger.merkle import HASH_BYTES
from ledger.note import MAX_SIZE, Checkpoint, StandingKeys, Verifier, require_all

ROTATED, RETIRED = "keys-rotated", "keys-retired"
_MOST = 100
"""Generations of one log, and logs of one office: each is a name to compare, no more."""


@dataclass(frozen=True, slots=True)
class Generation:
    """Keys of a log that sign together, and the sizes of the trees they sign.

    until_size: the largest, None while they sign.
    """

    verifiers: tuple[Verifier, ...]
    from_size: int = 0
    until_size: int | None = None

    def signs(self, size: int) -> bool:
        """Whether a tree of this size is theirs to sign."""
        return self.from_size <= size and (self.until_size is None or size <= self.until_size)

    def record(self) -> dict[str, Any]:
        """As it stands in trust.json."""
        value: dict[str, Any] = {"vkeys": [each.vkey for each in self.verifiers]}
        value["from_size"] = self.from_size
        return value if self.until_size is None else value | {"until_size": self.until_size}

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Generation:
        """Read what `record` wrote. Raises NoteError, KeyError, TypeError."""
        until = value.get("until_size")
        keys = tuple(Verifier.parse(vkey) for vkey in value["vkeys"])
        found = cls(keys, _size(value.get("from_size", 0)), None if until is None else _size(until))
        if not keys or len({key.name for key in keys}) != 1:
            raise NoteError("a generation of keys has one name, and at least one key")
        return found


@dataclass(frozen=True, slots=True)
class Ending:
    """The last tree of a log that has ended: size and root. at: when it was declared, ms.

    before: ms; whoever has the keys can sign smaller trees as well, so one counts only if it was
    seen before this moment, or is shown to be the beginning of the last. leaked: what had leaked
    then ("ledger-keys"), for people to read; empty when nothing had.
    """

    size: int
    root: bytes
    before: int
    leaked: str = ""

    def record(self) -> dict[str, Any]:
        """As it stands in trust.json."""
        value: dict[str, Any] = {"size": self.size, "root": self.root.hex(), "before": self.before}
        return value | {"leaked": self.leaked} if self.leaked else value

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Ending:
        """Read what `record` wrote. Raises NoteError, KeyError, TypeError, ValueError."""
        root = bytes.fromhex(value["root"])
        if len(root) != HASH_BYTES:
            raise NoteError("the root of a log that ended is not 32 bytes long")
        leaked = str(value.get("leaked", ""))
        return cls(_size(value["size"]), root, _size(value["before"]), leaked)


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log as a verifier knows it. ending: None while it grows.

    witnessed_from: of a log that ended, the size of the first tree its witnesses signed, if any.
    """

    origin: str
    generations: tuple[Generation, ...]
    ending: Ending | None = None
    witnessed_from: int | None = None

    def record(self) -> dict[str, Any]:
        """As it stands in trust.json; `vkeys`, for older programs, are those that sign now."""
        signing = [each for each in self.generations if each.until_size is None]
        value: dict[str, Any] = {
            "origin": self.origin,
            "vkeys": [each.vkey for each in (signing or self.generations[-1:])[0].verifiers],
        }
        if len(self.generations) > 1:
            value["generations"] = [each.record() for each in self.generations]
        if self.ending is not None:
            value["ending"] = self.ending.record()
        if self.witnessed_from is not None:
            value["witnessed_from"] = self.witnessed_from
        return value

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> KnownLog:
        """Read what `record` wrote. Raises NoteError, KeyError, TypeError, ValueError."""
        origin = str(value["origin"])
        listed = value.get("generations", [{"vkeys": value["vkeys"]}])
        if not isinstance(listed, list) or not 0 < len(listed) <= _MOST:
            raise NoteError("a log has one generation of keys, or a few")
        generations = tuple(Generation.parse(each) for each in listed)
        if any(key.name != origin for each in generations for key in each.verifiers):
            raise NoteError(f"a key here is not of the log {origin[:80]!r}")
        ending = value.get("ending")
        since = value.get("witnessed_from")
        return cls(
            origin,
            generations,
            None if ending is None else Ending.parse(ending),
            None if since is None else _size(since),
        )

    def require(self, checkpoint: Checkpoint, signed: Collection[Verifier]) -> None:
        """Require that a tree is this log's, and all of a generation have signed that may.

        signed: the keys whose lines hold. Raises RetiredError, NoteError.
        """
        size, ending = checkpoint.size, self.ending
        if ending is not None and size > ending.size:
            raise RetiredError(f"this log ended at {ending.size} entries; the note is for {size}")
        if ending is not None and size == ending.size and checkpoint.root != ending.root:
            raise RetiredError(f"this is not the tree with which the log ended, at {size} entries")
        complete = [each for each in self.generations if set(each.verifiers) <= set(signed)]
        if any(each.signs(size) for each in complete):
            return
        if complete:
            raise RetiredError(_out_of_turn(complete[-1], size))
        mine = [each for each in self.generations if each.signs(size)]
        closest = max(mine, key=lambda each: len(set(each.verifiers) & set(signed)), default=None)
        require_all(closest.verifiers if closest else (), signed, self.origin)


def _out_of_turn(generation: Generation, size: int) -> str:
    key, until = generation.verifiers[0].key_id.hex(), generation.until_size
    if until is not None and size > until:
        return (
            f"the note for {size} entries is signed by keys ({key}) that were retired at {until}: "
            "whoever signed this had no right to any more"
        )
    first = generation.from_size
    return f"the note for {size} entries is signed by keys ({key}) that sign from {first} on only"


@dataclass(frozen=True)
class Keybook(StandingKeys):
    """All that is known of an office's logs. A sequence of keys, for whoever looks one up."""

    logs: tuple[KnownLog, ...]
    _keys: tuple[Verifier, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.logs) > _MOST or len({log.origin for log in self.logs}) != len(self.logs):
            raise NoteError("a log is named twice, or there are too many")
        generations = [each for log in self.logs for each in log.generations]
        object.__setattr__(self, "_keys", tuple(k for each in generations for k in each.verifiers))

    @classmethod
    def of(cls, verifiers: Iterable[Verifier]) -> Keybook:
        """The keys of one generation of each log; a Keybook is itself."""
        if isinstance(verifiers, Keybook):
            return verifiers
        by_origin: dict[str, tuple[Verifier, ...]] = {}
        for each in dict.fromkeys(verifiers):
            by_origin[each.name] = (*by_origin.get(each.name, ()), each)
        return cls(tuple(KnownLog(name, (Generation(keys),)) for name, keys in by_origin.items()))

    def log(self, origin: str) -> KnownLog | None:
        """What is known of one log."""
        return next((log for log in self.logs if log.origin == origin), None)

    def with_log(self, log: KnownLog) -> Keybook:
        """The same with more known of one log."""
        return Keybook(tuple(log if each.origin == log.origin else each for each in self.logs))

    def require(self, checkpoint: Checkpoint, signed: Collection[Verifier]) -> None:
        log = self.log(checkpoint.origin)
        if log is None:
            raise NoteError(f"no key is trusted for the origin {checkpoint.origin[:80]!r}")
        log.require(checkpoint, signed)

    @overload
    def __getitem__(self, index: int) -> Verifier: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Verifier]: ...
    def __getitem__(self, index: int | slice) -> Verifier | Sequence[Verifier]:
        return self._keys[index]

    def __len__(self) -> int:
        return len(self._keys)


def learn(
    generations: tuple[Generation, ...], body: Mapping[str, Any], index: int
) -> tuple[Generation, ...]:
    """What follows from an entry `keys-rotated` or `keys-retired` at `index` of the log.

    Raises NoteError for one that contradicts what is known; nothing follows from it then. What
    was learned before follows again, so that entries may be read twice.
    """
    try:
        keys = tuple(Verifier.parse(vkey) for vkey in body["keys"])
    except (KeyError, TypeError, AttributeError) as error:
        raise NoteError(f"entry {index} names no keys") from error
    if not keys or {key.name for key in keys} != {generations[0].verifiers[0].name}:
        raise NoteError(f"entry {index} names keys of another log")
    known = [each for each in generations if set(each.verifiers) & set(keys)]
    if body.get("kind") == ROTATED:
        fresh = Generation(keys, from_size=index + 1)
        if not known:
            return (*generations, fresh)
        if known[0].verifiers == keys and known[0].from_size == fresh.from_size:
            return generations
        raise NoteError(f"entry {index} names keys again that have signed before")
    if len(known) != 1 or set(known[0].verifiers) != set(keys):
        raise NoteError(f"entry {index} retires keys that did not sign")
    if known[0].until_size not in (None, index):
        raise NoteError(f"entry {index} retires keys that were retired before")
    retired = replace(known[0], until_size=index)
    changed = tuple(retired if each is known[0] else each for each in generations)
    if all(each.until_size is not None for each in changed):
        raise NoteError(f"entry {index} leaves the log without a key")
    return changed


def _size(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_SIZE:
        raise NoteError(f"not the size of a tree: {str(value)[:30]!r}")
    return value
