"""Everything between the database and the doors: services, journal, studio, screens, jobs.

The second half of the composition root; `server.app` opens it and gives it what it stands on.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ledger.note import Checkpoint
from server.analysis import analysis, warm_sampler
from server.config import Config
from server.domain.errors import DomainError
from server.domain.evidence import Gap
from server.domain.session import LIVE
from server.drawing import drawing
from server.former import FOLDER, FormerLedgers
from server.http.cases import Cases
from server.http.desk import Desk
from server.http.live import Live
from server.http.lookup import Checker, Lookup
from server.http.messages import Catalogue
from server.http.sandbox import Sandbox
from server.http.socket import Hub, Line
from server.identity.analyst import Analyst
from server.identity.registry import SimulatedRegistry
from server.identity.words import fingerprint_words, opening_words
from server.jobs import Jobs
from server.journal import Anchored, Journal
from server.media import Placement, Sampler, Turn
from server.observe import logger
from server.open_ledger import OpenLedger
from server.outbox.console import ConsoleOutbox
from server.recovery import takes_on_disk
from server.scrubbing import Scrubber
from server.seating import media_seats
from server.services.accounts import Accounts
from server.services.assemble import Services, assemble, open_files
from server.services.erasure import Erasure
from server.services.workplace import OfficeFacts, Person
from server.storage.database import Database
from server.storage.objects import Objects
from server.storage.outbox import Outbox
from server.storage.placements import Placements
from server.storage.recordings import Recordings
from server.storage.vault import Vault
from server.studio import Studio
from server.supervisor import Supervisor
from server.takes import TakeFiles
from server.timestamps import OutsideTime
from server.watcher import Watcher
from signing.ca import Office

OFFICE_ID = "yuanshan"
SEAL_NAME, SEAL_LINE = "远山市公证处", "示例"


@dataclass
class Backstage:
    """What the doors open onto."""

    services: Services
    hub: Hub
    studio: Studio
    tasks: Supervisor
    check_context: Callable[[], Awaitable[Mapping[str, Any]]]
    ledger_trouble: Callable[[], str | None]
    scrubber: Scrubber
    former: FormerLedgers
    turn: Turn

    def rooms(self, sandbox: Sandbox) -> tuple[object, ...]:
        """Return the rooms of routes that stand on the services."""
        return (
            Cases(self.services, sandbox=sandbox),
            Desk(self.services),
            Live(
                self.services,
                sandbox=sandbox,
                read_take=self.services.archive.stream,
                leave=self.studio.leave,
                over=self._over,
                relays=self._relays,
            ),
            Lookup(self.services, check=Checker(Sandbox(), context=self.check_context)),
            self.hub,
        )

    def _over(self, sid: str) -> None:
        self.tasks.start(self.studio.close(sid), name=f"end of {sid}")

    async def _relays(self, person: Person, sid: str) -> list[Mapping[str, Any]]:
        """Let a party of a live session through the TURN server, and nobody else."""
        role = await self.services.ceremony.role(person, sid)
        await _require_live(self.services, sid)
        return self.turn.servers(f"{sid}.{role}")


@asynccontextmanager
async def open_backstage(
    config: Config,
    *,
    lock: int,
    office: Office,
    database: Database,
    ledger: OpenLedger,
    accounts: Accounts,
    outbox: ConsoleOutbox,
    clock: Callable[[], int],
    random: Callable[[int], bytes],
    catalogue: Catalogue,
    failed: Callable[[str], None],
    warm: bool,
    outside: OutsideTime | None,
) -> AsyncIterator[Backstage]:
    """Open services, journal, studio, screens and jobs; take up what a former process left.

    `lock` is the descriptor that holds the data directory.
    With `warm` the analysis loads its networks now, else when somebody first needs it.
    """
    async with AsyncExitStack() as closing:
        vault = Vault(config.path("vault.db"), secret=config.secret.reveal(), random=random)
        closing.callback(vault.close)
        facts = OfficeFacts(
            id=OFFICE_ID,
            name_zh=office.profile.name_zh,
            name_en=office.profile.name_en,
            public_url=office.profile.public_url,
            origin=office.ledger.place.origin,
            demo=office.profile.demo,
        )
        files = open_files(database, vault, facts)
        journal = Journal(Outbox(database), ledger, clock=clock)
        database.on_commit(journal.nudge)
        tasks = await closing.enter_async_context(Supervisor(failed=failed))
        takes = config.path("recordings")
        takes.mkdir(mode=0o700, exist_ok=True)
        book = Placements(database)
        seats = await closing.enter_async_context(
            media_seats(config, takes, book, lock=lock, clock=clock)
        )
        placement = Placement(seats.seats, book, clock=clock)
        tasks.start(placement.keep_book(seats.changed), name="book of media processes")
        studio = Studio(placement, clock=clock, tasks=tasks)
        analyst = await closing.enter_async_context(Analyst(clock=clock))
        sampler = Sampler()
        closing.callback(sampler.close)
        jobs = Jobs(config.path("jobs.db"))
        services = assemble(
            files=files,
            vault=vault,
            objects=Objects(config.path("objects")),
            journal=journal,
            ledger=ledger,
            office=office,
            facts=facts,
            clock=clock,
            random=random,
            drawing=drawing(seal_name=SEAL_NAME, seal_line=SEAL_LINE),
            analysis=analysis(
                analyst,
                sampler=sampler,
                registry=SimulatedRegistry(),
                keyframe=studio.keyframe,
            ),
            spell=opening_words,
            fingerprint=fingerprint_words,
            presence=studio.presence,
            confirm_totp=accounts.confirm_totp,
            start=jobs.start,
            recover_takes=takes_on_disk(takes, Recordings(database)),
            takes=TakeFiles(takes),
            untold=studio,
            stamped=outside.over if outside else None,
        )
        studio.tell(services.recordings, services.ceremony.lost, services.archive.take_up)
        hub = Hub(_line(services, studio), catalogue=catalogue, clock=clock, log=logger("screens"))
        studio.on_change(hub.changed)
        studio.on_gone(hub.redial)
        watcher = Watcher(studio, analyst, sampler, tell=services.identity.finding)
        studio.on_opening(lambda sid: _watch(tasks, watcher, sid))
        files.subscribe(lambda _, sid: hub.changed(sid))
        journal.subscribe(lambda anchored: _receipt(hub, anchored))
        letters = _Letters(services, outbox)
        journal.subscribe(
            lambda anchored: _post(tasks, letters, anchored) if letters.wanted(anchored) else None
        )
        erasure = Erasure(
            files,
            vault,
            services.workplace.objects,
            TakeFiles(takes),
            packs=services.workplace.packs,
            calendar=services.workplace.calendar,
            clock=clock,
            random=random,
        )
        for erased in await erasure.resume():
            logger("app").warning("an erasure broken off is finished", case=erased.case_id)
        for sid in await services.archive.recover():
            logger("app").warning("a session was interrupted by the last stop", session=sid)
        tasks.start(journal.run(), name="journal", vital=True)
        closing.callback(_take_threads_back)
        closing.callback(jobs.close)
        await jobs.launch(services.sealing, services.archive)
        tasks.start(jobs.run(), name="sweep of unfinished jobs")
        scrubber = Scrubber(
            config.ledger_database.reveal().decode()
            if config.ledger_database
            else config.path(office.ledger.place.folder) / "ledger.db",
            clock=clock,
            monotonic=time.monotonic,
        )
        tasks.start(scrubber.run(), name="ledger scrubber")
        closing.push_async_callback(studio.close_all)
        if warm:
            tasks.start(_warm(analyst), name="warming the analyst")
        tasks.start(warm_sampler(sampler), name="warming the sampler")

        former = FormerLedgers(config.path(FOLDER))

        async def check_context() -> dict[str, Any]:
            note = await ledger.checkpoint()
            size = Checkpoint.unverified(note).size
            chain = await ledger.chain(facts.register)
            trust = office.trust()
            return {
                "trust": trust,
                "former": await asyncio.to_thread(former.registers, trust),
                "at": clock(),
                "note": note,
                "register": facts.register,
                "leaves": [base64.b64encode(leaf).decode() for at, leaf in chain if at < size],
                "status": await services.verification.status_list(),
            }

        yield Backstage(
            services,
            hub,
            studio,
            tasks,
            check_context,
            ledger_trouble=lambda: journal.failed,
            scrubber=scrubber,
            former=former,
            turn=Turn(
                config.turn,
                secret=config.turn_secret.reveal() if config.turn_secret else b"",
                clock=clock,
            ),
        )


def _take_threads_back() -> None:
    """Give the loop threads of its own again: DBOS lends it its pool and shuts that down."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4))


async def _warm(analyst: Analyst) -> None:
    """Load the networks before somebody waits for them; what is missing is told to the log."""
    for finding in await analyst.warm():
        logger("analysis").warning("analysis unavailable", kind=finding.kind, why=finding.text_key)


def _receipt(hub: Hub, anchored: Anchored) -> None:
    hub.anchored(
        anchored.session_id,
        index=anchored.index,
        leaf_hash=anchored.leaf_hash,
        event=anchored.event,
        kind=anchored.kind,
        at=anchored.at,
    )


def _watch(tasks: Supervisor, watcher: Watcher, sid: str) -> None:
    tasks.start(watcher.run(sid), name=f"watching {sid}")


def _post(tasks: Supervisor, letters: _Letters, anchored: Anchored) -> None:
    tasks.start(letters.send(anchored), name=f"letter about {anchored.kind}")


class _Letters:
    """What applicants are written about: a booked session, a certificate that is ready."""

    def __init__(self, services: Services, outbox: ConsoleOutbox) -> None:
        self._files = services.workplace.files
        self._url = services.workplace.office.public_url
        self._outbox = outbox

    def wanted(self, anchored: Anchored) -> bool:
        """Whether somebody waits for this."""
        return anchored.kind in ("session-booked", "certificate-delivered")

    async def send(self, anchored: Anchored) -> None:
        """Write to the applicant of the case."""
        case = await self._files.case(anchored.case_id)
        if anchored.kind == "session-booked" and case.booking is not None:
            link = f"{self._url}/join/{case.booking.token}"
            await self._outbox.send(
                to=case.phone,
                kind="invitation",
                text=f"【远证】视频公证已预约，请届时打开：{link}"
                f" Your session is booked; open this link then: {link}",
                link=link,
            )
        elif anchored.kind == "certificate-delivered":
            link = f"{self._url}/cases/{case.id}"
            await self._outbox.send(
                to=case.phone,
                kind="certificate-ready",
                text=f"【远证】公证书已出具：{link} Your certificate is ready: {link}",
                link=link,
            )


async def _require_live(services: Services, sid: str) -> None:
    session = await services.workplace.files.session(sid)
    if session.state not in LIVE:
        raise DomainError("session-state", state=session.state.value)


def _line(services: Services, studio: Studio) -> Line:
    async def view(person: Person, sid: str, language: str) -> Mapping[str, Any]:
        return await services.ceremony.view(person, sid, language=language)

    async def receipts(sid: str, after: int) -> list[Mapping[str, Any]]:
        return [
            {
                "index": event.index,
                "leaf_hash": event.leaf_hash,
                "event": event.id,
                "kind": event.kind,
                "at": event.at,
            }
            for event in await services.workplace.outbox.anchored(sid, after=after)
        ]

    async def page_seen(person: Person, sid: str, number: int) -> None:
        await services.ceremony.page_seen(person, sid, number=number)

    async def clock_offset(sid: str, offset_ms: int, rtt_ms: int) -> None:
        await services.recordings.clock_offset(sid, offset_ms=offset_ms, rtt_ms=rtt_ms)

    async def muted(sid: str, role: str, since: int, until: int) -> None:
        take = studio.take(sid, role)
        if take is not None:
            told = {"by": "the participant"}
            await services.recordings.gap(Gap(sid, role, take, "mute", since, until, told))

    async def join(sid: str, role: str, offer: str) -> str:
        await _require_live(services, sid)  # a phone that tries again must not open the room anew
        return await studio.join(sid, role, offer)

    return Line(
        view=view,
        role=services.ceremony.role,
        receipts=receipts,
        page_seen=page_seen,
        join=join,
        clock_offset=clock_offset,
        muted=muted,
    )
