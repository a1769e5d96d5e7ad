"""The certificate of an approved case: facts to pages, pages to a signed PDF."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from server.domain.case import Case
from server.domain.session import Session
from server.services.signatures import Signatures
from server.services.workplace import Workplace
from server.storage.sealed import SealedEntries
from signing import pades
from signing.ca import Office
from signing.seal import strokes_svg

Json = dict[str, Any]


class RenderCertificate(Protocol):
    """`server.documents.volume.render_certificate`."""

    def __call__(
        self,
        facts: Mapping[str, Any],
        *,
        document_pdf: bytes,
        applicant_strokes_svg: str,
        notary_strokes_svg: str,
        seal_svg: str,
        verify_url: str,
        code: str,
        evidence: Mapping[str, Any],
        language: Any,
        specimen: bool,
    ) -> bytes: ...


class Certificates:
    """Renders and signs in a thread. `seal_svg`: the office's seal; `notary_svg(id, name)`: the
    notary's handwriting."""

    def __init__(
        self,
        workplace: Workplace,
        signatures: Signatures,
        sealed: SealedEntries,
        *,
        office: Office,
        render: RenderCertificate,
        seal_svg: Callable[[], str],
        notary_svg: Callable[[str, str], str],
    ) -> None:
        self._workplace = workplace
        self._signatures = signatures
        self._sealed = sealed
        self._office = office
        self._render = render
        self._seal_svg = seal_svg
        self._notary_svg = notary_svg

    async def make(self, case: Case, session: Session, facts: Json) -> bytes:
        """The signed certificate of an intent; it cites the session's seal and act-intended."""
        reference = case.certificate
        assert reference is not None  # the case is approved
        assert session.seal_event is not None  # and its session sealed
        draft = facts["draft"]
        document = await self._signatures.signed(session, "document")
        strokes = await self._signatures.strokes(session)
        evidence = {
            "v": 1,
            "number": facts["number"],
            "intent": reference.intent,
            "origin": self._workplace.office.origin,
            "act_intended": await self._cited(reference.intent_event),
            "session_seal": await self._cited(session.seal_event),
            "session_manifest_sha256": facts["session_manifest_sha256"],
        }
        drawn = {**draft, "number": facts["number"], "date": facts["date"]}

        def work() -> bytes:
            pdf = self._render(
                drawn,
                document_pdf=document,
                applicant_strokes_svg=strokes_svg(strokes),
                notary_strokes_svg=self._notary_svg(session.notary.id, draft["notary"]["name"]),
                seal_svg=self._seal_svg(),
                verify_url=reference.verify_url,
                code=reference.code,
                evidence=evidence,
                language=draft["language"],
                specimen=self._workplace.office.demo,
            )
            return pades.sign_certificate(
                pdf, self._office, notary_id=session.notary.id, at=self._workplace.clock()
            )

        return await asyncio.to_thread(work)

    async def _cited(self, event: str) -> Json:
        """Where an entry stands in the ledger, with the head of the tree that seals it."""
        proof = await self._sealed.of(event)
        written = await self._workplace.outbox.event(event)
        return {
            "event": event,
            "index": proof["index"] if proof else None,
            "leaf_hash": written.leaf_hash if written else None,
            "tree_size": proof["tree_size"] if proof else None,
        }
