"""UDP ports of a range, for firewalls: each worker keeps to its own part of it."""

import asyncio
import errno
import re
from dataclasses import dataclass
from typing import Any, Self

FEWEST = 16  # ports a process needs to be of any use


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports `first` to `last`, both included. One participant needs one for each address."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `40000-40999`. Raises ValueError."""
        match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a range of ports like 40000-40999")
        first, last = int(match[1]), int(match[2])
        if not 1024 <= first <= last <= 65535:
            raise ValueError(f"{text!r} is not a range between 1024 and 65535")
        return cls(first, last)

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __len__(self) -> int:
        return self.last - self.first + 1

    def split(self, parts: int) -> tuple["Ports", ...]:
        """Equal parts that share no port; what is left over belongs to nobody. Raises
        ValueError when a part would be of no use."""
        size = len(self) // parts
        if size < FEWEST:
            raise ValueError(f"{self} is too narrow: {parts} times {FEWEST} ports are needed")
        return tuple(
            Ports(self.first + n * size, self.first + (n + 1) * size - 1) for n in range(parts)
        )


def confine(loop: asyncio.AbstractEventLoop, ports: Ports) -> None:
    """Makes the loop take UDP ports of this range where it would let the system pick one.

    aioice asks the loop for each socket and names port 0. A range without a free port is an
    OSError (EADDRINUSE), which leaves that address out of the offer.
    """
    confined: Any = loop
    usual: Any = loop.create_datagram_endpoint
    upcoming = 0

    async def within(factory: Any, local_addr: Any = None, **others: Any) -> Any:
        nonlocal upcoming
        if local_addr is None or local_addr[1] != 0:
            return await usual(factory, local_addr=local_addr, **others)
        for _ in range(len(ports)):
            # One after another, so that a port just given back rests for as long as can be.
            port = ports.first + upcoming
            upcoming = (upcoming + 1) % len(ports)
            try:
                return await usual(factory, local_addr=(local_addr[0], port), **others)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, f"no free UDP port in {ports}")

    confined.create_datagram_endpoint = within
