"""A session that is over has no room: a phone that tries again does not open one."""

from types import SimpleNamespace
from typing import Any

import pytest

from server.backstage import _line
from server.domain.errors import DomainError
from server.domain.session import LIVE, SessionState


class Rooms:
    """A studio that remembers who came."""

    def __init__(self) -> None:
        self.joined: list[str] = []

    async def join(self, sid: str, role: str, offer: str) -> str:
        self.joined.append(role)
        return "an answer"


def line(state: SessionState, rooms: Rooms) -> Any:
    async def session(_sid: str) -> SimpleNamespace:
        return SimpleNamespace(state=state)

    files = SimpleNamespace(session=session)
    services: Any = SimpleNamespace(
        workplace=SimpleNamespace(files=files), ceremony=SimpleNamespace(role=None)
    )
    studio: Any = rooms
    return _line(services, studio)


@pytest.mark.parametrize("state", list(SessionState))
async def test_only_a_live_session_takes_an_offer(state: SessionState) -> None:
    rooms = Rooms()
    if state in LIVE:
        assert await line(state, rooms).join("5" * 32, "applicant", "v=0") == "an answer"
        assert rooms.joined == ["applicant"]
    else:
        with pytest.raises(DomainError, match="session-state"):
            await line(state, rooms).join("5" * 32, "applicant", "v=0")
        assert rooms.joined == []
