"""Everything between the database and the doors: services, journal, studio, screens, jobs.

The second half of the composition root; `server.app` opens it and gives it what it stands on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ledger.entry import commitment, derive_salt
from ledger.log import Log
from server.analysis import analysis
from server.config import Config
from server.documents import missing_glyphs, page_images, render_document
from server.domain.calendar import load_calendar
from server.domain.evidence import Gap
from server.domain.rules import load_packs
from server.domain.words import load_words
from server.http.cases import Cases
from server.http.desk import Desk
from server.http.live import Live
from server.http.messages import Catalogue
from server.http.sandbox import Sandbox
from server.http.socket import Hub, Line
from server.identity.analyst import Analyst
from server.identity.registry import SimulatedRegistry
from server.journal import Anchored, Journal
from server.media import Sampler
from server.observe import logger
from server.outbox.console import ConsoleOutbox
from server.services.accounts import Accounts
from server.services.appointments import Appointments
from server.services.ceremony import Ceremony
from server.services.closing import Closing
from server.services.conduct import Conduct
from server.services.documents import Documents
from server.services.identity import IdentityDesk
from server.services.intake import Intake
from server.services.reception import Reception
from server.services.recordings import Recordings as RecordingsDoor
from server.services.signatures import Signatures
from server.services.workplace import OfficeFacts, Workplace
from server.storage.cases import CaseFiles
from server.storage.database import Database
from server.storage.findings import Findings
from server.storage.objects import Objects
from server.storage.outbox import Outbox
from server.storage.recordings import Recordings
from server.storage.registers import Registers
from server.storage.vault import Vault
from server.studio import Studio
from server.supervisor import Supervisor
from signing.ca import Office

OFFICE_ID = "yuanshan"


def commit_to(key: bytes, label: str, content_sha256: str) -> str:
    """Return the salted commitment that stands in a leaf (LEDGER.md 7)."""
    return commitment(derive_salt(key, label), bytes.fromhex(content_sha256))


@dataclass
class Backstage:
    """What the doors open onto."""

    services: Any
    hub: Hub
    studio: Studio

    def rooms(self, catalogue: Catalogue, sandbox: Sandbox) -> tuple[object, ...]:
        """Return the rooms of routes that stand on the services."""
        return (
            Cases(self.services, catalogue=catalogue, sandbox=sandbox),
            Desk(self.services, catalogue=catalogue),
            Live(
                self.services,
                sandbox=sandbox,
                read_take=self.studio.stream,
                leave=self.studio.leave,
            ),
            self.hub,
        )


@asynccontextmanager
async def open_backstage(
    config: Config,
    *,
    office: Office,
    database: Database,
    ledger: Log,
    accounts: Accounts,
    outbox: ConsoleOutbox,
    clock: Callable[[], int],
    random: Callable[[int], bytes],
    catalogue: Catalogue,
    failed: Callable[[str], None],
) -> AsyncIterator[Backstage]:
    """Open services, journal, studio and screens; tell the services what a former process left."""
    async with AsyncExitStack() as closing:
        vault = Vault(config.path("vault.db"), secret=config.secret.reveal(), random=random)
        closing.callback(vault.close)
        facts = OfficeFacts(
            id=OFFICE_ID,
            name_zh=office.profile.name_zh,
            name_en=office.profile.name_en,
            public_url=office.profile.public_url,
            origin=office.profile.origin,
            demo=office.profile.demo,
        )
        files = CaseFiles(database, vault, commit_to=commit_to, register=facts.register)
        workplace = Workplace(
            files=files,
            objects=Objects(config.path("objects")),
            vault=vault,
            outbox=Outbox(database),
            recordings=Recordings(database),
            findings=Findings(database, vault),
            registers=Registers(database),
            packs=load_packs(),
            calendar=load_calendar(),
            words=load_words(),
            office=facts,
            clock=clock,
            random=random,
        )
        journal = Journal(workplace.outbox, ledger, clock=clock)
        database.on_commit(journal.nudge)

        tasks = await closing.enter_async_context(Supervisor(failed=failed))
        studio = Studio(
            directory=_folder(config.path("recordings")),
            clock=clock,
            hosts=config.media_hosts,
            tasks=tasks,
        )
        analyst = await closing.enter_async_context(Analyst(clock=clock))
        sampler = Sampler()
        closing.callback(sampler.close)
        services = provisional(
            workplace, office, journal, ledger, accounts, studio, analyst, sampler
        )
        studio.tell(services.recordings, services.ceremony.lost)
        closing.push_async_callback(studio.close_all)
        hub = Hub(_line(services, studio), catalogue=catalogue, clock=clock, log=logger("screens"))
        studio.on_change(hub.changed)
        files.subscribe(lambda _, sid: hub.changed(sid))
        journal.subscribe(lambda anchored: _receipt(hub, anchored))
        tasks.start(journal.run(), name="journal", vital=True)
        tasks.start(_warm(analyst), name="warming the analyst")
        yield Backstage(services, hub, studio)


async def _warm(analyst: Analyst) -> None:
    """Load the networks before somebody waits for them; what is missing is told to the log."""
    for finding in await analyst.warm():
        logger("analysis").warning("analysis unavailable", kind=finding.kind, why=finding.text_key)


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _receipt(hub: Hub, anchored: Anchored) -> None:
    hub.anchored(
        anchored.session_id,
        index=anchored.index,
        leaf_hash=anchored.leaf_hash,
        event=anchored.event,
        kind=anchored.kind,
        at=anchored.at,
    )


def _line(services: Any, studio: Studio) -> Line:
    async def view(person: Any, sid: str, language: str) -> Mapping[str, Any]:
        shown: Mapping[str, Any] = await services.ceremony.view(person, sid, language=language)
        return shown

    async def page_seen(person: Any, sid: str, number: int) -> None:
        await services.ceremony.page_seen(person, sid, number=number)

    async def clock_offset(sid: str, offset_ms: int, rtt_ms: int) -> None:
        await services.recordings.clock_offset(sid, offset_ms=offset_ms, rtt_ms=rtt_ms)

    async def muted(sid: str, role: str, since: int, until: int) -> None:
        take = studio.take(sid, role)
        if take is not None:
            await services.recordings.gap(
                Gap(sid, role, take, "mute", since, until, {"by": "the participant"})
            )

    return Line(
        view=view,
        role=services.ceremony.role,
        page_seen=page_seen,
        join=studio.join,
        clock_offset=clock_offset,
        muted=muted,
    )


def provisional(
    workplace: Workplace,
    office: Office,
    journal: Journal,
    ledger: Log,
    accounts: Accounts,
    studio: Studio,
    analyst: Analyst,
    sampler: Sampler,
) -> Any:
    async def start(job: str, what: str) -> None:
        logger("jobs").info("would start", job=job, what=what)

    def spell(seed: bytes, sid: str, language: str) -> tuple[str, ...]:
        return tuple(seed.hex()[at : at + 4] for at in (0, 4, 8, 12))

    eyes = analysis(
        analyst, sampler=sampler, registry=SimulatedRegistry(), keyframe=studio.keyframe
    )
    intake = Intake(workplace, missing_glyphs=missing_glyphs)
    conduct = Conduct(workplace, spell=spell, presence=studio.presence)
    documents = Documents(workplace, render=render_document, draw_pages=page_images)
    closing = Closing(conduct, office=office, confirm_totp=accounts.confirm_totp, start=start)
    return SimpleNamespace(
        intake=intake,
        appointments=Appointments(workplace, intake),
        reception=Reception(workplace, intake, missing_glyphs=missing_glyphs),
        documents=documents,
        ceremony=Ceremony(
            conduct, documents, closing, journal=journal, checkpoint=ledger.checkpoint
        ),
        recordings=RecordingsDoor(conduct),
        identity=IdentityDesk(conduct, eyes),
        signatures=Signatures(conduct, documents, office=office),
    )
