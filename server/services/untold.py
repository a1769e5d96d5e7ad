"""What a recorder has yet to tell of a session whose call is over: its seal waits for that."""

from typing import Protocol


class Untold(Protocol):
    """The recorder's backlog. `server.studio.Studio` has one: on a full disk facts wait."""

    @property
    def short_of_space(self) -> bool:
        """Whether facts wait because the disk is full."""
        ...

    async def all_told(self, sid: str) -> None:
        """Wait until the services have heard every fact of a session whose room is closed.

        Raises when they never will: then the session must not be sealed.
        """
        ...


class NothingUntold:
    """A recorder that keeps nothing back."""

    short_of_space = False

    async def all_told(self, sid: str) -> None:
        """Return at once."""
