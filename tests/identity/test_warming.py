"""The decoding process is started before it is needed, by one picture."""

from server.analysis import warm_sampler
from server.media import Sampler


class Counting(Sampler):
    """A sampler that counts what it is asked."""

    asked = 0

    async def decode_keyframe(self, data: bytes) -> bytes:
        self.asked += 1
        return await super().decode_keyframe(data)


async def test_one_picture_warms_it():
    sampler = Counting()
    await warm_sampler(sampler)
    sampler.close()
    assert sampler.asked == 1
