"""Logins: one message for any wrong part, locks, codes that work once, sessions that end."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pyotp
import pytest
from argon2 import PasswordHasher

from server.domain.participant import Applicant, Staff
from server.services.accounts import AccountError, Accounts, demo_staff
from server.storage.accounts import AccountStore
from server.storage.database import Database

MINUTE = 60_000


@dataclass
class Watch:
    now: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


@dataclass
class Sent:
    messages: list[dict[str, str | None]] = field(default_factory=list)

    async def __call__(
        self, *, to: str, kind: str, text: str, code: str | None = None, link: str | None = None
    ) -> None:
        self.messages.append({"to": to, "kind": kind, "text": text, "code": code, "link": link})


@dataclass
class Desk:
    accounts: Accounts
    watch: Watch
    sent: Sent
    database: Database

    def code(self, step: int = 0) -> str:
        return str(pyotp.TOTP(NOTARY.totp_secret).at(self.watch.now // 1000 + 30 * step))


PEOPLE = demo_staff(lambda label: label.encode().ljust(32, b"."))
NOTARY = PEOPLE[0]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = Database(tmp_path / "accounts.db")
    await database.open()
    watch, sent = Watch(), Sent()
    accounts = Accounts(
        AccountStore(database),
        key=bytes(32),
        send=sent,
        clock=watch,
        random=secrets.token_bytes,
        hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1),
    )
    for person in PEOPLE:
        await accounts.put_staff(person)
    yield Desk(accounts, watch, sent, database)
    await accounts.close()
    await database.close()


async def refused(attempt: object) -> AccountError:
    with pytest.raises(AccountError) as caught:
        await attempt  # type: ignore[misc]
    return caught.value


async def test_three_right_parts_open_a_session_that_can_be_ended(desk: Desk) -> None:
    login = await desk.accounts.log_in_staff("Notary ", NOTARY.password, desk.code())
    assert isinstance(login.person, Staff)
    assert await desk.accounts.find(login.token) == login.person
    await desk.accounts.log_out(login.token)
    assert await desk.accounts.find(login.token) is None


async def test_any_wrong_part_gives_the_same_answer(desk: Desk) -> None:
    answers = [
        await refused(desk.accounts.log_in_staff("nobody", NOTARY.password, desk.code())),
        await refused(desk.accounts.log_in_staff("notary", "wrong", desk.code())),
        await refused(desk.accounts.log_in_staff("notary", NOTARY.password, "000000")),
        await refused(desk.accounts.log_in_staff("notary", NOTARY.password, "一二三四五六")),
        await refused(desk.accounts.log_in_staff("notary", NOTARY.password, "")),
    ]
    assert {(answer.code, str(answer.params)) for answer in answers} == {("login-wrong", "{}")}


async def test_a_code_works_once_whatever_it_was_used_for(desk: Desk) -> None:
    await desk.accounts.log_in_staff("notary", NOTARY.password, desk.code(-1))
    assert (await refused(desk.accounts.confirm_totp("notary", desk.code(-1)))).code == "totp-wrong"
    await desk.accounts.confirm_totp("notary", desk.code(1))
    earlier = desk.accounts.confirm_totp("notary", desk.code(0))
    assert (await refused(earlier)).code == "totp-wrong"
    desk.watch.now += 90_000
    await desk.accounts.confirm_totp("notary", desk.code(0))


@pytest.mark.parametrize("login", ["notary", "somebody-who-is-not-there"])
async def test_ten_wrong_tries_lock_a_login_for_a_quarter_hour(desk: Desk, login: str) -> None:
    for _ in range(10):
        assert (await refused(desk.accounts.log_in_staff(login, "x", "1"))).code == "login-wrong"
    locked = await refused(desk.accounts.log_in_staff(login, NOTARY.password, desk.code()))
    assert (locked.code, locked.params) == ("login-locked", {"minutes": 15})
    desk.watch.now += 15 * MINUTE
    if login == "notary":
        await desk.accounts.log_in_staff(login, NOTARY.password, desk.code())
    else:
        again = await refused(desk.accounts.log_in_staff(login, "x", "1"))
        assert again.code == "login-wrong"


async def test_a_stranger_who_locks_a_login_does_not_keep_its_owner_from_acting(desk: Desk) -> None:
    """Logged in, in the last step of a session, while somebody tries passwords outside."""
    for login in ("notary", "ACT notary"):
        for _ in range(10):
            await refused(desk.accounts.log_in_staff(login, "wrong", "000000"))
    await desk.accounts.confirm_totp("notary", desk.code())


async def test_wrong_codes_for_an_act_lock_as_well(desk: Desk) -> None:
    for _ in range(10):
        await refused(desk.accounts.confirm_totp("notary", "000000"))
    assert (await refused(desk.accounts.confirm_totp("notary", desk.code()))).code == "login-locked"


async def test_an_applicant_comes_back_as_the_same_person(desk: Desk) -> None:
    people = []
    for _ in range(2):
        await desk.accounts.send_code(" 138-0000 0001")
        code = desk.sent.messages[-1]["code"] or ""
        login = await desk.accounts.log_in_applicant("＋８６ １３８-0000-0001", code)
        people.append(login.person)
        desk.watch.now += 2 * MINUTE
    assert people[0] == people[1]
    assert people[0] == Applicant(people[0].id, "13800000001")
    assert desk.sent.messages[0]["to"] == "13800000001"


async def test_a_phone_code_has_five_tries_ten_minutes_and_one_use(desk: Desk) -> None:
    phone = "13800000002"
    await desk.accounts.send_code(phone)
    right = desk.sent.messages[-1]["code"] or ""
    wrong = "111111" if right != "111111" else "222222"
    lefts = []
    for _ in range(4):
        lefts.append((await refused(desk.accounts.log_in_applicant(phone, wrong))).params["left"])
    assert lefts == [4, 3, 2, 1]
    assert (await refused(desk.accounts.log_in_applicant(phone, wrong))).code == "code-expired"
    assert (await refused(desk.accounts.log_in_applicant(phone, right))).code == "code-expired"

    desk.watch.now += MINUTE
    await desk.accounts.send_code(phone)
    right = desk.sent.messages[-1]["code"] or ""
    await desk.accounts.log_in_applicant(phone, right)
    assert (await refused(desk.accounts.log_in_applicant(phone, right))).code == "code-expired"

    desk.watch.now += MINUTE
    await desk.accounts.send_code(phone)
    desk.watch.now += 10 * MINUTE
    late = desk.sent.messages[-1]["code"] or ""
    assert (await refused(desk.accounts.log_in_applicant(phone, late))).code == "code-expired"


async def test_a_day_of_guessing_at_a_phone_is_hopeless_and_locks_nobody_out(desk: Desk) -> None:
    """A stranger asks for a code each minute of a day and tries all there is to try."""
    phone, guesses = "13800000005", {6: 0, 10: 0}
    for _ in range(200):
        await desk.accounts.send_code(phone)
        right = desk.sent.messages[-1]["code"] or ""
        for guess in range(5):
            wrong = f"{guess:0{len(right)}d}"
            if wrong != right:
                await refused(desk.accounts.log_in_applicant(phone, wrong))
                guesses[len(right)] += 1
        desk.watch.now += MINUTE
    assert guesses[6] <= 30
    assert guesses[10] > 900
    assert "10位" in (desk.sent.messages[-1]["text"] or "")
    assert "10 digits" in (desk.sent.messages[-1]["text"] or "")

    await desk.accounts.send_code(phone)  # its owner, in the midst of it
    for guess in range(50):
        await refused(desk.accounts.log_in_applicant(phone, f"{guess:010d}"))
    owner = await desk.accounts.log_in_applicant(phone, desk.sent.messages[-1]["code"] or "")
    assert isinstance(owner.person, Applicant)
    desk.watch.now += MINUTE
    await desk.accounts.send_code(phone)  # the owner's login gives the stranger no new tries
    assert len(desk.sent.messages[-1]["code"] or "") == 10

    desk.watch.now += 24 * 60 * MINUTE
    await desk.accounts.send_code(phone)
    assert len(desk.sent.messages[-1]["code"] or "") == 6
    assert "10位" not in (desk.sent.messages[-1]["text"] or "")


async def test_a_wrong_try_now_and_then_never_lengthens_the_code(desk: Desk) -> None:
    phone = "13800000006"
    for _ in range(40):
        await desk.accounts.send_code(phone)
        right = desk.sent.messages[-1]["code"] or ""
        assert len(right) == 6
        wrong = "111111" if right != "111111" else "222222"
        await refused(desk.accounts.log_in_applicant(phone, wrong))
        desk.watch.now += 25 * 60 * MINUTE


async def test_codes_to_one_phone_are_a_minute_apart(desk: Desk) -> None:
    assert await desk.accounts.send_code("13800000003") == desk.watch.now + MINUTE
    desk.watch.now += 20_000
    soon = await refused(desk.accounts.send_code("13800000003"))
    assert (soon.code, soon.params) == ("code-too-soon", {"seconds": 40})
    assert len(desk.sent.messages) == 1


@pytest.mark.parametrize("phone", ["", "12345", "1380000000x", "2380000000１", "'; drop table"])
async def test_what_is_not_a_phone_is_said_so(desk: Desk, phone: str) -> None:
    assert (await refused(desk.accounts.send_code(phone))).code == "phone-wrong"


async def test_sessions_end_by_themselves(desk: Desk) -> None:
    login = await desk.accounts.log_in_staff("notary", NOTARY.password, desk.code())
    desk.watch.now += login.seconds * 1000 + 1
    assert await desk.accounts.find(login.token) is None


async def test_nothing_secret_stands_in_the_database(desk: Desk, tmp_path: Path) -> None:
    login = await desk.accounts.log_in_staff("notary", NOTARY.password, desk.code())
    await desk.accounts.send_code("13800000004")
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("accounts.db*"))
    code = desk.sent.messages[-1]["code"] or ""
    for secret in (login.token, NOTARY.password, NOTARY.totp_secret, f"{code}"):
        assert secret.encode() not in stored


async def test_a_second_start_keeps_the_used_codes(desk: Desk) -> None:
    await desk.accounts.log_in_staff("notary", NOTARY.password, desk.code())
    await desk.accounts.put_staff(NOTARY)
    used = desk.accounts.log_in_staff("notary", NOTARY.password, desk.code())
    assert (await refused(used)).code == "login-wrong"
