"""A demo login's codes are still good when they reach the office."""

import pyotp
import pytest

from server.rehearsal.logins import STEP_S, StaffLogin

SECRET = "JBSWY3DPEHPK3PXP" * 2
START = 1_795_442_400 // STEP_S * STEP_S
"""The beginning of a half minute, in seconds since the epoch."""


@pytest.mark.parametrize("begun", range(STEP_S))
@pytest.mark.parametrize("later", [0, 5, 9])
def test_a_code_read_at_any_second_is_accepted_some_seconds_later(begun: int, later: int) -> None:
    login = StaffLogin(login="notary", password="", totp_secret=SECRET, clock=lambda: START + begun)
    codes = [login.code(), login.code()]
    assert len(set(codes)) == 2
    office = pyotp.TOTP(SECRET)
    for code in codes:
        # The office's rule: the half minute before, this one and the next.
        assert office.verify(code, for_time=START + begun + later, valid_window=1)
