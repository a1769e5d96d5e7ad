"""Identity in a session: pictures, readings, comparison, registry, hints, the decision.

The analysis is reached by callables and never decides: what it cannot do is "unavailable", and the
notary then gives a reason. Every picture is stored, encrypted, before the event that names it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from server.domain import steps
from server.domain.application import consented
from server.domain.errors import DomainError
from server.domain.participant import Applicant, Staff
from server.domain.session import LIVE, happened, mark, needed_now
from server.services.conduct import Conduct
from server.services.session_view import Say
from server.services.workplace import Content
from server.storage.cases import Change
from server.storage.findings import FindingRow

Json = dict[str, Any]
_SIDES = {"front": "document_front", "back": "document_back", "main": "document_main"}
_CAPTURES = {"document-front": "front", "document-back": "back", "document-main": "main"}


class Finding(Protocol):
    """`server.identity.findings.Finding` as this room sees it."""

    @property
    def kind(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def text_key(self) -> str: ...
    @property
    def at(self) -> int: ...
    @property
    def score(self) -> float | None: ...
    @property
    def threshold(self) -> float | None: ...
    @property
    def detail(self) -> Mapping[str, Any]: ...
    @property
    def evidence(self) -> Mapping[str, bytes]: ...


class Reading(Protocol):
    """`server.identity.findings.DocumentReading` as this room sees it."""

    @property
    def kind(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...
    @property
    def portrait(self) -> bytes | None: ...
    @property
    def crop(self) -> bytes | None: ...
    @property
    def findings(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of somebody's video: the picture to look at, the encoded key frame as evidence."""

    at: int
    picture: bytes
    frame: bytes


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the identity and media rooms can do for a session.

    `read_document(picture, side, at)` and `compare(portrait, frames, at)`: `at` is when the picture
    was taken, ms UTC, and what the findings say. `snapshot(session id, role)`: `None` when no key
    frame is at hand. `ask_registry(query id, name, number, portrait)`: plain values of the answer,
    `None` when there is none. `say(text key, detail, language)`: a finding's sentence.
    """

    read_document: Callable[[bytes, str, int], Awaitable[Reading]]
    compare: Callable[[bytes, Sequence[bytes], int], Awaitable[Finding]]
    snapshot: Callable[[str, str], Awaitable[Snapshot | None]]
    ask_registry: Callable[[str, str, str, bytes], Awaitable[Mapping[str, Any] | None]]
    say: Say


class IdentityDesk:
    """What the notary's identity tab shows and does."""

    def __init__(self, conduct: Conduct, analysis: Analysis) -> None:
        self._conduct = conduct
        self._workplace = conduct.workplace
        self._analysis = analysis

    async def document(
        self, applicant: Applicant, sid: str, *, side: str, image: bytes, language: str
    ) -> Json:
        """A side of the document uploaded by the applicant (front, back, main)."""
        sent = Snapshot(at=self._workplace.clock(), picture=image, frame=image)
        await self._read(applicant, sid, side=side, taken=sent)
        return await self._conduct.view(applicant, sid, language=language)

    async def capture(self, staff: Staff, sid: str, *, what: str, language: str) -> Json:
        """Take a picture from the applicant's video and look at it."""
        await self._conduct.role(staff, sid)
        snapshot = await self._analysis.snapshot(sid, "applicant")
        if snapshot is None:
            raise DomainError("picture-unavailable")
        if what == "face":
            await self._compare(staff, sid, snapshot)
        elif what in _CAPTURES:
            await self._read(staff, sid, side=_CAPTURES[what], taken=snapshot)
        else:
            raise DomainError("evidence-unknown", key=what)
        return await self._conduct.view(staff, sid, language=language)

    async def registry(self, staff: Staff, sid: str, *, language: str) -> Json:
        """Ask the population registry; no answer is recorded as unavailable."""
        case, session = await self._workplace.own_session(staff, sid)
        # a face sent away to be compared is what the consent to biometrics is about
        portrait = (await self._portrait(sid) if consented(case, "biometrics") else None) or b""
        query = self._workplace.new_id()
        number = str(case.form.get("document_number") or "")
        answer = await self._analysis.ask_registry(query, session.applicant_name, number, portrait)
        async with self._conduct.change(staff, sid) as change:
            act = self._workplace.act(staff.id)
            told = _plain(answer) if answer else {"answer": "unavailable", "simulated": False}
            shown = {"answer": told.get("verdict", "unavailable"), "at": act.at, **told}
            change.session, events = mark(
                replace(change.held, registry=shown),
                act,
                pack=self._conduct.pack(change),
                key="registry_answer",
                unavailable=answer is None,
                facts={"query": query, "answer": told},
            )
            change.emit(events)
        return await self._conduct.view(staff, sid, language=language)

    async def decide(
        self, staff: Staff, sid: str, *, accepted: bool, reason: str, language: str
    ) -> Json:
        """The notary decides, with a reason."""
        async with self._conduct.change(staff, sid) as change:
            change.session, events = steps.decide_identity(
                change.held,
                self._workplace.act(staff.id),
                pack=self._conduct.pack(change),
                accepted=accepted,
                reason=reason,
            )
            change.emit(events)
        return await self._conduct.view(staff, sid, language=language)

    async def finding(self, sid: str, finding: Finding) -> None:
        """A watcher's hint, with its pictures."""
        session = await self._workplace.files.session(sid)
        pictures = await self._keep(session.case_id, finding.evidence)
        async with self._workplace.files.change(session_id=sid) as change:
            if change.held.state not in LIVE:
                raise DomainError("session-state", state=change.held.state.value)
            await self._add_hint(change, finding, pictures)

    async def picture(self, staff: Staff, sid: str, picture_id: str) -> Content:
        """A picture of the identity panel, for those who may see the recording; it is logged."""
        case = await self._conduct.look_into(staff, sid, what=f"picture {picture_id}")
        row = await self._workplace.findings.picture(sid, picture_id)
        content = await self._workplace.get(
            case.id, row.body["object"], label=f"picture/{picture_id}"
        )
        return Content(content, _media_type(content), picture_id)

    # -- inside ----------------------------------------------------------------------------------

    async def _read(
        self, person: Applicant | Staff, sid: str, *, side: str, taken: Snapshot
    ) -> None:
        if side not in _SIDES:
            raise DomainError("evidence-unknown", key=side)
        case, session = await self._workplace.own_session(person, sid)
        key = _SIDES[side]
        pack = self._workplace.pack(case.matter)
        if key not in {each.key for each in needed_now(session, pack)}:
            raise DomainError("step-not-current", key=key, step=session.step)
        reading = await self._analysis.read_document(
            taken.picture, "passport" if side == "main" else side, taken.at
        )
        found = {"picture": taken.picture}
        found |= {"crop": reading.crop} if reading.crop else {}
        found |= {"portrait": reading.portrait} if reading.portrait else {}
        kept = await self._keep(case.id, found)
        kept_frame = await self._workplace.put(case.id, taken.frame, label=f"frame/{sid}/{key}")
        hints = [(each, await self._keep(case.id, each.evidence)) for each in reading.findings]
        unavailable = not reading.fields or reading.kind == "unknown"
        fields = {name: _field(field) for name, field in reading.fields.items()}
        async with self._conduct.change(person, sid) as change:
            act = self._workplace.act(person.id)
            body = {
                "side": side,
                "kind": reading.kind,
                "fields": fields,
                "unavailable": unavailable,
                "crop": kept.get("crop", kept["picture"]).id,
                "portrait": kept["portrait"].id if "portrait" in kept else None,
            }
            await self._add(change, "reading", body, at=taken.at)
            await self._add_pictures(change, kept.values())
            items = {"frame": kept_frame.sha256}
            items |= {name: each.body["sha256"] for name, each in kept.items()}
            change.session, events = mark(
                change.held,
                act,
                pack=pack,
                key=key,
                unavailable=unavailable,
                facts={"kind": reading.kind, "fields": fields, "taken_at": taken.at},
                items=items,
            )
            change.emit(events)
            for finding, pictures in hints:
                await self._add_hint(change, finding, pictures)

    async def _compare(self, staff: Staff, sid: str, snapshot: Snapshot) -> None:
        case, session = await self._workplace.own_session(staff, sid)
        pack = self._workplace.pack(case.matter)
        if "face_comparison" not in {each.key for each in needed_now(session, pack)}:
            raise DomainError("step-not-current", key="face_comparison", step=session.step)
        portrait = await self._portrait(sid)
        finding = None
        if portrait is not None and consented(case, "biometrics"):
            finding = await self._analysis.compare(portrait, [snapshot.picture], snapshot.at)
        kept = await self._keep(case.id, {"face": snapshot.picture})
        evidence = await self._keep(case.id, finding.evidence) if finding else {}
        frame = await self._workplace.put(case.id, snapshot.frame, label=f"frame/{sid}/face")
        unavailable = finding is None or finding.level == "unavailable"
        async with self._conduct.change(staff, sid) as change:
            act = self._workplace.act(staff.id)
            score = None if finding is None or finding.score is None else finding.score
            band = finding.detail.get("band") if finding else None
            body = {
                "score": score,
                "band": band,
                "unavailable": unavailable,
                "picture": kept["face"].id,
            }
            await self._add(change, "comparison", body, at=snapshot.at)
            await self._add_pictures(change, [*kept.values(), *evidence.values()])
            change.session, events = mark(
                change.held,
                act,
                pack=pack,
                key="face_comparison",
                unavailable=unavailable,
                facts={"score": _number(score), "band": band, "taken_at": snapshot.at},
                items={"frame": frame.sha256, "face": kept["face"].body["sha256"]},
            )
            change.emit(events)

    async def _portrait(self, sid: str) -> bytes | None:
        """The newest portrait read off a document in this session."""
        rows = await self._workplace.findings.of_session(sid)
        found = [r.body["portrait"] for r in rows if r.sort == "reading" and r.body["portrait"]]
        if not found:
            return None
        row = await self._workplace.findings.picture(sid, found[-1])
        return await self._workplace.get(row.case_id, row.body["object"], label=f"picture/{row.id}")

    async def _keep(self, case_id: str, pictures: Mapping[str, bytes]) -> dict[str, FindingRow]:
        """Store pictures; the rows that will name them are written with their event."""
        kept = {}
        for name, content in pictures.items():
            picture_id = self._workplace.new_id()
            stored = await self._workplace.put(case_id, content, label=f"picture/{picture_id}")
            body = {"object": stored.name, "sha256": stored.sha256, "name": name}
            kept[name] = FindingRow(
                picture_id, "", case_id, "picture", self._workplace.clock(), body
            )
        return kept

    async def _add_pictures(self, change: Change, rows: Any) -> None:
        for row in rows:
            await self._workplace.findings.add(
                change.connection, replace(row, session_id=change.held.id)
            )

    async def _add(self, change: Change, sort: str, body: Json, *, at: int) -> FindingRow:
        row = FindingRow(self._workplace.new_id(), change.held.id, change.case.id, sort, at, body)
        await self._workplace.findings.add(change.connection, row)
        return row

    async def _add_hint(
        self, change: Change, finding: Finding, pictures: Mapping[str, FindingRow]
    ) -> None:
        first = next(iter(pictures.values()), None)
        body = {
            "kind": finding.kind,
            "level": finding.level,
            "text_key": finding.text_key,
            "detail": dict(finding.detail),
            "score": finding.score,
            "threshold": finding.threshold,
            "picture": first.id if first else None,
        }
        await self._add(change, "hint", body, at=finding.at)
        await self._add_pictures(change, pictures.values())
        facts = {
            "kind": finding.kind,
            "level": finding.level,
            "text_key": finding.text_key,
            "score": _number(finding.score),
            "threshold": _number(finding.threshold),
            "detail": {key: str(value) for key, value in finding.detail.items()},
        }
        items = {name: row.body["sha256"] for name, row in pictures.items()}
        act = self._workplace.act("analysis")
        change.emit(happened(change.held, act, "finding", facts=facts, items=items))


def _field(field: Any) -> Json:
    return {"value": field.value, "check": field.check, "note": field.note}


def _number(value: float | None) -> str | None:
    """A measure as text: floats have no canonical form."""
    return None if value is None else f"{value:.4f}"


def _plain(answer: Mapping[str, Any]) -> Json:
    return {
        key: f"{value:.4f}" if isinstance(value, float) else value for key, value in answer.items()
    }


def _media_type(content: bytes) -> str:
    return "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"
