"""`farseal serve` with a clock of its own: it opens at the time that OFFICE/opens_at says.

    python clocked_office.py [--workers N --media-ports FIRST-LAST] --data OFFICE/data --port N

The server takes its clock by argument; nothing else differs. The clock begins when the server first
asks, so that a machine that starts a process slowly takes nothing from anybody's minute of grace.
"""

import asyncio
import sys
import time
from pathlib import Path


def main() -> None:
    # Here and not above: a process that the server spawns reads this file again.
    from server.app import serve
    from server.config import read_config
    from server.observe import configure

    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    data = Path(options["--data"])
    opens_at = int((data.parent / "opens_at").read_text())
    began: list[int] = []

    def clock() -> int:
        now = time.monotonic_ns() // 1_000_000
        if not began:
            began.append(now)
        return opens_at + now - began[0]

    configure()
    config = read_config(
        data=data,
        port=int(options["--port"]),
        workers=int(options.get("--workers", "1")),
        media_ports=options.get("--media-ports"),
        environment={},
    )
    asyncio.run(serve(config, clock=clock, ready=lambda office: print(office.url, flush=True)))


if __name__ == "__main__":
    main()
