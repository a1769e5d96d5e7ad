"""A standing that is not today's is said to be so."""

from signing.ca import Office
from signing.trust import Trust
from signing.verify import STALE_MS, verify
from tests.signing.bundles import Genuine


def test_a_standing_more_than_a_day_old_is_said_and_a_fresh_one_is_not(
    genuine: Genuine, office: Office
) -> None:
    trust = Trust.parse(genuine.trust)
    fresh = verify(genuine.bundle, trust, ledger=None, at=office.clock())
    assert fresh.as_of is not None
    last = verify(genuine.bundle, trust, ledger=None, at=fresh.as_of + STALE_MS)
    aged = verify(genuine.bundle, trust, ledger=None, at=fresh.as_of + STALE_MS + 1)
    assert (fresh.verdict, last.verdict, aged.verdict) == ("valid",) * 3
    assert "status-old" not in (*fresh.notes, *last.notes)
    assert "status-old" in aged.notes
