"""A ledger in PostgreSQL written anew: in a schema of its own, whose tables then change places.

    NAME_anew     the draft; gone when it is done
    NAME          the ledger's schema: its tables and their functions change, nothing else in it
    NAME_damaged_1    what was damaged, kept

The places change in one transaction, under the lock of whoever writes the ledger. The new tables
get the owner and the rights of the old ones. It takes the role that owns them, and the right to
create a schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from ledger.errors import LockedError, NotFoundError, StoreError
from ledger.postgres import KEY, PostgresStore, conninfo, engine
from ledger.store import SCHEMA, Store, entry

FUNCTIONS = ("ledger_insert_only", "entry_follows", "checkpoint_follows", "head_follows")
PATIENCE = "SET LOCAL lock_timeout = '10s'"
"""How long readers may keep the tables from changing places."""

_RIGHTS = text(
    "SELECT c.relname, pg_get_userbyid(c.relowner) AS owner, g.privilege_type AS right, "
    "CASE g.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(g.grantee) END AS role "
    "FROM pg_class c LEFT JOIN LATERAL aclexplode(c.relacl) g ON true "
    "WHERE c.relnamespace = to_regnamespace(:schema) AND c.relname = ANY(:tables)"
)
_FUNCTIONS = text(
    "SELECT proname FROM pg_proc WHERE pronamespace = to_regnamespace(:schema) "
    "AND proname = ANY(:names) AND pronargs = 0"
)


@contextmanager
def beside_tables(url: str) -> Iterator[TablesDraft]:
    """An empty draft beside the ledger at a URL. See `ledger.beside.draft_beside`."""
    database = engine(url)
    try:
        with _written_anew(), database.connect() as connection:
            if not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({KEY})").scalar():
                raise LockedError(
                    "another process writes the ledger in this PostgreSQL database; stop every "
                    "server on it first. Nothing was changed"
                )
            if not inspect(connection).has_table(entry.name):
                raise NotFoundError("there are no ledger's tables in this database")
            schema = str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
            quote = connection.dialect.identifier_preparer.quote_identifier
            fresh = quote(f"{schema}_anew")
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {fresh} CASCADE")
            connection.exec_driver_sql(f"CREATE SCHEMA {fresh}")
            connection.commit()
            try:
                yield TablesDraft(_in_schema(url, fresh), connection, schema, f"{schema}_anew")
            finally:
                connection.rollback()
                connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {fresh} CASCADE")
                connection.commit()
    finally:
        database.dispose()


@dataclass(frozen=True, slots=True)
class TablesDraft:
    """The ledger's tables in a schema of their own. connection: it holds the ledger's lock."""

    ledger: str
    connection: Connection
    schema: str
    fresh: str

    def store(self) -> Store:
        return PostgresStore(self.ledger)

    def swap(self) -> str:
        """One transaction; the damaged tables move to a schema of their own."""
        kept = self._unused()
        with _written_anew():
            self.connection.exec_driver_sql(PATIENCE)
            rights = self._rights()
            self.connection.exec_driver_sql(f"CREATE SCHEMA {self._quote(kept)}")
            self._move(self.schema, kept)
            self._move(self.fresh, self.schema)
            for statement in rights:
                self.connection.exec_driver_sql(statement)
            self.connection.commit()
        return kept

    def _unused(self) -> str:
        names = inspect(self.connection).get_schema_names()
        number = 1
        while (kept := f"{self.schema}_damaged_{number}") in names:
            number += 1
        return kept

    def _move(self, here: str, there: str) -> None:
        source, target = self._quote(here), self._quote(there)
        for table in SCHEMA.tables:
            self.connection.exec_driver_sql(f"ALTER TABLE {source}.{table} SET SCHEMA {target}")
        names = {"schema": source, "names": list(FUNCTIONS)}
        for (name,) in self.connection.execute(_FUNCTIONS, names).all():
            self.connection.exec_driver_sql(f"ALTER FUNCTION {source}.{name}() SET SCHEMA {target}")

    def _rights(self) -> list[str]:
        """What gives the new tables the old ones' owner and rights."""
        schema = self._quote(self.schema)
        names = {"schema": schema, "tables": list(SCHEMA.tables)}
        statements = []
        for table, owner, right, role in self.connection.execute(_RIGHTS, names).all():
            statements.append(f"ALTER TABLE {schema}.{table} OWNER TO {self._quote(owner)}")
            if right is not None:
                who = "PUBLIC" if role is None else self._quote(role)
                statements.append(f"GRANT {right} ON {schema}.{table} TO {who}")
        return sorted(set(statements))  # the owner first, then what it grants

    def _quote(self, name: str) -> str:
        return self.connection.dialect.identifier_preparer.quote_identifier(name)


def _in_schema(url: str, quoted: str) -> str:
    """The same database, with another schema on the path."""
    address = make_url(conninfo(url))
    options = address.query.get("options", "")
    path = "-csearch_path=" + quoted.replace("\\", "\\\\").replace(" ", "\\ ")
    given = options if isinstance(options, str) else options[-1]
    return address.update_query_dict({"options": f"{given} {path}".strip()}).render_as_string(
        hide_password=False
    )


@contextmanager
def _written_anew() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StoreError(
            f"the ledger could not be written anew: {error.orig}. Nothing was changed. It takes "
            "the role that owns the ledger's tables and may create a schema"
        ) from error
