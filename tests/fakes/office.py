"""A running office for tests: the real server in this process, on loopback, in its own folder.

async with running_office(tmp_path) as office:
    async with office.applicant() as ana, office.staff("notary") as notary:
        case = await ana.post("/api/cases", {"matter": "poa-remote"})
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp
from aiohttp import ClientSession, CookieJar, FormData

from server.app import running, wall_clock
from server.config import read_config
from server.services.accounts import NewStaff

Json = dict[str, Any]
_STEP_MS = 30_000


class ProblemError(AssertionError):
    """The office refused; `code`, `status` and the whole problem tell why."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(f"{status} {problem}")
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code"))


@dataclass
class Login:
    """A demo login. `code()` gives a code that was not used yet, the oldest that still counts."""

    person: NewStaff
    clock: Callable[[], int]
    used: int = 0

    def code(self) -> str:
        """Return the next TOTP code; at most three can be had within one half minute."""
        self.used = max(self.used + 1, self.clock() // _STEP_MS - 1)
        return str(pyotp.TOTP(self.person.totp_secret).generate_otp(self.used))


@dataclass
class Browser:
    """One person's requests: cookies, the header of our pages, problems as exceptions."""

    http: ClientSession
    url: str
    language: str = "en"

    async def ask(self, method: str, path: str, body: object = None, **extra: Any) -> Any:
        """Return the JSON (or, for other types, the bytes) of an answer. Raises ProblemError."""
        headers = {"X-Farseal": "1", "Accept-Language": self.language} | extra.pop("headers", {})
        if isinstance(body, (FormData, bytes)):
            extra["data"] = body
        elif body is not None:
            extra["json"] = body
        url = self.url + path
        async with self.http.request(method, url, headers=headers, **extra) as answer:
            if answer.content_type.endswith("json"):
                told = await answer.json(content_type=None)
            else:
                told = await answer.read()
            if answer.status >= 400:
                raise ProblemError(answer.status, told if isinstance(told, dict) else {})
            return told

    async def get(self, path: str, **extra: Any) -> Any:
        return await self.ask("GET", path, **extra)

    async def post(self, path: str, body: object = None, **extra: Any) -> Any:
        return await self.ask("POST", path, {} if body is None else body, **extra)

    async def put(self, path: str, body: object, **extra: Any) -> Any:
        return await self.ask("PUT", path, body, **extra)

    async def upload(self, path: str, data: bytes, *, name: str, media_type: str = "") -> Any:
        """Send a file as the multipart field `file`."""
        form = FormData(quote_fields=False)  # as browsers write names
        form.add_field("file", data, filename=name, content_type=media_type or None)
        return await self.ask("POST", path, form)


@dataclass
class Office:
    """A running office: where it is, what it keeps, who can log in, what it sent."""

    url: str
    data: Path
    logins: Mapping[str, Login]
    clock: Callable[[], int]
    printed: list[str] = field(default_factory=list)

    def outbox(self, to: str | None = None) -> list[Json]:
        """Return what the console outbox sent, oldest first."""
        import json

        path = self.data / "outbox.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        sent = [json.loads(line) for line in lines]
        return [message for message in sent if to in (None, message["to"])]

    @asynccontextmanager
    async def browser(self, *, language: str = "en") -> AsyncIterator[Browser]:
        """A browser nobody has logged in with."""
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
            yield Browser(http, self.url, language)

    @asynccontextmanager
    async def applicant(
        self, phone: str = "13800000001", *, language: str = "en"
    ) -> AsyncIterator[Browser]:
        """An applicant's browser, logged in by the code in the outbox."""
        async with self.browser(language=language) as browser:
            await browser.post("/api/applicant/codes", {"phone": phone})
            code = self.outbox(phone)[-1]["code"]
            await browser.post("/api/applicant/sessions", {"phone": phone, "code": code})
            yield browser

    @asynccontextmanager
    async def staff(self, login: str, *, language: str = "en") -> AsyncIterator[Browser]:
        """The browser of somebody of the office, logged in."""
        held = self.logins[login]
        async with self.browser(language=language) as browser:
            body = {"login": login, "password": held.person.password, "totp": held.code()}
            await browser.post("/api/staff/sessions", body)
            yield browser


@asynccontextmanager
async def running_office(
    data: Path,
    *,
    clock: Callable[[], int] = wall_clock,
    port: int = 0,
    ledger_database: str | None = None,
) -> AsyncIterator[Office]:
    """Run an office whose data is in `data`; the same folder again is a second start."""
    printed: list[str] = []
    config = read_config(
        data=data,
        port=port,
        media_hosts=("127.0.0.1",),
        ledger_database=ledger_database,
        environment={},
    )
    async with running(config, clock=clock, print_line=printed.append, warm=False) as opened:
        logins = {person.login: Login(person, clock) for person in opened.people}
        yield Office(opened.url, data, logins, clock, printed)
