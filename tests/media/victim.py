"""Records a call of two scripted peers and prints each durable segment, until it is killed."""

import asyncio
import dataclasses
import json
import pathlib
import sys

import numpy as np

from server.media import MediaFact, Room, SegmentClosed
from server.rehearsal.peer import Peer, encode_clip

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from media.conftest import SESSION, Vault, epoch_ms


def tell(fact: MediaFact) -> None:
    if isinstance(fact, SegmentClosed):
        print(json.dumps(dataclasses.asdict(fact)), flush=True)


async def main() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (120, 160, 3), np.uint8)
    clip = encode_clip([np.roll(noise, n, axis=1) for n in range(30)], bitrate=300_000)
    room = Room(
        SESSION,
        directory=pathlib.Path(sys.argv[1]),
        encrypt=Vault().encrypt,
        emit=tell,
        clock=epoch_ms,
        hosts=["127.0.0.1"],
    )
    for name in ("notary", "applicant"):

        async def join(offer: str, name: str = name) -> str:
            return await room.join(name, offer)

        await Peer(clip, exchange=join, hosts=["127.0.0.1"]).connect()
    await asyncio.Event().wait()


asyncio.run(main())
