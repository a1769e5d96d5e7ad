"""Logins and log-outs: applicants by a code to their phone, staff by password and TOTP."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from server.domain.participant import Applicant, Staff
from server.http.middleware import Doorman
from server.http.routes import APPLICANT, PUBLIC, STAFF, Answer, Call, Caller, answer_json, endpoint
from server.services.accounts import Accounts, Login


class AskCode(BaseModel):
    """Where to send a one-time code."""

    model_config = ConfigDict(extra="forbid")
    phone: str = Field(max_length=32)


class PhoneLogin(AskCode):
    """A phone and the code sent to it."""

    code: str = Field(max_length=16)


class StaffLogin(BaseModel):
    """The three parts of a staff login."""

    model_config = ConfigDict(extra="forbid")
    login: str = Field(max_length=64)
    password: str = Field(max_length=256)
    totp: str = Field(max_length=16)


class Logins:
    """The doors people come in by."""

    def __init__(self, accounts: Accounts, *, doorman: Doorman) -> None:
        self._accounts = accounts
        self._doorman = doorman

    @endpoint(
        "POST",
        "/api/applicant/codes",
        roles=PUBLIC,
        body=AskCode,
        status=202,
        rate="code-address",
    )
    async def ask_code(self, call: Call, body: AskCode) -> Answer:
        """Send a one-time code to a phone."""
        return {"resend_at": await self._accounts.send_code(body.phone)}

    @endpoint("POST", "/api/applicant/sessions", roles=PUBLIC, body=PhoneLogin, rate="login")
    async def log_in_applicant(self, call: Call, body: PhoneLogin) -> Answer:
        """Log an applicant in with the code sent to the phone."""
        login = await self._accounts.log_in_applicant(body.phone, body.code)
        return await self._opened(call, login)

    @endpoint("GET", "/api/applicant/me", roles=APPLICANT)
    async def applicant(self, call: Call) -> Answer:
        """Tell which applicant is logged in."""
        return {"applicant": _applicant(call.applicant)}

    @endpoint("DELETE", "/api/applicant/sessions", roles=PUBLIC)
    async def log_out_applicant(self, call: Call) -> Answer:
        """Log out."""
        return await self._closed(call)

    @endpoint("POST", "/api/staff/sessions", roles=PUBLIC, body=StaffLogin, rate="login")
    async def log_in_staff(self, call: Call, body: StaffLogin) -> Answer:
        """Log a person of the office in."""
        login = await self._accounts.log_in_staff(body.login, body.password, body.totp)
        return await self._opened(call, login)

    @endpoint("GET", "/api/staff/me", roles=STAFF)
    async def staff(self, call: Call) -> Answer:
        """Tell who of the office is logged in."""
        return {"staff": _staff(call.staff, call.language)}

    @endpoint("DELETE", "/api/staff/sessions", roles=PUBLIC)
    async def log_out_staff(self, call: Call) -> Answer:
        """Log out."""
        return await self._closed(call)

    async def _opened(self, call: Call, login: Login) -> Answer:
        if old := call.request.cookies.get(self._doorman.cookie):
            await self._accounts.log_out(old)
        if isinstance(login.person, Staff):
            answer = answer_json({"staff": _staff(login.person, call.language)})
        else:
            answer = answer_json({"applicant": _applicant(login.person)})
        self._doorman.remember(answer, login.token, seconds=login.seconds)
        return answer

    async def _closed(self, call: Call) -> Answer:
        if token := call.request.cookies.get(self._doorman.cookie):
            await self._accounts.log_out(token)
        answer = answer_json({})
        self._doorman.forget(answer)
        return answer


def caller_of(person: Staff | Applicant | None) -> Caller | None:
    """Return a person as the routes see them."""
    if person is None:
        return None
    return Caller(person.role if isinstance(person, Staff) else "applicant", person)


def _applicant(person: Applicant) -> dict[str, Any]:
    return {"id": person.id, "phone_masked": person.phone_masked}


def _staff(person: Staff, language: str) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name(language),
        "role": person.role,
        "licence": person.licence,
    }
