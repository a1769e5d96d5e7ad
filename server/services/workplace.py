"""What every service works with: files, objects, keys, rules, clock, randomness."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.calendar import Calendar
from server.domain.case import Case
from server.domain.errors import DomainError
from server.domain.events import Act
from server.domain.handling import require_handler, require_reader
from server.domain.participant import Applicant, Staff
from server.domain.rules import RulePack
from server.domain.session import LIVE, Session
from server.domain.words import Glossary
from server.storage import models
from server.storage.cases import CaseFiles
from server.storage.findings import Findings
from server.storage.objects import Objects, Stored
from server.storage.outbox import Outbox
from server.storage.recordings import Recordings
from server.storage.registers import Registers
from server.storage.vault import Vault
from signing.register import register_of

Person = Applicant | Staff


@dataclass(frozen=True, slots=True)
class Content:
    """A file for somebody."""

    content: bytes
    media_type: str
    name: str


@dataclass(frozen=True, slots=True)
class OfficeFacts:
    """The office as views and certificates name it. `register` is the chain of its register."""

    id: str
    name_zh: str
    name_en: str
    public_url: str
    origin: str
    demo: bool

    @property
    def register(self) -> str:
        """The id of the public register's chain; it follows from the origin, so anyone finds it."""
        return register_of(self.origin)

    def name(self, language: str) -> str:
        """The office's name in a language."""
        return self.name_zh if language == "zh-CN" else self.name_en


@dataclass(frozen=True, slots=True)
class Workplace:
    """Shared by all services; owns nothing."""

    files: CaseFiles
    objects: Objects
    vault: Vault
    outbox: Outbox
    recordings: Recordings
    findings: Findings
    registers: Registers
    packs: Mapping[str, RulePack]
    calendar: Calendar
    words: Glossary
    office: OfficeFacts
    clock: Callable[[], int]
    random: Callable[[int], bytes]
    seals_wait_for: Callable[[], str | None]
    """What seals wait for now: "witnesses", "timestamp" (both outside), "space" (here) or None."""

    def new_id(self) -> str:
        """A random id of 128 bits, lowercase hex."""
        return self.random(16).hex()

    def act(self, actor: str, *, at: int | None = None) -> Act:
        """Somebody acts now. The event's id begins with the time (48 bits of ms, as in UUIDv7), for
        the ledger files events in the order of their ids (docs/decisions/0010); 80 bits are random.
        """
        at = self.clock() if at is None else at
        return Act(actor, at, f"{at:012x}{self.random(10).hex()}")

    def pack(self, matter: str) -> RulePack:
        """The rule pack of a matter; refuses `matter-unknown`."""
        try:
            return self.packs[matter]
        except KeyError:
            raise DomainError("matter-unknown", matter=matter) from None

    async def own_case(self, person: Person, case_id: str) -> Case:
        """A case this person may see; for anybody else it does not exist (`case-unknown`).

        Refuses `case-erased` once its evidence was destroyed.
        """
        case = await self.own_case_or_husk(person, case_id)
        if case.erased_at is not None:
            raise DomainError("case-erased")
        return case

    async def own_case_or_husk(self, person: Person, case_id: str) -> Case:
        """The same, and what is left of it once its evidence was destroyed."""
        case = await self.files.case_or_husk(case_id)
        require_own(case, person)
        return case

    async def own_session(self, person: Person, session_id: str) -> tuple[Case, Session]:
        """A session this person may see, with its case: the two in it, its handler, an approver.

        Refuses `session-unknown`, `session-has-notary` (it is live), `not-handler` (it is over),
        `role-not-allowed`.
        """
        case, session = await self.files.both(session_id)
        if isinstance(person, Applicant):
            if case.applicant != person.id:
                raise DomainError("session-unknown")
        elif person.role == "assistant":
            raise DomainError("role-not-allowed", role=person.role)
        elif person.role == "notary" and person.id != session.notary.id:
            if session.state in LIVE:
                raise DomainError("session-has-notary", notary=session.notary.name_zh)
            require_handler(case, person)
        return case, session

    async def look(self, person: Person, case: Case, *, what: str) -> None:
        """Let in whoever has a case they may see; a look by the office is logged.

        Refuses `not-handler`, `role-not-allowed`.
        """
        if isinstance(person, Staff):
            require_reader(case, person)
            await self.log_access(person, case.id, what=what)

    async def log_access(self, staff: Staff, case_id: str, *, what: str) -> None:
        """Write down that a person of the office looked at something of a case."""
        async with self.files.database.write() as connection:
            await connection.execute(
                insert(models.access).values(
                    at=self.clock(), who=staff.id, case_id=case_id, what=what
                )
            )

    async def put(
        self, case_id: str, content: bytes, *, label: str, within: AsyncConnection | None = None
    ) -> Stored:
        """Store bytes under the case's evidence key, durable on return.

        `within`: the connection of the transaction this happens in, if in one.
        """
        cipher = self.vault.cipher(case_id)
        stored = await self.objects.put(content, place=case_id, cipher=cipher, label=label)
        await self.files.note(case_id, content, within=within)
        return stored

    async def get(self, case_id: str, name: str, *, label: str) -> bytes:
        """Bytes stored under the case's evidence key."""
        cipher = self.vault.cipher(case_id)
        return await self.objects.get(name, place=case_id, cipher=cipher, label=label)


def require_own(case: Case, person: Person) -> None:
    """Refuse with `case-unknown` unless the case is the applicant's own, or the person is staff."""
    if isinstance(person, Applicant) and case.applicant != person.id:
        raise DomainError("case-unknown")
