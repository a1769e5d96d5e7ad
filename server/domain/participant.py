"""People: applicants and staff, what each role may do, and licences."""

from dataclasses import dataclass
from typing import Literal

from server.domain.errors import DomainError

StaffRole = Literal["assistant", "notary", "approver"]
SessionRole = Literal["notary", "applicant"]


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody who applies; known by a random id, reached by a phone number."""

    id: str
    phone: str

    @property
    def phone_masked(self) -> str:
        """The number with its middle hidden."""
        return self.phone[:3] + "****" + self.phone[-4:]


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody of the office. The licence is valid from and until given days (ISO, inclusive)."""

    id: str
    role: StaffRole
    name_zh: str
    name_en: str
    licence: str = ""
    licensed_from: str = ""
    licensed_until: str = ""

    def name(self, language: str) -> str:
        """The name as a reader of that language expects it."""
        return self.name_zh if language == "zh-CN" else self.name_en


def require_role(staff: Staff, *allowed: StaffRole) -> None:
    """Refuse with `role-not-allowed` unless the person has one of the roles."""
    if staff.role not in allowed:
        raise DomainError("role-not-allowed", role=staff.role)


def require_licence(staff: Staff, *, day: str) -> None:
    """Refuse with `licence-invalid` unless the licence covers the day (ISO date)."""
    if not staff.licence or not staff.licensed_from <= day <= staff.licensed_until:
        raise DomainError("licence-invalid", licence=staff.licence, day=day)
