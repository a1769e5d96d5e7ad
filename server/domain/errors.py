"""Refusals of the domain: one class, one table of codes.

    DomainError(code, *, field=None, **params)

A code is what clients and catalogues of sentences know; `CODES` says what sort of refusal it is.
The words a person reads live in `server/http/messages.py`, one set per code and language.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Sort(Enum):
    """What sort of refusal a code is; the HTTP border maps it to a status."""

    UNKNOWN = "unknown"  # no such thing, or not yours to know of
    FORBIDDEN = "forbidden"  # you may not
    CONFLICT = "conflict"  # not now, not in this state
    INVALID = "invalid"  # what you sent cannot stand
    GONE = "gone"  # it was there once
    BUSY = "busy"  # not now; the same again later


CODES: Mapping[str, Sort] = MappingProxyType(
    {
        # the case
        "case-unknown": Sort.UNKNOWN,
        "case-state": Sort.CONFLICT,
        "case-changed": Sort.CONFLICT,
        "matter-unknown": Sort.UNKNOWN,
        "matter-not-remote": Sort.INVALID,
        "form-incomplete": Sort.INVALID,
        "paper-missing": Sort.INVALID,
        "paper-unknown": Sort.UNKNOWN,
        "paper-kind-unknown": Sort.INVALID,
        "consent-unknown": Sort.UNKNOWN,
        "consent-missing": Sort.CONFLICT,
        "consent-text-changed": Sort.CONFLICT,
        "reason-required": Sort.INVALID,
        "conflict-unchecked": Sort.CONFLICT,
        "licence-invalid": Sort.FORBIDDEN,
        "role-not-allowed": Sort.FORBIDDEN,
        "not-handler": Sort.FORBIDDEN,
        "clock-expired": Sort.CONFLICT,
        # fields of the form
        "field-unknown": Sort.UNKNOWN,
        "field-required": Sort.INVALID,
        "field-too-long": Sort.INVALID,
        "field-type": Sort.INVALID,
        "field-choice-unknown": Sort.INVALID,
        "field-date-invalid": Sort.INVALID,
        "field-date-past": Sort.INVALID,
        "field-phone-invalid": Sort.INVALID,
        "id-number-shape": Sort.INVALID,
        "id-number-check-digit": Sort.INVALID,
        "id-number-birth-date": Sort.INVALID,
        "applicant-under-age": Sort.INVALID,
        "passport-number-shape": Sort.INVALID,
        "glyph-missing": Sort.INVALID,
        # booking and invitation
        "slot-unknown": Sort.INVALID,
        "slot-taken": Sort.CONFLICT,
        "invitation-unknown": Sort.UNKNOWN,
        "invitation-expired": Sort.GONE,
        "invitation-other-person": Sort.FORBIDDEN,
        "device-unfit": Sort.INVALID,
        # the session
        "session-unknown": Sort.UNKNOWN,
        "session-state": Sort.CONFLICT,
        "session-has-notary": Sort.CONFLICT,
        "media-busy": Sort.BUSY,
        "session-not-yours": Sort.FORBIDDEN,
        "grace-over": Sort.CONFLICT,
        "step-not-current": Sort.CONFLICT,
        "step-incomplete": Sort.CONFLICT,
        "evidence-unknown": Sort.UNKNOWN,
        "evidence-not-confirmable": Sort.CONFLICT,
        "document-missing": Sort.CONFLICT,
        "document-too-early": Sort.CONFLICT,
        "picture-unavailable": Sort.CONFLICT,
        "picture-unknown": Sort.UNKNOWN,
        "page-unknown": Sort.INVALID,
        "record-line-unknown": Sort.UNKNOWN,
        "record-final": Sort.CONFLICT,
        "record-disputed": Sort.CONFLICT,
        "instruction-unknown": Sort.UNKNOWN,
        # keys and signatures
        "key-missing": Sort.CONFLICT,
        "key-unusable": Sort.INVALID,
        "strokes-missing": Sort.INVALID,
        "signing-unknown": Sort.UNKNOWN,
        "signing-act-unknown": Sort.INVALID,
        "signing-too-early": Sort.CONFLICT,
        "signing-done": Sort.CONFLICT,
        "signature-invalid": Sort.INVALID,
        "clock-behind": Sort.CONFLICT,
        "totp-wrong": Sort.FORBIDDEN,
        # approval and issue
        "draft-changed": Sort.CONFLICT,
        "approver-is-handler": Sort.FORBIDDEN,
        "claim-unknown": Sort.UNKNOWN,
        "claims-open": Sort.CONFLICT,
        "claim-returned": Sort.CONFLICT,
        "events-unanchored": Sort.CONFLICT,
        "session-unsealed": Sort.CONFLICT,
        "certificate-not-ready": Sort.CONFLICT,
        "copy-not-ready": Sort.CONFLICT,
        "code-unknown": Sort.UNKNOWN,
        "stars-invalid": Sort.INVALID,
        "recording-unknown": Sort.UNKNOWN,
        "object-damaged": Sort.CONFLICT,
        # retention and erasure
        "case-erased": Sort.GONE,
        "hold-unknown": Sort.CONFLICT,
        "erase-session-live": Sort.CONFLICT,
        "erase-unsealed": Sort.CONFLICT,
        "erase-issuing": Sort.CONFLICT,
        "erase-open": Sort.CONFLICT,
        "erase-held": Sort.CONFLICT,
        "erase-before-term": Sort.CONFLICT,
    }
)


class DomainError(Exception):
    """A rule says no. `code` is one of `CODES`; `params` are plain values for the sentence."""

    def __init__(self, code: str, *, field: str | None = None, **params: object) -> None:
        if code not in CODES:
            raise LookupError(f"no such refusal: {code}")
        super().__init__(code, params)
        self.code = code
        self.field = field
        self.params: dict[str, object] = params

    @property
    def sort(self) -> Sort:
        """What sort of refusal this is."""
        return CODES[self.code]
