"""A rule pack: one matter as data. Read once at start, frozen, handed to every command."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

Words = Mapping[str, str]  # language tag -> text
By = Literal["machine", "notary", "decision", "applicant", "service", "record"]
BUILT_IN = Path(__file__).parent / "rules"
LANGUAGES = ("zh-CN", "en")


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a field or a finder question; `outcome` names a matter or "in-person"."""

    value: str
    label: Words
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form; `label` speaks to the applicant, `desk_label` to the office."""

    key: str
    kind: str
    section: str
    required: bool
    label: Words
    desk_label: Words
    help: Words
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class PaperRule:
    """A kind of paper the matter asks for."""

    kind: str
    required: bool
    label: Words
    help: Words


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """A consent with its text and what a refusal means."""

    id: str
    required: bool
    title: Words
    text: Words
    refusal: Words

    def text_sha256(self, language: str) -> str:
        """Digest of the text as shown; a consent names it, so the words agreed to are known."""
        return hashlib.sha256(self.text[language].encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Question:
    """A finder or interview question."""

    key: str
    text: Words
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Requirement:
    """Evidence a step needs; `document` limits it to one kind of identity document."""

    key: str
    by: By
    title: Words
    document: str | None = None


@dataclass(frozen=True, slots=True)
class StepRule:
    """One of the nine steps."""

    number: int
    key: str
    title: Words
    instruction: Words
    evidence: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """What the approver must find true, from which steps and evidence."""

    key: str
    steps: tuple[str, ...]
    evidence: tuple[str, ...]
    title: Words
    basis: Words


@dataclass(frozen=True, slots=True)
class RulePack:
    """One matter. Durations in ms, fee in yuan; `sha256` is the digest of its file.

    `evidence_years`: how long the evidence of an issued certificate is kept at least, if the pack
    says so. `sm3_commitments`: whether its entries commit by SM3 beside SHA-256.
    """

    id: str
    version: int
    sha256: str
    title: Words
    summary: Words
    fee_yuan: int
    minutes: int
    number_class: str
    working_days: int
    grace_ms: int
    remote_allowed: bool
    not_for: tuple[Words, ...]
    instead: Words
    finder: tuple[Question, ...]
    fields: tuple[Field, ...]
    papers: tuple[PaperRule, ...]
    consents: tuple[ConsentRule, ...]
    explanation: Words
    questions: tuple[Question, ...]
    steps: tuple[StepRule, ...]
    claims: tuple[ClaimRule, ...]
    number_format: str
    means: Words
    document_title: Words
    matter_line: Words
    evidence_years: int | None
    sm3_commitments: bool

    def field(self, key: str) -> Field | None:
        """The field of that key, if there is one."""
        return next((field for field in self.fields if field.key == key), None)

    def consent(self, consent_id: str) -> ConsentRule | None:
        """The consent of that id, if there is one."""
        return next((rule for rule in self.consents if rule.id == consent_id), None)

    def step(self, number: int) -> StepRule:
        """The step of that number, 1..9."""
        return self.steps[number - 1]

    def explanation_sha256(self, language: str) -> str:
        """Digest of the explanation as shown."""
        return hashlib.sha256(self.explanation[language].encode()).hexdigest()


def load_pack(path: Path) -> RulePack:
    """Read one rule pack; `ValueError` says which part of the file is not right."""
    raw = path.read_bytes()
    data = tomllib.loads(raw.decode("utf-8"))
    try:
        pack = _pack(data, hashlib.sha256(raw).hexdigest())
    except KeyError as missing:
        raise ValueError(f"{path.name}: {missing} is missing") from None
    if len(pack.steps) != 9:
        raise ValueError(f"{path.name}: a session has nine steps")
    return pack


def load_packs(directory: Path = BUILT_IN) -> Mapping[str, RulePack]:
    """All rule packs of a directory by matter id."""
    packs = [
        load_pack(path)
        for path in sorted(directory.glob("*.toml"))
        if path.stem not in ("calendar", "words")
    ]
    return MappingProxyType({pack.id: pack for pack in packs})


def _words(value: Any) -> Words:
    for language in LANGUAGES:
        if not isinstance(value[language], str):
            raise ValueError(f"{value!r}: not words")
    return MappingProxyType({language: value[language].strip() for language in LANGUAGES})


def _options(values: Any) -> tuple[Option, ...]:
    return tuple(
        Option(value=each["value"], label=_words(each["label"]), outcome=each.get("outcome"))
        for each in values
    )


def _pack(data: dict[str, Any], sha256: str) -> RulePack:
    remote, certificate = data["remote"], data["certificate"]
    return RulePack(
        id=data["id"],
        version=data["version"],
        sha256=sha256,
        title=_words(data["title"]),
        summary=_words(data["summary"]),
        fee_yuan=data["fee_yuan"],
        minutes=data["minutes"],
        number_class=data["number_class"],
        working_days=data["working_days"],
        grace_ms=data["grace_ms"],
        remote_allowed=remote["allowed"],
        not_for=tuple(_words(each) for each in remote["not_for"]),
        instead=_words(remote["instead"]),
        finder=tuple(
            Question(each["key"], _words(each["question"]), _options(each["options"]))
            for each in data["finder"]
        ),
        fields=tuple(_field(each) for each in data["fields"]),
        papers=tuple(
            PaperRule(each["kind"], each["required"], _words(each["label"]), _words(each["help"]))
            for each in data["papers"]
        ),
        consents=tuple(
            ConsentRule(
                id=each["id"],
                required=each["required"],
                title=_words(each["title"]),
                text=_words(each["text"]),
                refusal=_words(each["refusal"]),
            )
            for each in data["consents"]
        ),
        explanation=_words(data["explanation"]),
        questions=tuple(Question(each["key"], _words(each["text"])) for each in data["questions"]),
        steps=tuple(_step(place, each) for place, each in enumerate(data["steps"], start=1)),
        claims=tuple(
            ClaimRule(
                key=each["key"],
                steps=tuple(each["steps"]),
                evidence=tuple(each["evidence"]),
                title=_words(each["title"]),
                basis=_words(each["basis"]),
            )
            for each in data["claims"]
        ),
        number_format=certificate["number_format"],
        means=_words(certificate["means"]),
        document_title=_words(certificate["document_title"]),
        matter_line=_words(certificate["matter_line"]),
        evidence_years=data.get("retention", {}).get("evidence_years"),
        sm3_commitments=data.get("ledger", {}).get("sm3_commitments", False),
    )


def _field(each: dict[str, Any]) -> Field:
    return Field(
        key=each["key"],
        kind=each["kind"],
        section=each["section"],
        required=each["required"],
        label=_words(each["label"]),
        desk_label=_words(each.get("desk_label", each["label"])),
        help=_words(each["help"]),
        options=_options(each.get("options", ())),
    )


def _step(number: int, each: dict[str, Any]) -> StepRule:
    return StepRule(
        number=number,
        key=each["key"],
        title=_words(each["title"]),
        instruction=_words(each["instruction"]),
        evidence=tuple(
            Requirement(rule["key"], rule["by"], _words(rule["title"]), rule.get("document"))
            for rule in each["evidence"]
        ),
    )
