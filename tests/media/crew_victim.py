"""A server with two media workers; prints their processes, and waits to be killed."""

import asyncio
import pathlib
import sys

from server.folder import locked
from server.media import Crew, Settings

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from media.memory import Memory


async def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    command = (sys.executable, "-m", "server.media_process")
    with locked(directory / "lock") as lock:
        settings = Settings(
            directory=directory,
            hosts=["127.0.0.1"],
            ports=None,
            ahead_ms=0,
            held=(lock.fileno(),),
        )
        async with Crew(2, settings, command=command, book=Memory()) as crew:
            print(*(seat.pid for seat in crew.seats), flush=True)
            await asyncio.Event().wait()


asyncio.run(main())
