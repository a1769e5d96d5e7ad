"""A session through a real coturn: a browser that has no other way, and one that is not let in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import expect

from server.rehearsal.logins import staff_logins
from server.rehearsal.office import SERVE, FreshOffice, OfficeProcess
from server.rehearsal.visitor import RefusedError
from tests.media.coturn import SECRET, Coturn, coturn

from . import doors
from .conftest import Launch
from .films import Films
from .people import DESK, PHONE, Applicant, Staff, window

pytestmark = pytest.mark.asyncio(loop_scope="module")

# The network of a hotel: nothing goes out but to the relay. What is then connected is kept for us.
RELAY_ONLY = """{
  const Peer = RTCPeerConnection;
  window.peers = [];
  window.RTCPeerConnection = class extends Peer {
    constructor(configuration) {
      super({ ...configuration, iceTransportPolicy: "relay" });
      window.peers.push(this);
    }
  };
}"""
PAIR = """(async () => {
  const rows = [...(await window.peers.at(-1).getStats()).values()];
  const pair = rows.find((row) => row.type === "candidate-pair" && row.nominated);
  const end = (id) => rows.find((row) => row.id === id);
  return end(pair.localCandidateId).candidateType;
})()"""

RECORDED = """async ([session, segments]) => {
  const view = async () => (await fetch(`/api/sessions/${session}`)).json();
  while ((await view()).recording.segments < segments)
    await new Promise((done) => setTimeout(done, 200));
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Coturn]:
    async with coturn(tmp_path_factory.mktemp("coturn")) as running:
        yield running


@asynccontextmanager
async def office_behind(relay: Coturn, data: Path, *, secret: str) -> AsyncIterator[FreshOffice]:
    """An office on loopback that sends browsers to `relay` with credentials under `secret`."""
    turn = ("--media-host", "127.0.0.1", "--turn", f"turn:127.0.0.1:{relay.port}")
    process = OfficeProcess(data, command=("env", f"FARSEAL_TURN_SECRET={secret}", *SERVE, *turn))
    try:
        url = await process.start()
        yield FreshOffice(url=url, data=data, logins=staff_logins(data))
    finally:
        await process.stop()


async def meet(
    office: FreshOffice, launch: Launch, films: Films, album: Path | None
) -> tuple[Applicant, Staff, str]:
    """Both parties enter a session; the applicant's browser may use the relay only."""
    async with doors.staff(office, "notary") as notary, doors.applicant(office, "13800000777") as a:
        case = await doors.new_case(a)
        await doors.hand_in(a, case, films.card)
        await doors.accept(notary, case)
        await doors.consent(a, case)
        await doors.book(a, case)
        await doors.check_devices(a, case)
        phone, bureau = await launch(*films.applicant.flags), await launch(*films.notary.flags)
        ana = Applicant(await window(phone, PHONE), office, album=album)
        nora = Staff(await window(bureau, DESK), office, album=album)
        await ana.page.add_init_script(RELAY_ONLY)
        await doors.hand_over(a, ana.page)
        await doors.hand_over(notary, nora.page)
    await nora.visit(f"/desk/cases/{case}")
    session = await nora.meet()
    await ana.visit(f"/cases/{case}/session")
    await ana.reach("open")
    return ana, nora, session


async def test_a_browser_with_no_way_but_the_relay_is_seen_heard_and_recorded(
    relay: Coturn, tmp_path: Path, launch: Launch, films: Films, album: Path | None
) -> None:
    async with office_behind(relay, tmp_path / "data", secret=SECRET) as office:
        ana, nora, session = await meet(office, launch, films, album)
        await asyncio.gather(ana.sees_the_other(), nora.sees_the_other())
        assert await ana.page.evaluate(PAIR) == "relay"
        await nora.page.evaluate(RECORDED, [session, 8])
        [take] = office.data.joinpath("recordings").rglob("*applicant*")
        assert take.stat().st_size > 10_000  # of the applicant's camera, ciphertext
        async with aiohttp.ClientSession() as stranger:
            for path in (f"/api/sessions/{session}/relays", "/api/sessions/none/relays"):
                async with stranger.get(office.url + path) as answer:
                    assert answer.status == 401
        async with doors.applicant(office, "13800000778") as other:
            with pytest.raises(RefusedError) as refused:
                await other.get(f"/api/sessions/{session}/relays")
            assert refused.value.status == 404
        assert ana.complaints + nora.complaints == []


async def test_a_relay_that_does_not_take_our_credentials_is_told_in_words(
    relay: Coturn, tmp_path: Path, launch: Launch, films: Films, album: Path | None
) -> None:
    """The office and its coturn disagree about the secret: nobody gets in, and the page says so."""
    async with office_behind(relay, tmp_path / "data", secret="x" * 32) as office:
        ana, nora, _ = await meet(office, launch, films, album)
        await expect(ana.page.locator(".strip")).to_contain_text("中转服务器没有让这次通话通过")
        await ana.look("relay-refused")
        assert nora.complaints == []
