"""The live line: a screen that comes back is first told which entries it missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestServer

from server.domain.participant import Applicant
from server.http.application import build
from server.http.limits import Limiter
from server.http.messages import read_catalogue
from server.http.middleware import Doorman
from server.http.routes import Caller
from server.http.socket import Hub, Line
from server.observe import logger

SID = "5" * 32
WANG = Applicant("a1", "13800000001")


class Ledger:
    """Entries of one session, and a hub that tells of them."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.broken = False
        self.slow: asyncio.Event | None = None

    def anchor(self, count: int, hub: Hub | None = None) -> None:
        for _ in range(count):
            index = 3 * len(self.entries)
            entry = {"index": index, "leaf_hash": f"{index:064x}", "event": f"e{index}"}
            entry |= {"kind": "segment", "at": 1000 + index}
            self.entries.append(entry)
            if hub is not None:
                hub.anchored(SID, **entry)

    async def receipts(self, sid: str, after: int) -> Sequence[Mapping[str, Any]]:
        if self.broken:
            raise OSError("the database is gone")
        found = [entry for entry in self.entries if sid == SID and entry["index"] > after]
        if self.slow is not None:
            await self.slow.wait()
        return found


@asynccontextmanager
async def house(ledger: Ledger) -> AsyncIterator[tuple[Hub, ClientSession, str]]:
    async def find(token: str) -> Caller:
        return Caller("applicant", WANG)

    async def view(person: object, sid: str, language: str) -> Mapping[str, Any]:
        return {"id": sid}

    async def role(person: object, sid: str) -> str:
        return "applicant"

    async def never(*_: Any) -> Any:
        raise AssertionError("nobody asked for this")

    line = Line(view, role, ledger.receipts, never, never, never, never)
    catalogue, log = read_catalogue(), logger("screens")
    hub = Hub(line, catalogue=catalogue, clock=lambda: 0, log=log)
    limiter = Limiter(clock=lambda: 0)
    doorman = Doorman(find_caller=find, limiter=limiter, secure=False, trust_proxy=False)
    app = build([hub], doorman=doorman, catalogue=catalogue, log=logger("http"))
    async with (
        TestServer(app, host="127.0.0.1") as server,
        ClientSession(cookies={"farseal_session": "x"}) as http,
    ):
        yield hub, http, str(server.make_url(f"/api/sessions/{SID}/socket"))


async def until_state(screen: ClientWebSocketResponse) -> list[dict[str, Any]]:
    """What a screen is told before its first snapshot."""
    told: list[dict[str, Any]] = []
    while True:
        said = await asyncio.wait_for(screen.receive_json(), 20)
        if said["type"] == "state":
            return told
        told.append(said)


@pytest.mark.parametrize(
    ("query", "missing"),
    [("", 5), ("?after=3", 3), ("?after=12", 0), ("?after=-1", 5), ("?after=9e9", 5)],
)
async def test_a_screen_gets_what_was_anchored_since_the_last_it_has(
    query: str, missing: int
) -> None:
    ledger = Ledger()
    ledger.anchor(5)
    async with house(ledger) as (hub, http, url), http.ws_connect(url + query) as screen:
        told = await until_state(screen)
        assert [entry for said in told for entry in said["entries"]] == ledger.entries[
            5 - missing :
        ]
        ledger.anchor(1, hub)
        said = await asyncio.wait_for(screen.receive_json(), 20)
        assert said == {"type": "anchored", **ledger.entries[-1]}


async def test_what_is_anchored_while_it_catches_up_comes_after_and_nothing_is_lost() -> None:
    ledger = Ledger()
    ledger.anchor(1_200)
    ledger.slow = asyncio.Event()
    async with house(ledger) as (hub, http, url), http.ws_connect(url) as screen:
        ledger.anchor(2, hub)
        ledger.slow.set()
        told = await until_state(screen)
        assert [said["type"] for said in told] == ["receipts"] * 3 + ["anchored"] * 2
        entries = [entry for said in told[:3] for entry in said["entries"]]
        heard = entries + [{k: v for k, v in said.items() if k != "type"} for said in told[3:]]
        assert heard == ledger.entries


async def test_a_line_that_cannot_tell_what_was_missed_ends_so_that_the_page_asks_again() -> None:
    ledger = Ledger()
    ledger.broken = True
    async with house(ledger) as (_, http, url), http.ws_connect(url) as screen:
        message = await asyncio.wait_for(screen.receive(), 20)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1011)
