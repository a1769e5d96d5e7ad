"""Accounts at rest: staff, applicants, one-time codes, login sessions. No secret stands in clear.

Passwords are argon2 hashes, codes and session tokens SHA-256 digests; the TOTP secret of a person
of the office is sealed by the caller before it comes here. Times are ms UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from server.storage.database import Database
from server.storage.models import account_applicant as applicant
from server.storage.models import account_failure as failure
from server.storage.models import account_phone_code as phone_code
from server.storage.models import account_session as login_session
from server.storage.models import account_staff as staff


@dataclass(frozen=True, slots=True)
class StaffRow:
    """One person of the office as stored."""

    id: str
    login: str
    role: str
    name_zh: str
    name_en: str
    licence: str
    licensed_from: str
    licensed_until: str
    password_hash: str
    totp_sealed: bytes
    totp_step: int


class AccountStore:
    """The tables above, one method for each thing `services.accounts` does, each one
    transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_staff(self, row: StaffRow) -> None:
        """Write one person of the office; an existing person keeps the last used TOTP step."""
        values = {name: getattr(row, name) for name in StaffRow.__slots__}
        async with self._database.write() as connection:
            known = update(staff).where(staff.c.id == row.id)
            values.pop("totp_step")
            if (await connection.execute(known.values(**values))).rowcount == 0:
                await connection.execute(insert(staff).values(totp_step=row.totp_step, **values))

    async def staff_by_login(self, login: str) -> StaffRow | None:
        """Return the person with that login."""
        return await self._staff(staff.c.login == login)

    async def staff_by_id(self, staff_id: str) -> StaffRow | None:
        """Return the person with that id."""
        return await self._staff(staff.c.id == staff_id)

    async def all_staff(self) -> tuple[StaffRow, ...]:
        """Return everybody of the office, by login."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(staff).order_by(staff.c.login))).mappings()
            return tuple(StaffRow(**row) for row in rows)

    async def _staff(self, condition: Any) -> StaffRow | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(staff).where(condition))).mappings().first()
        return StaffRow(**row) if row else None

    async def use_totp_step(self, staff_id: str, step: int) -> bool:
        """Mark a TOTP step as used; whether it was still unused, decided by the database."""
        statement = (
            update(staff)
            .where(staff.c.id == staff_id, staff.c.totp_step < step)
            .values(totp_step=step)
        )
        async with self._database.write() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def locked_until(self, login: str) -> int:
        """Return until when a login is locked; 0 when it never was."""
        async with self._database.read() as connection:
            query = select(failure.c.locked_until).where(failure.c.login == login)
            return int((await connection.execute(query)).scalar() or 0)

    async def count_failure(self, login: str, *, at: int, most: int, lock_ms: int) -> None:
        """Count one wrong try; at the `most`-th the login is locked for `lock_ms`.

        Counting begins anew when a day passes without a wrong try.
        """
        yesterday = at - 24 * 3_600_000
        async with self._database.write() as connection:
            recent = (failure.c.login == login, failure.c.last_at >= yesterday)
            query = select(failure.c.count).where(*recent)
            count = int((await connection.execute(query)).scalar() or 0) + 1
            locked = at + lock_ms if count >= most else 0
            values = {"count": 0 if locked else count, "last_at": at, "locked_until": locked}
            known = update(failure).where(failure.c.login == login).values(**values)
            if (await connection.execute(known)).rowcount == 0:
                await connection.execute(insert(failure).values(login=login, **values))
            stale = failure.c.last_at < yesterday
            await connection.execute(delete(failure).where(stale, failure.c.locked_until < at))

    async def forget_failures(self, login: str) -> None:
        """Start counting anew after a right try."""
        async with self._database.write() as connection:
            await connection.execute(delete(failure).where(failure.c.login == login))

    async def put_code(
        self, phone: str, digest: str, *, at: int, expires_at: int, tries: int
    ) -> None:
        """Keep the digest of the newest code of a phone; an older one no longer works."""
        async with self._database.write() as connection:
            await connection.execute(delete(phone_code).where(phone_code.c.phone == phone))
            await connection.execute(
                insert(phone_code).values(
                    phone=phone,
                    code_digest=digest,
                    sent_at=at,
                    expires_at=expires_at,
                    tries_left=tries,
                )
            )

    async def code_sent_at(self, phone: str) -> int:
        """Return when the newest code was sent to a phone; 0 when there is none."""
        async with self._database.read() as connection:
            query = select(phone_code.c.sent_at).where(phone_code.c.phone == phone)
            return int((await connection.execute(query)).scalar() or 0)

    async def try_code(self, phone: str, digest: str, *, at: int) -> int:
        """Use up one try. Return -1 when the code was right (it is then gone), else the tries left.

        A code that is expired, used up or was never sent gives 0.
        """
        live = (phone_code.c.phone == phone, phone_code.c.expires_at > at)
        async with self._database.write() as connection:
            right = delete(phone_code).where(
                *live, phone_code.c.code_digest == digest, phone_code.c.tries_left > 0
            )
            if (await connection.execute(right)).rowcount == 1:
                return -1
            spend = update(phone_code).where(*live, phone_code.c.tries_left > 0)
            left = phone_code.c.tries_left - 1
            if (await connection.execute(spend.values(tries_left=left))).rowcount == 0:
                return 0
            query = select(phone_code.c.tries_left).where(phone_code.c.phone == phone)
            return int((await connection.execute(query)).scalar() or 0)

    async def applicant_by_phone(self, phone: str, *, new_id: str, at: int) -> str:
        """Return the id of the applicant with that phone, made on the first login."""
        query = select(applicant.c.id).where(applicant.c.phone == phone)
        async with self._database.write() as connection:
            if found := (await connection.execute(query)).scalar():
                return str(found)
        try:
            async with self._database.write() as connection:
                await connection.execute(
                    insert(applicant).values(id=new_id, phone=phone, created_at=at)
                )
            return new_id
        except IntegrityError:  # two logins at once: the other one made it
            async with self._database.read() as connection:
                return str((await connection.execute(query)).scalar_one())

    async def applicant_phone(self, applicant_id: str) -> str | None:
        """Return the phone of an applicant."""
        async with self._database.read() as connection:
            query = select(applicant.c.phone).where(applicant.c.id == applicant_id)
            found = (await connection.execute(query)).scalar()
        return str(found) if found else None

    async def put_session(
        self, digest: str, *, kind: str, person_id: str, at: int, expires_at: int
    ) -> None:
        """Keep a login session; sessions that ended long ago are swept on the way."""
        async with self._database.write() as connection:
            await connection.execute(delete(login_session).where(login_session.c.expires_at < at))
            await connection.execute(
                insert(login_session).values(
                    token_digest=digest,
                    kind=kind,
                    person_id=person_id,
                    created_at=at,
                    seen_at=at,
                    expires_at=expires_at,
                )
            )

    async def find_session(self, digest: str, *, at: int) -> tuple[str, str] | None:
        """Return (kind, person id) of a session that still holds."""
        query = select(login_session.c.kind, login_session.c.person_id).where(
            login_session.c.token_digest == digest, login_session.c.expires_at > at
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return (str(row[0]), str(row[1])) if row else None

    async def end_session(self, digest: str) -> None:
        """End one session."""
        async with self._database.write() as connection:
            ended = delete(login_session).where(login_session.c.token_digest == digest)
            await connection.execute(ended)
