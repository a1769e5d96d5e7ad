"""The decoding process: what it makes of a picture, and that it ends with its server."""

import asyncio
import json
import os
import sys

import pytest

from server.media import KeyframeRefused, Sampler
from server.rehearsal.peer import Clip

HEAD = b"\x10\x02\x00\x9d\x01\x2a\x10\x00\x10\x00"  # of a key frame, 16x16
PICTURE = HEAD + bytes(20)  # decodes to grey
SERVER = """
import asyncio, json, multiprocessing, sys
from server.media import Sampler

async def main():
    sampler = Sampler()
    await sampler.decode_keyframe(bytes.fromhex(sys.argv[1]))
    print(json.dumps([each.pid for each in multiprocessing.active_children()]), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_picture_is_decoded_and_nonsense_refused(clip: Clip) -> None:
    sampler = Sampler()
    try:
        assert (await sampler.decode_keyframe(clip.video[0])).startswith(b"\xff\xd8")
        with pytest.raises(KeyframeRefused, match="does not decode"):
            await sampler.decode_keyframe(HEAD)
        assert (await sampler.decode_keyframe(clip.video[0])).startswith(b"\xff\xd8")
    finally:
        sampler.close()


async def test_a_decoder_does_not_outlive_a_killed_server() -> None:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER, PICTURE.hex()), stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    try:
        async with asyncio.timeout(60):
            [decoder] = json.loads(await server.stdout.readline())
        # Readable once the process has ended, whoever its parent is by then.
        ended, handle = asyncio.Event(), os.pidfd_open(decoder)
    finally:
        server.kill()
        await server.wait()
    asyncio.get_running_loop().add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(30):
            await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)
