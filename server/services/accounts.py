"""Who is who: logins of the office and of applicants, and the sessions they open.

    AccountError(code, **params)    login-wrong, login-locked, phone-wrong, code-too-soon,
                                    code-wrong, code-expired, totp-wrong

Staff give login, password (argon2id) and a TOTP code (RFC 6238; a step works once, whatever it was
used for). Ten wrong tries lock a login for fifteen minutes, also one that nobody has, so that
neither
the answer nor its time tells which logins exist. Applicants prove a phone by a code of six digits
with five tries. After thirty wrong tries at one phone within a day its codes have ten digits and a
hundred tries for a day: guessing stays hopeless, and a stranger cannot use up the owner's tries.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.domain.participant import Applicant, Staff, StaffRole
from server.storage.accounts import AccountStore, StaffRow

_TOTP_S = 30
_WRONG_TRIES, _LOCK_MS = 10, 15 * 60_000
_CODE_MS, _CODE_TRIES, _CODE_EVERY_MS = 10 * 60_000, 5, 60_000
_CODE_DIGITS = 6
_LONG_CODE_DIGITS, _LONG_CODE_TRIES = 10, 100
_SHORT_CODE_FAILURES, _DAY_MS = 30, 24 * 3_600_000
_SESSION_MS = {"staff": 12 * 3_600_000, "applicant": 30 * 24 * 3_600_000}
_PHONE = re.compile(r"1[3-9][0-9]{9}")


P = ParamSpec("P")
T = TypeVar("T")


class AccountError(Exception):
    """A login that cannot be; `code` is a key of the catalogue of messages."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


class Send(Protocol):
    """The outbox as accounts see it."""

    async def __call__(
        self, *, to: str, kind: str, text: str, code: str | None = None, link: str | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class NewStaff:
    """A person of the office as first written down; password and TOTP secret in clear."""

    staff: Staff
    login: str
    password: str
    totp_secret: str


@dataclass(frozen=True, slots=True)
class Login:
    """A login that worked: the token for the cookie and how long it holds, in seconds."""

    token: str
    seconds: int
    person: Staff | Applicant


class Accounts:
    """Logins and sessions. `key` (32 bytes) seals TOTP secrets and digests codes; `random(n)`
    gives bytes."""

    def __init__(
        self,
        store: AccountStore,
        *,
        key: bytes,
        send: Send,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._store = store
        self._key = key
        self._send = send
        self._clock = clock
        self._random = random
        self._hasher = hasher or PasswordHasher()
        # argon2 takes 64 MiB and all of a core: two at once is what a small server can bear
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="argon2")
        self._nobody: str | None = None

    async def close(self) -> None:
        """Let running password checks end."""
        await asyncio.to_thread(self._pool.shutdown)

    async def put_staff(self, new: NewStaff) -> None:
        """Write a person of the office; writing the same person again changes nothing."""
        known = await self._store.staff_by_id(new.staff.id)
        if known and await self._verified(known.password_hash, new.password):
            hashed = known.password_hash
        else:
            hashed = await self._in_pool(self._hasher.hash, new.password)
        nonce = self._random(12)
        sealed = AESGCM(self._key).encrypt(nonce, new.totp_secret.encode(), new.staff.id.encode())
        person = new.staff
        await self._store.put_staff(
            StaffRow(
                id=person.id,
                login=new.login,
                role=person.role,
                name_zh=person.name_zh,
                name_en=person.name_en,
                licence=person.licence,
                licensed_from=person.licensed_from,
                licensed_until=person.licensed_until,
                password_hash=hashed,
                totp_sealed=nonce + sealed,
                totp_step=0,
            )
        )

    async def log_in_staff(self, login: str, password: str, totp: str) -> Login:
        """Open a session. Raises AccountError `login-wrong` for any wrong part, or
        `login-locked`."""
        name, now = login.strip().lower()[:64], self._clock()
        if (locked_until := await self._store.locked_until(name)) > now:
            raise AccountError("login-locked", minutes=-(-(locked_until - now) // 60_000))
        row = await self._store.staff_by_login(name)
        matches = await self._verified(
            row.password_hash if row else await self._stand_in(), password
        )
        if row is None or not matches or not await self._used(row, totp, at=now):
            await self._store.count_failure(name, at=now, most=_WRONG_TRIES, lock_ms=_LOCK_MS)
            raise AccountError("login-wrong")
        await self._store.forget_failures(name)
        return await self._open("staff", _staff(row))

    async def confirm_totp(self, staff_id: str, totp: str) -> None:
        """Use up a fresh TOTP code for an act. Raises AccountError `totp-wrong` or
        `login-locked`."""
        row, now = await self._store.staff_by_id(staff_id), self._clock()
        if row is None:
            raise AccountError("totp-wrong")
        # Counted apart from logins, under a name none can have: strangers who try a notary's
        # password must not keep that notary from closing a session.
        name = f"ACT {row.login}"
        if (locked_until := await self._store.locked_until(name)) > now:
            raise AccountError("login-locked", minutes=-(-(locked_until - now) // 60_000))
        if not await self._used(row, totp, at=now):
            await self._store.count_failure(name, at=now, most=_WRONG_TRIES, lock_ms=_LOCK_MS)
            raise AccountError("totp-wrong")
        await self._store.forget_failures(name)

    async def send_code(self, phone: str) -> int:
        """Send a one-time code; return when another may be asked for. Raises AccountError."""
        number, now = _phone(phone), self._clock()
        again_at = await self._store.code_sent_at(number) + _CODE_EVERY_MS
        if again_at > now:
            raise AccountError("code-too-soon", seconds=-(-(again_at - now) // 1000))
        guessed = await self._guessed_at(number, at=now)
        digits = _LONG_CODE_DIGITS if guessed else _CODE_DIGITS
        tries = _LONG_CODE_TRIES if guessed else _CODE_TRIES
        code = f"{int.from_bytes(self._random(16)) % 10**digits:0{digits}d}"
        await self._store.put_code(
            number, self._digest(number, code), at=now, expires_at=now + _CODE_MS, tries=tries
        )
        text = (
            f"【远证】验证码 {code}，10分钟内有效，请勿告诉他人。"
            f" Your Farseal code is {code}; it works for 10 minutes. Never pass it on."
        )
        if guessed:
            text += (
                "该手机号近一天内输错次数过多，为安全起见，这次的验证码是10位。"
                " There were many wrong tries at this number within a day: this code has 10 digits."
            )
        await self._send(to=number, kind="login-code", text=text, code=code)
        return now + _CODE_EVERY_MS

    async def log_in_applicant(self, phone: str, code: str) -> Login:
        """Open a session for the holder of a phone. Raises AccountError `code-wrong`,
        `code-expired`."""
        number, now = _phone(phone), self._clock()
        left = await self._store.try_code(number, self._digest(number, code.strip()), at=now)
        if left >= 0 and not await self._guessed_at(number, at=now):
            # Never forgotten by a right try: the owner's logins must not renew a stranger's tries.
            await self._store.count_failure(
                _tries_at(number), at=now, most=_SHORT_CODE_FAILURES, lock_ms=_DAY_MS
            )
        if left == 0:
            raise AccountError("code-expired")
        if left > 0:
            raise AccountError("code-wrong", left=left)
        person_id = await self._store.applicant_by_phone(
            number, new_id=self._random(16).hex(), at=now
        )
        return await self._open("applicant", Applicant(person_id, number))

    async def find(self, token: str) -> Staff | Applicant | None:
        """Return whose session a token is, while it holds."""
        found = await self._store.find_session(_token_digest(token), at=self._clock())
        if found is None:
            return None
        kind, person_id = found
        return await (self.staff(person_id) if kind == "staff" else self.applicant(person_id))

    async def log_out(self, token: str) -> None:
        """End the session of a token; one that does not exist is as good as ended."""
        await self._store.end_session(_token_digest(token))

    async def staff(self, staff_id: str) -> Staff | None:
        """Return a person of the office."""
        row = await self._store.staff_by_id(staff_id)
        return _staff(row) if row else None

    async def everybody(self) -> tuple[Staff, ...]:
        """Return the people of the office."""
        return tuple(_staff(row) for row in await self._store.all_staff())

    async def applicant(self, applicant_id: str) -> Applicant | None:
        """Return an applicant."""
        phone = await self._store.applicant_phone(applicant_id)
        return Applicant(applicant_id, phone) if phone else None

    async def _guessed_at(self, phone: str, *, at: int) -> bool:
        """Whether a phone had so many wrong tries that its codes are long now."""
        return await self._store.locked_until(_tries_at(phone)) > at

    async def _open(self, kind: str, person: Staff | Applicant) -> Login:
        token, now, lasts = self._random(32).hex(), self._clock(), _SESSION_MS[kind]
        await self._store.put_session(
            _token_digest(token), kind=kind, person_id=person.id, at=now, expires_at=now + lasts
        )
        return Login(token, lasts // 1000, person)

    async def _used(self, row: StaffRow, totp: str, *, at: int) -> bool:
        """Whether `totp` is the code of this half minute, the last or the next, unused until
        now."""
        sealed = row.totp_sealed
        secret = AESGCM(self._key).decrypt(sealed[:12], sealed[12:], row.id.encode()).decode()
        generator, current = pyotp.TOTP(secret), at // 1000 // _TOTP_S
        given = re.sub(r"\s", "", totp)
        for step in (current - 1, current, current + 1):
            if hmac.compare_digest(
                generator.generate_otp(step), given.encode("ascii", "replace").decode()
            ):
                return await self._store.use_totp_step(row.id, step)
        return False

    async def _verified(self, hashed: str, password: str) -> bool:
        try:
            return await self._in_pool(self._hasher.verify, hashed, password[:256])
        except (VerificationError, InvalidHashError):
            return False

    async def _stand_in(self) -> str:
        if self._nobody is None:
            self._nobody = await self._in_pool(self._hasher.hash, self._random(16).hex())
        return self._nobody

    def _in_pool(self, work: Callable[P, T], *arguments: P.args, **_: P.kwargs) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def _digest(self, phone: str, code: str) -> str:
        # keyed: six digits alone would be found from their digest in a blink
        return hmac.new(self._key, f"code/{phone}/{code}".encode(), hashlib.sha256).hexdigest()


def demo_staff(derive: Callable[[str], bytes]) -> tuple[NewStaff, ...]:
    """Return the people of the demo office; passwords and TOTP secrets come from the master
    secret."""
    people: tuple[tuple[str, StaffRole, str, str, str], ...] = (
        ("notary", "notary", "林远", "Lin Yuan", "99902020100001"),
        ("notary2", "notary", "周岚", "Zhou Lan", "99902020100002"),
        ("approver", "approver", "沈达", "Shen Da", "99902020100003"),
        ("assistant", "assistant", "何青", "He Qing", ""),
    )
    return tuple(
        NewStaff(
            staff=Staff(
                id=login,
                role=role,
                name_zh=name_zh,
                name_en=name_en,
                licence=licence,
                licensed_from="2020-01-01",
                licensed_until="2099-12-31",
            ),
            login=login,
            password=base64.b32encode(derive(f"demo/password/{login}")[:10]).decode().lower(),
            totp_secret=base64.b32encode(derive(f"demo/totp/{login}")[:20]).decode(),
        )
        for login, role, name_zh, name_en, licence in people
    )


def _staff(row: StaffRow) -> Staff:
    roles: dict[str, StaffRole] = {
        "assistant": "assistant",
        "notary": "notary",
        "approver": "approver",
    }
    return Staff(
        id=row.id,
        role=roles[row.role],
        name_zh=row.name_zh,
        name_en=row.name_en,
        licence=row.licence,
        licensed_from=row.licensed_from,
        licensed_until=row.licensed_until,
    )


def _phone(text: str) -> str:
    # As Chinese keyboards write digits: １３８
    number = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).removeprefix("+86")
    if not _PHONE.fullmatch(number):
        raise AccountError("phone-wrong")
    return number


def _tries_at(phone: str) -> str:
    """The name wrong codes of a phone are counted under; no login has capital letters."""
    return f"CODE {phone}"


def _token_digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
