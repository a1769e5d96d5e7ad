"""The certificate 公证书: draft facts, authorisations over them, number, and the intent's digest.

The notary and the approver authorise the *draft facts* and the *session manifest* (`over`); number
and date come after, so the intent (facts of the certificate) carries both authorisations and binds
them to the number before anything is signed (DESIGN.md "Intent before act").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from server.domain.canonical import digest


@dataclass(frozen=True, slots=True)
class Draft:
    """What the certificate will say, before it has a number."""

    facts: Mapping[str, object]
    facts_sha256: str
    session_manifest_sha256: str
    at: int


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Somebody of the office authorised exactly `over`; `kind` leaves room for passkeys.

    For a passkey `proof` will hold the assertion; for a one-time code there is nothing to keep.
    """

    v: int
    kind: Literal["totp", "webauthn"]
    role: Literal["notary", "approver"]
    staff: str
    at: int
    over: str
    proof: str = ""

    def record(self) -> dict[str, object]:
        """The record as it stands in the intent."""
        return {
            "v": self.v,
            "kind": self.kind,
            "role": self.role,
            "staff": self.staff,
            "at": self.at,
            "over": self.over,
            "proof": self.proof,
        }


@dataclass(frozen=True, slots=True)
class CertificateNumber:
    """A number of the office's register: gapless per office, year and class."""

    office: str
    year: int
    number_class: str
    serial: int
    text: str


@dataclass(frozen=True, slots=True)
class CertificateRef:
    """The certificate of a case: reserved with its intent, then issued."""

    number: str
    status_index: int
    date: str
    code: str
    verify_url: str
    intent: str
    intent_event: str
    pdf_sha256: str | None = None
    issued_at: int | None = None


def format_number(pattern: str, *, year: int, number_class: str, serial: int) -> str:
    """The number as printed, for example （2026）示远山证字第12号."""
    return pattern.format(**{"year": year, "class": number_class, "serial": serial})


def authorised_digest(facts: Mapping[str, object], session_manifest_sha256: str) -> str:
    """What an authorisation is given over."""
    return digest({"draft": dict(facts), "session_manifest_sha256": session_manifest_sha256})


def intent_facts(
    draft: Draft,
    *,
    number: CertificateNumber,
    status_index: int,
    date: str,
    code: str,
    authorisations: tuple[Authorisation, ...],
) -> dict[str, object]:
    """The canonical facts of the certificate: what `act-intended` commits to."""
    return {
        "v": 1,
        "number": number.text,
        "year": number.year,
        "class": number.number_class,
        "serial": number.serial,
        "status_index": status_index,
        "date": date,
        "code": code,
        "draft": dict(draft.facts),
        "draft_sha256": draft.facts_sha256,
        "session_manifest_sha256": draft.session_manifest_sha256,
        "authorisations": [each.record() for each in authorisations],
    }


def intent_digest(facts: Mapping[str, object]) -> str:
    """The digest of an intent: it names the durable job and the one stored PDF."""
    return digest(dict(facts))
