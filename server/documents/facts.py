"""The facts of a document and of a certificate: what a template needs, checked before it is drawn.

Facts come as plain mappings (from an intent, from storage) with labels already in the language of
the document. Values are data: they reach typst as JSON and never as markup.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

from server.documents.dates import written_date
from server.documents.errors import FactsError

Language = Literal["zh-CN", "en"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody named in a document. Optional facts are "" when unknown."""

    name: str
    id_kind: str
    id_number: str
    address: str = ""
    sex: str = ""
    born: str = ""
    relation: str = ""

    @classmethod
    def parse(cls, facts: Mapping[str, Any], where: str, language: Language) -> "Person":
        born = facts.get("born")
        return cls(
            name=_text(facts, "name", where),
            id_kind=_text(facts, "id_kind", where, default=_ID_KIND[language]),
            id_number=_text(facts, "id_number", where),
            address=_text(facts, "address", where, default=""),
            sex=_text(facts, "sex", where, default=""),
            born=_day(facts, "born", where, language) if born else "",
            relation=_text(facts, "relation", where, default=""),
        )


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """The facts of a power of attorney 委托书; dates as the language writes them."""

    principal: Person
    attorney: Person
    matter: str
    subject: str
    powers: tuple[str, ...]
    sub_delegation: bool
    term_until: str
    place: str
    signed_on: str
    reference: str

    @classmethod
    def parse(cls, facts: Mapping[str, Any], *, language: Language) -> "DocumentFacts":
        """Read {principal, attorney, matter, subject, powers, sub_delegation, term_until, place,
        signed_on, reference}; `place`, `subject` and `reference` may be left out. Dates are ISO.

        Raises FactsError naming the first fact that is absent or of the wrong kind.
        """
        delegation = facts.get("sub_delegation")
        if not isinstance(delegation, bool):
            raise FactsError("sub_delegation", "must be true or false")
        powers = facts.get("powers")
        if not isinstance(powers, Sequence) or isinstance(powers, str) or not powers:
            raise FactsError("powers", "must be a list of sentences")
        return cls(
            principal=Person.parse(_mapping(facts, "principal"), "principal.", language),
            attorney=Person.parse(_mapping(facts, "attorney"), "attorney.", language),
            matter=_text(facts, "matter", ""),
            subject=_text(facts, "subject", "", default=""),
            powers=tuple(str(power) for power in powers),
            sub_delegation=delegation,
            term_until=_day(facts, "term_until", "", language),
            place=_text(facts, "place", "", default=""),
            signed_on=_day(facts, "signed_on", "", language),
            reference=_text(facts, "reference", "", default=""),
        )


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """The facts of a 公证书: who certifies what, in which words, on which day."""

    number: str
    office: str
    notary: str
    licence: str
    matter: str
    document_title: str
    means: str
    applicant: Person
    signed_on: str
    issued_on: str
    day: date
    document: DocumentFacts

    @classmethod
    def parse(cls, facts: Mapping[str, Any], *, language: Language) -> "CertificateFacts":
        """Read {number, date, office: {name}, notary: {name, licence}, matter, means, signed_on,
        document_title, applicant, document}.

        `document` holds the facts of the signed document; `applicant` is its principal if left out,
        `signed_on` its date; `means` is the clause that says how the applicant appeared.
        """
        document = _mapping(facts, "document")
        applicant = facts.get("applicant") or document.get("principal")
        if not isinstance(applicant, Mapping):
            raise FactsError("applicant", "is missing")
        office, notary = _mapping(facts, "office"), _mapping(facts, "notary")
        dated = facts if "signed_on" in facts else document
        return cls(
            number=_text(facts, "number", ""),
            office=_text(office, "name", "office."),
            notary=_text(notary, "name", "notary."),
            licence=_text(notary, "licence", "notary.", default=""),
            matter=_text(facts, "matter", "", default=_MATTER[language]),
            document_title=_text(facts, "document_title", "", default=_TITLE[language]),
            means=_text(facts, "means", "", default=_MEANS[language]),
            applicant=Person.parse(applicant, "applicant.", language),
            signed_on=_day(dated, "signed_on", "", language),
            issued_on=_day(facts, "date", "", language),
            day=iso_date(facts, "date", ""),
            document=DocumentFacts.parse(document, language=language),
        )


_ID_KIND: dict[Language, str] = {"zh-CN": "居民身份证", "en": "Resident Identity Card"}
_TITLE: dict[Language, str] = {"zh-CN": "委托书", "en": "Power of Attorney"}
_MATTER: dict[Language, str] = {"zh-CN": "委托", "en": "Power of attorney"}
_MEANS: dict[Language, str] = {
    "zh-CN": "通过本处远程视频公证系统，以实时音视频方式",
    "en": "by live audio and video over this office's remote notarization service",
}


def as_data(facts: DocumentFacts | CertificateFacts) -> dict[str, Any]:
    """Turn facts into plain data for a template."""
    data = asdict(facts)
    data.pop("day", None)
    return data


def texts(value: object) -> str:
    """Join every text inside plain data, for the check of glyphs."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "".join(texts(one) for one in value.values())
    if isinstance(value, Sequence):
        return "".join(texts(one) for one in value)
    return ""


def _mapping(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = facts.get(name)
    if not isinstance(value, Mapping):
        raise FactsError(name, "is missing")
    return value


def _text(facts: Mapping[str, Any], name: str, where: str, *, default: str | None = None) -> str:
    value = facts.get(name)
    if value is None or value == "":
        if default is None:
            raise FactsError(where + name, "is missing")
        return default
    if not isinstance(value, str):
        raise FactsError(where + name, "must be text")
    return value


def iso_date(facts: Mapping[str, Any], name: str, where: str = "") -> date:
    """Read an ISO date. Raises FactsError."""
    try:
        return date.fromisoformat(str(facts[name]))
    except (KeyError, ValueError) as failure:
        raise FactsError(where + name, "must be a date such as 2026-11-23") from failure


def _day(facts: Mapping[str, Any], name: str, where: str, language: Language) -> str:
    return written_date(iso_date(facts, name, where), language=language)
