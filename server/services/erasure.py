"""Erasure 销毁: a case's evidence key is destroyed, and with it what the key encrypted and salted.

    decided (guards checked, written down) -> key destroyed -> objects and takes deleted
    -> rows swept and the `erased` event written, in one transaction
    -> database written anew -> finished

A process that dies between any two steps goes on at the next start: each is harmless to repeat.
The register's key is not touched: certificate, bundle, status and verification go on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from server.domain import retention
from server.domain.calendar import Calendar
from server.domain.case import Case
from server.domain.errors import DomainError
from server.domain.events import Act
from server.domain.rules import RulePack
from server.domain.session import Session
from server.services.sealing import Passed
from server.storage.cases import CaseFiles
from server.storage.erasures import Erasures, Plan
from server.storage.objects import Objects
from server.storage.vault import Vault

OPERATOR = "operator"
"""Who acts from the server's console; the reason given says more."""
_SHORTEST = 8


class TakesOf(Protocol):
    """The take files on disk: `server.takes.TakeFiles` is one."""

    def of_session(self, sid: str) -> Sequence[tuple[str, int]]:
        """(participant, take) of every take file of a session."""
        ...

    async def remove(self, sid: str, participant: str, take: int) -> None:
        """Delete a take file."""
        ...


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did. at: ms UTC of the decision; objects, takes: files deleted now."""

    case_id: str
    at: int
    objects: int
    takes: int


class Erasure:
    """Holds, and destroys; only while no server serves the data, or before its doors open."""

    def __init__(
        self,
        files: CaseFiles,
        vault: Vault,
        objects: Objects,
        takes: TakesOf,
        *,
        packs: Mapping[str, RulePack],
        calendar: Calendar,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        passed: Passed = lambda _name: None,
    ) -> None:
        self._files = files
        self._vault = vault
        self._objects = objects
        self._takes = takes
        self._packs = packs
        self._calendar = calendar
        self._clock = clock
        self._random = random
        self._passed = passed
        self._erasures = Erasures(files.database, vault)

    async def find(self, given: str) -> Case:
        """The case of an id, or of its beginning (8 digits or more); refuses `case-unknown`."""
        found = [each for each in await self._files.cases() if each.id.startswith(given)]
        if len(found) != 1 or len(given) < _SHORTEST:
            raise DomainError("case-unknown")
        return found[0]

    async def hold(self, case_id: str, *, reason: str) -> None:
        """Set a legal hold."""
        async with self._files.change(case_id) as change:
            change.case, events = retention.hold(change.case, self._act(), reason=reason)
            change.emit(events)

    async def lift(self, case_id: str, *, reason: str) -> None:
        """Lift the legal hold."""
        async with self._files.change(case_id) as change:
            change.case, events = retention.lift(change.case, self._act(), reason=reason)
            change.emit(events)

    async def require_erasable(self, case_id: str, *, before_term: str | None) -> None:
        """Refuse what `erase` would refuse, and change nothing."""
        case = await self._files.case(case_id)
        sessions = await self._files.sessions_of(case_id)
        self._require(case, sessions, before_term=before_term)

    async def erase(self, case_id: str, *, reason: str, before_term: str | None = None) -> Erased:
        """Destroy the evidence of a case; of one that is erased, finish what is left to do."""
        words = retention.stated(reason)
        early = retention.stated(before_term) if before_term is not None else None
        plan = await self._erasures.of(case_id)
        if plan is None:
            plan = await self._decide(case_id, reason=words, before_term=early)
        self._passed("erasure-decided")
        return await self._carry_out(plan)

    async def resume(self) -> tuple[Erased, ...]:
        """Finish what a former process had decided."""
        return tuple([await self._carry_out(plan) for plan in await self._erasures.unfinished()])

    async def _decide(self, case_id: str, *, reason: str, before_term: str | None) -> Plan:
        await self._files.case(case_id)
        sessions = await self._files.sessions_of(case_id)
        async with self._files.change(case_id) as change:
            self._require(change.case, sessions, before_term=before_term)
            act = self._act()
            plan = Plan(
                case_id=case_id,
                event=act.event,
                at=act.at,
                reason=reason,
                before_term=before_term,
                sessions=tuple(session.id for session in sessions),
            )
            husk = retention.husk(change.case, at=act.at)
            await self._erasures.decide(change.connection, plan, husk=husk)
        return plan

    async def _carry_out(self, plan: Plan) -> Erased:
        self._vault.destroy(plan.case_id, at=plan.at)
        self._passed("key-destroyed")
        removed = await self._objects.remove_all(plan.case_id)
        takes = [(sid, *each) for sid in plan.sessions for each in self._takes.of_session(sid)]
        for sid, participant, take in takes:
            await self._takes.remove(sid, participant, take)
        self._passed("objects-deleted")
        if await self._erasures.told(plan):
            async with self._files.database.write() as connection:
                await self._erasures.sweep(connection, plan)
        else:
            act = Act(OPERATOR, plan.at, plan.event)
            event = retention.erased(
                plan.case_id, act, reason=plan.reason, before_term=plan.before_term
            )
            async with self._files.telling(event) as connection:
                await self._erasures.sweep(connection, plan)
        self._passed("erasure-told")
        await self._files.database.scour()
        self._passed("file-written-anew")
        await self._erasures.finish(plan, at=self._clock())
        return Erased(plan.case_id, plan.at, removed, len(takes))

    def _require(self, case: Case, sessions: Sequence[Session], *, before_term: str | None) -> None:
        retention.require_erasable(
            case,
            sessions,
            pack=self._packs[case.matter],
            calendar=self._calendar,
            at=self._clock(),
            before_term=before_term,
        )

    def _act(self) -> Act:
        return Act(OPERATOR, self._clock(), self._random(16).hex())
