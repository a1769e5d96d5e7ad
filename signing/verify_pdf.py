"""Verify a bare certificate PDF: shape and signatures, then the register that holds its digest.

Good signatures alone are not enough: whoever held the office's keys could sign again. So without a
register at hand the verdict is "indeterminate". With one, any changed byte is found by the digest.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from signing import status as status_list
from signing.errors import SigningError
from signing.register import Register
from signing.report import Failed, Found, Procedure, Report, Unavailable
from signing.trust import Trust

LARGEST_PDF = 20 * 1024 * 1024


def verify(
    pdf: bytes,
    trust: Trust | None,
    *,
    ledger: Register | Unavailable | None,
    at: int,
    status: Mapping[str, Any] | None = None,
    max_age_ms: int | None = None,
) -> Report:
    """Check a certificate PDF; `at` is now (ms), `ledger` the register of a mirror, if at hand,
    or why the one that was named is not.

    `status` is a newer signed status list; with `max_age_ms` an older answer is "indeterminate".
    Never raises for anything a file may hold.
    """
    return _PdfProcedure(pdf, trust, ledger, status, at=at, max_age_ms=max_age_ms).report()


class _PdfProcedure:
    """The checks of a bare PDF, in order."""

    def __init__(
        self,
        pdf: bytes,
        trust: Trust | None,
        ledger: Register | Unavailable | None,
        status: Mapping[str, Any] | None,
        *,
        at: int,
        max_age_ms: int | None,
    ) -> None:
        self._pdf, self._ledger, self._status = pdf, ledger, status
        self._trusted = trust
        self._at, self._max_age_ms = at, max_age_ms
        self._digest = sha256(pdf).hexdigest()
        self._facts: dict[str, Any] = {"pdf_sha256": self._digest}
        self._as_of: int | None = None

    def report(self) -> Report:
        procedure = Procedure()
        procedure.run("limits", self._limits)
        procedure.run("trust", lambda: describe_trust(self._trusted), needs=("limits",))
        procedure.run("pdf", self._shape, needs=("trust",))
        procedure.run("register", self._register, needs=("trust",))
        procedure.run("number", self._number, needs=("register",))
        procedure.run("status", self._standing, needs=("register",))
        notes = self._trusted.notes if self._trusted else ()
        return Report("pdf", tuple(procedure.checks), self._facts, notes, self._as_of)

    @property
    def _trust(self) -> Trust:
        if self._trusted is None:
            raise Unavailable("no-trust")
        return self._trusted

    @property
    def _register_view(self) -> Register:
        if self._ledger is None:
            raise Unavailable("no-ledger")
        if isinstance(self._ledger, Unavailable):
            raise self._ledger
        return self._ledger

    def _limits(self) -> Found:
        if not self._pdf.startswith(b"%PDF-") or len(self._pdf) > LARGEST_PDF:
            raise Failed("not-a-pdf", size=len(self._pdf))
        return Found({"size": len(self._pdf), "sha256": self._digest})

    def _shape(self) -> Found:
        from signing.pdf_profile import CERTIFICATE, require_shape

        signed = require_shape(self._pdf, CERTIFICATE, self._trust, at=self._at)
        self._facts["signed_at"] = signed.archived.at
        return Found(signed.record(), against=f"root {self._trust.root_fingerprint}")

    def _register(self) -> Found:
        register = self._register_view
        leaf = register.find(self._digest)
        if leaf is None:
            signed_at = self._facts.get("signed_at")
            if signed_at is not None and signed_at > register.as_of:
                raise Unavailable("ledger-too-old", as_of=register.as_of, signed_at=signed_at)
            raise Failed("not-in-register", sha256=self._digest, size=register.size)
        self._facts["number"] = leaf.body["number"]
        self._facts["registered_at"] = leaf.time
        return Found(
            {"index": leaf.index, "size": register.size, "sha256": self._digest},
            against=f"ledger {register.origin}",
        )

    def _number(self) -> Found:
        register = self._register_view
        count = register.require_single(self._facts["number"])
        detail = {"number": self._facts["number"], "numbers": count}
        return Found(detail, f"ledger {register.origin}")

    def _standing(self) -> Found:
        register = self._register_view
        number = self._facts["number"]
        revoked_at = register.revoked_at(number)
        self._as_of = register.as_of
        if revoked_at is not None:
            raise Failed("revoked", at=revoked_at, as_of=register.as_of)
        against = f"ledger {register.origin}"
        if self._status is not None:
            leaf = register.find(self._digest)
            index = None if leaf is None else leaf.body["status_index"]
            found = check_status(self._status, index, self._trust)
            self._as_of = max(register.as_of, found)
            against = f"seal of {self._trust.name_zh}"
        require_fresh(self._as_of, at=self._at, max_age_ms=self._max_age_ms)
        return Found({"as_of": self._as_of}, against)


def describe_trust(trust: Trust | None) -> Found:
    """The first thing a report says: whom the reader chose to believe."""
    if trust is None:
        raise Unavailable("no-trust")
    detail = {
        "name_zh": trust.name_zh,
        "name_en": trust.name_en,
        "origin": trust.origin,
        "root": trust.root_fingerprint,
    }
    return Found(detail, against="trust.json")


def check_status(signed: Mapping[str, Any], index: object, trust: Trust) -> int:
    """Look a certificate up in a signed status list; when (ms) the list was made.

    Raises Failed: "revoked", or "status" when the list does not hold.
    """
    try:
        found = status_list.check(signed, trust)
        if not isinstance(index, int) or isinstance(index, bool):
            raise Failed("status", error="the register names no status index")
        revoked = found.revoked(index)
    except SigningError as failure:
        raise Failed("status", error=str(failure)) from failure
    if revoked:
        raise Failed("revoked", as_of=found.as_of)
    return found.as_of


def require_fresh(as_of: int, *, at: int, max_age_ms: int | None) -> None:
    """Require an answer young enough for this reader. Raises Unavailable."""
    if max_age_ms is not None and at - as_of > max_age_ms:
        raise Unavailable("status-too-old", as_of=as_of, age_ms=at - as_of)
