"""What a verification found: numbered checks, and one verdict that is the AND of all.

    valid          every check that this file needs was made and holds                     exit 0
    invalid        at least one check failed, or the certificate was revoked               exit 1
    indeterminate  nothing failed, but something needed was not at hand                    exit 2

A report never claims more than was checked: `detail` holds what was seen, `against` the key or
anchor it was held against, `notes` what a reader must know beside the verdict ("demo-office",
"no-witness", "own-time", "own-time-signatures", "sm2-unchecked", "sm2-absent",
"unknown-digest", "status-old").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "failed", "unavailable"]
Verdict = Literal["valid", "invalid", "indeterminate"]
Kind = Literal["bundle", "pdf", "unknown"]

EXIT_CODES: Mapping[Verdict, int] = {"valid": 0, "invalid": 1, "indeterminate": 2}


@dataclass(frozen=True, slots=True)
class Check:
    """One numbered check. `reason` is a key such as "digest", shown in words by the reader."""

    number: int
    key: str
    outcome: Outcome
    detail: Mapping[str, Any] = field(default_factory=dict)
    against: str = ""
    reason: str = ""

    def record(self) -> dict[str, Any]:
        """The check as JSON."""
        return {
            "number": self.number,
            "key": self.key,
            "outcome": self.outcome,
            "reason": self.reason,
            "detail": dict(self.detail),
            "against": self.against,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All checks in their order. `facts` were shown by checks that hold; `as_of` is ms UTC."""

    kind: Kind
    checks: tuple[Check, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    as_of: int | None = None

    @property
    def verdict(self) -> Verdict:
        outcomes = {check.outcome for check in self.checks}
        if "failed" in outcomes:
            return "invalid"
        return "valid" if outcomes == {"ok"} else "indeterminate"

    @property
    def deciding(self) -> Check | None:
        """The check that decided the verdict: the first that failed, else was not at hand."""
        for outcome in ("failed", "unavailable"):
            for check in self.checks:
                if check.outcome == outcome:
                    return check
        return None

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    @property
    def revoked(self) -> bool:
        """Whether the file is genuine and its certificate was taken back."""
        deciding = self.deciding
        return deciding is not None and deciding.reason == "revoked"

    def record(self) -> dict[str, Any]:
        """The report as JSON: `farseal verify --json` and POST /api/verify/file."""
        deciding = self.deciding
        return {
            "v": 1,
            "kind": self.kind,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "revoked": self.revoked,
            "deciding": deciding.number if deciding else None,
            "as_of": self.as_of,
            "notes": list(self.notes),
            "facts": dict(self.facts),
            "checks": [check.record() for check in self.checks],
        }

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> "Report":
        """Read a record back (from the confined child); raises KeyError, TypeError."""
        checks = tuple(Check(**check) for check in record["checks"])
        return cls(record["kind"], checks, record["facts"], tuple(record["notes"]), record["as_of"])


class Failed(Exception):
    """A check does not hold. `reason` is a key; details are plain JSON values."""

    def __init__(self, reason: str, **detail: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Unavailable(Failed):
    """A check cannot be made, for something is not at hand."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a check that holds has to tell."""

    detail: Mapping[str, Any] = field(default_factory=dict)
    against: str = ""


class Procedure:
    """Runs checks in their order and writes down each outcome; it fails closed.

    A check returns Found or raises Failed. Anything else that escapes it, from whatever parser, is
    a failure with the reason "unexpected": a file that breaks the verifier is not verified. A check
    marked as `needs` others is not run when one of them did not hold.
    """

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def run(self, key: str, check: Callable[[], Found], *, needs: tuple[str, ...] = ()) -> bool:
        """Run one check; tell whether it holds."""
        number = len(self.checks) + 1
        held = {done.key for done in self.checks if done.outcome == "ok"}
        missing = [need for need in needs if need not in held]
        if missing:
            outcome = Check(number, key, "unavailable", {"needs": missing}, reason="not-reached")
        else:
            outcome = self._attempt(number, key, check)
        self.checks.append(outcome)
        return outcome.outcome == "ok"

    def _attempt(self, number: int, key: str, check: Callable[[], Found]) -> Check:
        try:
            found = check()
        except Unavailable as missing:
            return Check(number, key, "unavailable", missing.detail, reason=missing.reason)
        except Failed as failure:
            return Check(number, key, "failed", failure.detail, reason=failure.reason)
        except Exception as unexpected:  # noqa: BLE001 - hostile files make parsers raise anything
            detail = {"error": f"{type(unexpected).__name__}: {unexpected}"[:300]}
            return Check(number, key, "failed", detail, reason="unexpected")
        return Check(number, key, "ok", found.detail, found.against)
