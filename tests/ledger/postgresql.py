"""A PostgreSQL server of the tests' own: a fresh cluster, a socket in a folder; a port if asked."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import psycopg
import pytest

SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "on",  # an acknowledged entry must survive
    "log_min_messages": "fatal",
}


@dataclass(slots=True)
class Server:
    """A running server; every ledger gets a schema of its own."""

    sockets: Path
    port: int | None = None
    """Where it listens on loopback, too."""
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def address(self) -> str:
        if self.port is not None:
            return f"postgresql://office@127.0.0.1:{self.port}/postgres?sslmode=disable"
        return f"postgresql://office@/postgres?host={quote(str(self.sockets), safe='')}"

    def url(self, schema: str, *, role: str = "office") -> str:
        plain = self.address.replace("office@", f"{role}@")
        return f"{plain}&options={quote(f'-csearch_path={schema}', safe='')}"

    def fresh(self) -> str:
        """The URL of a ledger that is not there yet."""
        schema = f"ledger{next(self.numbers)}"
        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")  # type: ignore[arg-type]
        return self.url(schema)


def binaries() -> Path | None:
    """Debian keeps the programs of each version apart, and `initdb` out of the PATH."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda path: int(re.sub(r"\D", "", path.parts[-3]) or 0), default=None)
    if newest is None and (there := shutil.which("initdb")):
        newest = Path(there)
    return newest.parent if newest else None


@contextmanager
def running(*, directory: Path | None = None, port: int | None = None) -> Iterator[Server]:
    """A server until the end of the block; skips the test where there is no PostgreSQL.

    port: where it listens on loopback as well, instead of on a socket in a folder alone.
    """
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: run tests/system-packages.sh")
    # PostgreSQL refuses to be run by root.
    user = "postgres" if os.geteuid() == 0 else None
    with TemporaryDirectory(prefix="pg-", dir=directory) as folder:
        place = Path(folder)
        if user is not None:
            account = pwd.getpwnam(user)
            os.chown(place, account.pw_uid, account.pw_gid)

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [programs / program, "-D", place / "data", *arguments],
                check=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
                cwd=place,
                stdout=subprocess.DEVNULL,
            )

        run("initdb", "-A", "trust", "-U", "office", "-E", "UTF8", "--locale=C", "--no-sync")
        settings = SETTINGS | {"unix_socket_directories": f"'{place}'"}
        if port is not None:
            settings |= {"listen_addresses": "127.0.0.1", "port": str(port)}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        run("pg_ctl", "-w", "-l", str(place / "log"), "-o", options, "start")
        try:
            yield Server(place, port)
        finally:
            with suppress(subprocess.CalledProcessError):
                run("pg_ctl", "-w", "-m", "immediate", "stop")
