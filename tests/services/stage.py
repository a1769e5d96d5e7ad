"""A whole office in one directory, without doors: real SQLite, ledger, office keys, documents.

Only the eyes are played (readings, comparison, registry), by values a test can change.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.cosigning import Witnesses
from ledger.log import Log
from ledger.sqlite import SqliteStore
from server.documents import missing_glyphs, page_images, render_certificate, render_document, serif
from server.domain.errors import DomainError
from server.domain.evidence import Segment
from server.domain.rules import RulePack, load_packs
from server.identity.findings import DocumentReading, Field, Finding
from server.identity.texts import render
from server.identity.words import fingerprint_words, opening_words
from server.jobs import Jobs
from server.journal import Journal
from server.services.assemble import Drawing, Services, assemble, open_files
from server.services.identity import Analysis, Snapshot
from server.services.untold import Untold
from server.services.workplace import OfficeFacts
from server.storage.cipher import Cipher
from server.storage.database import Database
from server.storage.objects import Objects
from server.storage.outbox import Outbox
from server.storage.vault import Vault
from server.takes import TakeFiles
from server.timestamps import OutsideTime
from signing.ca import NotaryProfile, Office, OfficeProfile, open_office
from signing.keys import Secret
from signing.seal import Strokes, office_seal_svg, strokes_svg
from signing.tokens import read_stamp

SECRET = b"the master secret of a stage, 32 bytes and more"
PROFILE = OfficeProfile(
    name_zh="远山市公证处（示例）",
    name_en="Yuanshan Notary Office (demo)",
    public_url="http://localhost:8080",
    origin="localhost/farseal",
    demo=True,
    notaries=(NotaryProfile("notary", "林望舒", "Lin Wangshu", "D0000001"),),
)
GRACE_MS = 600_000  # a busy machine starts a process slowly; the rule pack says 60 s
PICTURE = b"\x89PNG a picture of something"


class StageClock:
    """The real clock, moved by hand."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


@dataclass
class Eyes:
    """What the played identity room sees."""

    fields: Mapping[str, Field] = field(
        default_factory=lambda: {"name": Field(value="王小明", check="none", confidence=0.9)}
    )
    score: float | None = 0.61
    snapshot: bytes | None = PICTURE
    frame_at: int = 1
    findings: tuple[Finding, ...] = ()
    taken: list[int] = field(default_factory=list)
    answer: Mapping[str, Any] | None = field(
        default_factory=lambda: {"answer_id": "a1", "verdict": "match", "simulated": True}
    )

    async def read_document(self, image: bytes, side: str, at: int) -> DocumentReading:
        self.taken.append(at)
        return DocumentReading(
            kind="resident_id" if self.fields else "unknown",
            side="front",
            fields=self.fields,
            portrait=PICTURE if self.fields else None,
            crop=image,
            quality=None,
            findings=tuple(replace(each, at=at) for each in self.findings),
        )

    async def compare(self, portrait: bytes, frames: Sequence[bytes], at: int) -> Finding:
        level = "info" if self.score is not None else "unavailable"
        detail = {"band": "similar"}
        return Finding(
            kind="face", level=level, text_key="t", at=at, score=self.score, detail=detail
        )

    async def take(self, sid: str, role: str) -> Snapshot | None:
        return Snapshot(self.frame_at, self.snapshot, b"a key frame") if self.snapshot else None

    async def ask(
        self, query: str, name: str, number: str, portrait: bytes
    ) -> Mapping[str, Any] | None:
        return self.answer

    def analysis(self) -> Analysis:
        return Analysis(
            read_document=self.read_document,
            compare=self.compare,
            snapshot=self.take,
            ask_registry=self.ask,
            say=lambda text_key, detail, language: render(text_key, detail, language=language),
        )


@dataclass
class Stage:
    """The office and everything a test may look at."""

    directory: Path
    services: Services
    journal: Journal
    log: Log
    office: Office
    database: Database
    clock: StageClock
    eyes: Eyes
    jobs: list[tuple[str, str]]

    @property
    def takes(self) -> Path:
        """Where the recorder writes."""
        return self.directory / "recordings"

    async def work(self) -> None:
        """Do the jobs that were started, in order."""
        while self.jobs:
            kind, about = self.jobs.pop(0)
            if kind == "seal":
                await self.services.sealing.seal_session(about)
            else:
                await self.services.sealing.issue(about)
                await self.services.sealing.deliver(about)


@asynccontextmanager
async def open_stage(
    directory: Path,
    *,
    passed: Callable[[str], None] = lambda _name: None,
    taken: Sequence[Segment] = (),
    jobs: Jobs | None = None,
    witnesses: Callable[[Office], Witnesses] | None = None,
    packs: Mapping[str, RulePack] | None = None,
    untold: Untold | None = None,
    outside: OutsideTime | None = None,
) -> AsyncIterator[Stage]:
    """Open the office in a directory (again)."""
    packs = packs or load_packs()
    clock, eyes = StageClock(), Eyes()
    waiting: list[tuple[str, str]] = []
    async with AsyncExitStack() as closing:
        office = open_office(directory / "office", PROFILE, Secret(SECRET), clock=clock)
        office.trust_outside(outside.roots if outside else ())
        database = Database(directory / "farseal.db")
        await database.open()
        closing.push_async_callback(database.close)
        vault = Vault(directory / "vault.db", secret=SECRET, random=secrets.token_bytes)
        closing.callback(vault.close)
        (directory / "ledger").mkdir(exist_ok=True)
        (directory / "recordings").mkdir(exist_ok=True)

        async def timestamp(data: bytes) -> bytes:
            return office.timestamp(sha256(data).digest())

        log = await Log.open(
            SqliteStore(directory / "ledger" / "ledger.db"),
            keys=office.log_keys,
            guard=directory / "ledger" / "guard.json",
            clock=lambda: time.time_ns() // 1_000_000,
            timestamp=outside.timestamp if outside else timestamp,
            read_token=lambda token, note: read_stamp(token, note, roots=office.tsa_roots),
            witnesses=witnesses(office) if witnesses else None,
        )
        closing.push_async_callback(log.close)
        facts = OfficeFacts(
            id="yuanshan",
            name_zh=PROFILE.name_zh,
            name_en=PROFILE.name_en,
            public_url=PROFILE.public_url,
            origin=PROFILE.origin,
            demo=True,
        )
        journal = Journal(Outbox(database), log, clock=clock)

        async def remember(kind: str, about: str) -> None:
            waiting.append((kind, about))

        async def confirm_totp(staff: str, code: str) -> None:
            if code != "000000":
                raise DomainError("totp-wrong")

        async def recover_takes(sid: str, cipher: Cipher) -> Sequence[Segment]:
            return [each for each in taken if each.session_id == sid]

        services = assemble(
            files=open_files(database, vault, facts, packs=packs),
            vault=vault,
            objects=Objects(directory / "objects"),
            journal=journal,
            ledger=log,
            office=office,
            facts=facts,
            clock=clock,
            random=secrets.token_bytes,
            drawing=Drawing(
                document=render_document,
                certificate=render_certificate,
                pages=page_images,
                missing_glyphs=missing_glyphs,
                seal_svg=lambda: office_seal_svg(PROFILE.name_zh, font=serif()),
                notary_svg=lambda _id, _name: strokes_svg(Strokes.parse(HAND)),
            ),
            analysis=eyes.analysis(),
            spell=opening_words,
            fingerprint=fingerprint_words,
            presence=lambda _sid: {},
            confirm_totp=confirm_totp,
            start=jobs.start if jobs else remember,
            recover_takes=recover_takes,
            takes=TakeFiles(directory / "recordings"),
            packs={key: replace(pack, grace_ms=GRACE_MS) for key, pack in packs.items()},
            untold=untold,
            stamped=outside.over if outside else None,
            passed=passed,
        )
        if jobs is not None:
            closing.callback(jobs.close)
        yield Stage(directory, services, journal, log, office, database, clock, eyes, waiting)


HAND = {
    "width": 2.5,
    "height": 1.0,
    "strokes": [[[0.3, 0.2, 0, 0.5], [0.8, 0.6, 40, 0.6], [1.4, 0.3, 90, 0.5]]],
}
