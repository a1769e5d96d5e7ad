"""Reading a log over HTTP: patient with a busy server, short with a lying one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import MirrorError, NotFoundError
from server.cli.log_site import TRIES, LogSite
from tests.ledger.site import Answer, serve


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "checkpoint").write_bytes(b"a note")
    return tmp_path


def test_files_are_read_and_missing_ones_told(log: Path) -> None:
    with serve(log) as url:
        site = LogSite(url)
        assert site("checkpoint", 6) == b"a note"
        with pytest.raises(MirrorError):
            site("checkpoint", 5)
        with pytest.raises(NotFoundError):
            site("tile/0/000", 100)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(log: Path, status: int) -> None:
    pauses: list[float] = []

    def busy(path: str, number: int) -> Answer | None:
        return (status, {"Retry-After": "7"}, b"later") if number < 3 else None

    with serve(log, busy) as url:
        assert LogSite(url, pause=pauses.append)("checkpoint", 100) == b"a note"
    assert len(pauses) == 3
    assert all(pause > 7 for pause in pauses)


def test_a_connection_lost_half_way_is_made_again(log: Path) -> None:
    pauses: list[float] = []

    def cut(path: str, number: int) -> Answer | None:
        return (200, {"Content-Length": "6"}, b"a n") if number < 2 else None

    with serve(log, cut) as url:
        assert LogSite(url, pause=pauses.append)("checkpoint", 100) == b"a note"
    assert len(pauses) == 2


def test_it_gives_up_in_the_end(log: Path) -> None:
    pauses: list[float] = []
    with serve(log, lambda path, number: (503, {}, b"")) as url, pytest.raises(OSError):
        LogSite(url, pause=pauses.append)("checkpoint", 100)
    assert len(pauses) == TRIES - 1
    pauses.clear()
    with pytest.raises(OSError):  # nobody is there any more
        LogSite(url, pause=pauses.append)("checkpoint", 100)
    assert len(pauses) == TRIES - 1


def test_redirects_and_other_refusals_are_not_followed(log: Path) -> None:
    pauses: list[float] = []

    def away(path: str, number: int) -> Answer | None:
        return (302, {"Location": "file:///etc/hostname"}, b"") if path == "checkpoint" else None

    with serve(log, away) as url:
        site = LogSite(url, pause=pauses.append)
        with pytest.raises(OSError, match="moved to file"):
            site("checkpoint", 100)
    with serve(log, lambda path, number: (403, {}, b"")) as url, pytest.raises(OSError):
        LogSite(url, pause=pauses.append)("checkpoint", 100)
    assert pauses == []


@pytest.mark.parametrize("url", ["file:///etc", "ftp://a/log", "//a/log", "/log", "http:///log"])
def test_only_http_addresses(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        LogSite(url)
