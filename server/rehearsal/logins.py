"""The demo staff's logins, as the office prints them at every start."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pyotp

from server.config import derive
from server.services.accounts import demo_staff
from signing.keys import Secret

STEP_S = 30  # RFC 6238
_ON_ITS_WAY_S = 10  # between reading a code and its arrival at the office, on a busy machine


class StaffLogin:
    """Name, password and codes of one demo person. A code works once, so none comes twice.

    `clock` is the office's, in seconds since the epoch.
    """

    def __init__(
        self,
        *,
        login: str,
        password: str,
        totp_secret: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.login = login
        self.password = password
        self._totp = pyotp.TOTP(totp_secret)
        self._clock = clock
        self._used = 0

    def code(self) -> str:
        """The oldest code not used yet that the office will still accept when it gets there.

        The office takes those of the last, this and the next half minute, so at the end of a half
        minute the last one's is about to be refused.
        """
        oldest = int(self._clock() + _ON_ITS_WAY_S) // STEP_S - 1
        self._used = max(self._used + 1, oldest)
        return self._totp.at(self._used * STEP_S)


def staff_logins(data: Path, *, clock: Callable[[], float] = time.time) -> dict[str, StaffLogin]:
    """The logins of the demo office whose data is in `data`, by name."""
    secret = Secret((data / "secret").read_text().strip())
    return {
        person.login: StaffLogin(
            login=person.login,
            password=person.password,
            totp_secret=person.totp_secret,
            clock=clock,
        )
        for person in demo_staff(lambda label: derive(secret, label))
    }
