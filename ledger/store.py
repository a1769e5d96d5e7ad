"""The ledger's tables, insert-only, and what its two databases have in common.

    entry(idx, event_key, case_before, leaf)   the log; the rest can be derived from it
    tile(level, n, hashes)                     full tiles only, 8192 bytes; the edge is in memory
    checkpoint(size, note)                     the published ones
    head(case_id, idx)                         each case's newest entry at each checkpoint
    attest(size, kind, who, body, at)          what others said of a checkpoint

A case is read from its head backwards, by `case_before`: the place of the case's entry before
this one, -1 for its first. So an append keeps one index, that of `event_key`, and not one of cases.
That index is in the order of event ids, so ids that begin with the time touch its last pages only.
Entries since the newest checkpoint have no head yet; there are a second's worth of them.

Triggers refuse UPDATE, DELETE, REPLACE and gaps, for every program that opens the database.

One thread writes, through one held connection; any thread may read. What is a database's own is
in `ledger.sqlite` and `ledger.postgres`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    insert,
    select,
    true,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from ledger.anchors import COSIGNATURE, TIMESTAMP, Attestation
from ledger.entry import Leaf
from ledger.errors import StoreError, TakenError
from ledger.merkle import FullTile

SCHEMA = MetaData()

NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # of 64 bits in both
_NAME = Text().with_variant(Text(collation="C"), "postgresql")  # ordered by bytes in both

entry = Table(
    "entry",
    SCHEMA,
    Column("idx", NUMBER, primary_key=True, autoincrement=False),
    Column("event_key", LargeBinary, nullable=False, unique=True),
    Column("case_before", NUMBER, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    sqlite_strict=True,
)
tile = Table(
    "tile",
    SCHEMA,
    Column("level", NUMBER, primary_key=True, autoincrement=False),
    Column("n", NUMBER, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    sqlite_strict=True,
)
checkpoint = Table(
    "checkpoint",
    SCHEMA,
    Column("size", NUMBER, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    sqlite_strict=True,
)
head = Table(
    "head",
    SCHEMA,
    Column("case_id", LargeBinary, primary_key=True),
    Column("idx", NUMBER, primary_key=True, autoincrement=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
attest = Table(
    "attest",
    SCHEMA,
    Column("size", NUMBER, primary_key=True, autoincrement=False),
    Column("kind", _NAME, primary_key=True),
    Column("who", _NAME, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("at", NUMBER, nullable=False),
    sqlite_strict=True,
)

# An attestation's `who`, for a cosignature: the key's name and id, with a plus. For a timestamp:
# whose cosignatures stand in the note it is over, in this order, with spaces between.

Row = tuple[int, bytes, int, bytes]
"""An entry's columns in the table's order: idx, event_key, case_before, leaf."""


class Store(ABC):
    """A ledger's database; what a `Log` asks of it.

    `open` takes the writer's lock. Reads are thread-safe and see what is committed.
    Raises StoreError, DamageError, LockedError; never SQLAlchemy's own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer: Connection | None = None

    # -- life ---------------------------------------------------------------------------------

    @abstractmethod
    def open(self) -> None:
        """Take the lock, make the tables, check the database; again after a failed write."""

    def close(self) -> None:
        self._close_writer()
        self._engine.dispose()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.invalidate()
            self._writer.close()
            self._writer = None

    # -- writing: one thread ------------------------------------------------------------------

    @abstractmethod
    def add_entries(self, rows: Sequence[Row], tiles: Sequence[FullTile]) -> None:
        """Commit one batch: durable when it returns (one fsync).

        Raises TakenError when a key is in the ledger already, and nothing is written; after
        StoreError the outcome may be unknown, and `open` and `size` tell.
        """

    @abstractmethod
    def heads(self, cases: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        """Index and leaf of the newest entry of each case, under the newest checkpoint."""

    def add_checkpoint(self, *, size: int, note: str, heads: Mapping[str, int]) -> None:
        """Publish; `heads` has the newest index of each case that grew since the one before."""
        with retold("publish"), self._writing() as connection:
            connection.execute(insert(checkpoint).values(size=size, note=note))
            if heads:
                rows = [{"case_id": bytes.fromhex(c), "idx": heads[c]} for c in sorted(heads)]
                connection.execute(insert(head), rows)

    def add_attestation(self, *, size: int, kind: str, who: str, body: bytes, at: int) -> None:
        with retold("record"), self._writing() as connection:
            values = {"size": size, "kind": kind, "who": who, "body": body, "at": at}
            connection.execute(insert(attest).values(values))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self._writer is None:
            raise StoreError("the ledger's database is not open for writing")
        with self._writer.begin():
            yield self._writer

    # -- reading: any thread ------------------------------------------------------------------

    def size(self) -> int:
        """How many entries there are."""
        with self._reading() as connection:
            last = connection.scalar(select(entry.c.idx).order_by(entry.c.idx.desc()).limit(1))
        return 0 if last is None else last + 1

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Row]:
        """The entries of those keys that are in the ledger."""
        with self._reading() as connection:
            query = select(*entry.columns).where(entry.c.event_key.in_(keys))
            rows = connection.execute(query)
            return {key: (idx, key, before, leaf) for idx, key, before, leaf in rows}

    def leaves(self, start: int, stop: int) -> list[bytes]:
        """The leaves start <= index < stop, as far as there are any."""
        where = (entry.c.idx >= start) & (entry.c.idx < stop)
        with self._reading() as connection:
            return list(connection.scalars(select(entry.c.leaf).where(where).order_by(entry.c.idx)))

    def chain(self, case: str) -> list[tuple[int, bytes]]:
        """Index and leaf of every entry of a case, in the case's order."""
        columns = (entry.c.idx, entry.c.case_before, entry.c.leaf)
        with self._reading() as connection:
            newest = self._newest(connection, case)
            walk = select(*columns).where(entry.c.idx == newest).cte(recursive=True)
            before = (entry.c.idx == walk.c.case_before) & (entry.c.idx < walk.c.idx)
            walk = walk.union_all(select(*columns).join(walk, before))
            query = select(walk.c.idx, walk.c.leaf).order_by(walk.c.idx)
            return [(idx, leaf) for idx, leaf in connection.execute(query)]

    def tile(self, level: int, number: int) -> bytes | None:
        """The bytes of a full tile."""
        query = select(tile.c.hashes).where(tile.c.level == level, tile.c.n == number)
        with self._reading() as connection:
            return connection.scalar(query)

    def last_checkpoint(self) -> tuple[int, str] | None:
        """Size and note of the newest published checkpoint."""
        query = select(checkpoint.c.size, checkpoint.c.note).order_by(checkpoint.c.size.desc())
        with self._reading() as connection:
            row = connection.execute(query.limit(1)).one_or_none()
        return None if row is None else (row[0], row[1])

    def checkpoint_from(self, size: int) -> tuple[int, str] | None:
        """Size and note of the smallest published checkpoint of at least `size` entries."""
        query = select(checkpoint.c.size, checkpoint.c.note).where(checkpoint.c.size >= size)
        with self._reading() as connection:
            row = connection.execute(query.order_by(checkpoint.c.size).limit(1)).one_or_none()
        return None if row is None else (row[0], row[1])

    def newest_cosignatures(self, since: int = 0) -> dict[str, int]:
        """The size of the newest checkpoint each witness's key has signed, of those since a size.

        It reads the lines of all of them.
        """
        theirs = (attest.c.kind == COSIGNATURE) & (attest.c.size >= since)
        newest = select(attest.c.who, func.max(attest.c.size)).where(theirs)
        with self._reading() as connection:
            rows = connection.execute(newest.group_by(attest.c.who)).all()
        return {str(who): int(size) for who, size in rows}

    def cosignatures(self, size: int) -> dict[str, str]:
        """The lines of witnesses under the checkpoint of this size, by whose they are, in order."""
        ours = (attest.c.size == size) & (attest.c.kind == COSIGNATURE)
        query = select(attest.c.who, attest.c.body).where(ours).order_by(attest.c.who)
        with self._reading() as connection:
            return {who: body.decode() for who, body in connection.execute(query)}

    def timestamped(
        self, index: int, *, witnessed: bool = False, enough: Callable[[str], bool] | None = None
    ) -> tuple[int, str, bytes] | None:
        """Size, note and token of the first timestamped checkpoint over an index that is `enough`.

        The note has the cosignatures that the token is over; `witnessed`: it must have some.
        """
        query = (
            select(checkpoint.c.size, checkpoint.c.note, attest.c.who, attest.c.body)
            .join(attest, attest.c.size == checkpoint.c.size)
            .where(attest.c.kind == TIMESTAMP, checkpoint.c.size > index)
            .where(attest.c.who != "" if witnessed else true())
            .order_by(checkpoint.c.size, attest.c.who)
        )
        with self._reading() as connection:
            for size, note, who, token in connection.execute(query):
                lines = self.cosignatures(size) if who else {}
                signed = note + "".join(lines[one] for one in who.split())
                if enough is None or enough(signed):
                    return size, signed, token
        return None

    def first_witnessed(self) -> int | None:
        """The size of the first checkpoint that was timestamped with cosignatures, if any."""
        first = func.min(attest.c.size)
        query = select(first).where(attest.c.kind == TIMESTAMP, attest.c.who != "")
        with self._reading() as connection:
            size: int | None = connection.scalar(query)
        return size

    def newest_attestations(self, limit: int) -> list[Attestation]:
        """What was said of the newest checkpoints, newest first."""
        return self._attestations(true(), limit)

    def attestations(self, size: int) -> list[Attestation]:
        """All that was said of the checkpoint of this size."""
        return self._attestations(attest.c.size == size, None)

    def _attestations(self, where: ColumnElement[bool], limit: int | None) -> list[Attestation]:
        columns = (attest.c.size, attest.c.kind, attest.c.who, attest.c.body, attest.c.at)
        query = (
            select(*columns, checkpoint.c.note)
            .join(checkpoint, checkpoint.c.size == attest.c.size)
            .where(where)
            .order_by(attest.c.size.desc(), attest.c.at.desc(), attest.c.kind, attest.c.who)
        )
        with self._reading() as connection:
            rows = connection.execute(query.limit(limit)).all()
        found = []
        for size, kind, who, body, at, note in rows:
            lines = self.cosignatures(size) if kind == TIMESTAMP and who else {}
            signed = note + "".join(lines[one] for one in who.split() if one in lines)
            found.append(Attestation(size, kind, who, bytes(body), at, signed))
        return found

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with retold("read"), self._engine.connect() as connection:
            yield connection

    def _newest(self, connection: Connection, case: str) -> int:
        """The index of a case's newest entry, -1 when it has none."""
        # The tail is read first: whatever is published meanwhile only adds to the heads.
        published = connection.scalar(select(func.max(checkpoint.c.size))) or 0
        said = b',"case":"%b","case_prev":"' % case.encode()  # or by its body, so it is looked at
        tail = (
            select(entry.c.idx, entry.c.leaf)
            .where(entry.c.idx >= published, self._holds(entry.c.leaf, said))
            .order_by(entry.c.idx.desc())
        )
        for idx, leaf in connection.execute(tail):
            if Leaf.parse(leaf).case == case:
                return int(idx)
        known = select(func.max(head.c.idx)).where(head.c.case_id == bytes.fromhex(case))
        newest = connection.scalar(known)
        return -1 if newest is None else newest

    @staticmethod
    @abstractmethod
    def _holds(leaf: ColumnElement[bytes], part: bytes) -> ColumnElement[bool]:
        """Whether these bytes stand anywhere in a leaf."""


@contextmanager
def retold(
    doing: str,
    *,
    taken: type[Exception] = IntegrityError,
    failed: type[Exception] = DBAPIError,
) -> Iterator[None]:
    """Tell a person what a driver's errors mean, as StoreError and TakenError."""
    try:
        yield
    except taken as error:
        raise TakenError(f"the ledger could not {doing}: it holds this already") from error
    except failed as error:
        reason = getattr(error, "orig", error)
        raise StoreError(
            f"the ledger could not {doing}: {reason}. Everything acknowledged is kept; "
            "put the disk right and submit the same event again"
        ) from error
