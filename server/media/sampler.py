"""Key frames to pictures, in a process of its own: a decoder fed by strangers shares nothing."""

import asyncio
import fractions
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess

from .evidence import KeyframeRefused
from .rtp import vp8_keyframe_size

DEADLINE = 5.0  # seconds of one decode
START = 60.0  # seconds a busy machine may take to start the process
MAX_PENDING = 8
MAX_SIDE = 4096  # pixels
QUALITY = 3  # JPEG quantiser, 2 (best) to 31
FF_QP2LAMBDA = 118  # FFmpeg's unit of the quantiser


class Sampler:
    """A bounded pool of decoding processes; one is enough for a session's samples."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._started: asyncio.Future[None] | None = None
        self._pending = 0

    async def decode_keyframe(self, data: bytes) -> bytes:
        """The picture of one VP8 key frame as JPEG. Raises KeyframeRefused."""
        size = vp8_keyframe_size(data)
        if size is None or not 0 < min(size) <= max(size) <= MAX_SIDE:
            raise KeyframeRefused("not a VP8 key frame of a sensible size")
        if self._pending >= MAX_PENDING:
            raise KeyframeRefused("too many pictures are being decoded")
        loop = asyncio.get_running_loop()
        if self._pool is None or self._started is None:
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=belong_to_parent,
            )
            self._started = loop.run_in_executor(self._pool, load)
        pool = self._pool
        self._pending += 1
        try:
            # Apart from the decode: a process killed because it starts slowly never starts.
            await asyncio.wait_for(asyncio.shield(self._started), START)
            work = loop.run_in_executor(pool, decode, data)
            return await asyncio.wait_for(work, DEADLINE)
        except TimeoutError as error:
            self._restart(pool)
            raise KeyframeRefused("the picture did not decode in time") from error
        except BrokenProcessPool as error:
            self._restart(pool)
            raise KeyframeRefused("the decoder died of this picture") from error
        except ValueError as error:
            raise KeyframeRefused(str(error)) from error
        finally:
            self._pending -= 1

    def close(self) -> None:
        """Stops the processes; pictures being decoded are given up."""
        if self._pool is not None:
            self._restart(self._pool)

    def _restart(self, pool: ProcessPoolExecutor) -> None:
        """Gives up a pool whose process hangs or died; the next call makes a new one."""
        if self._pool is pool:
            self._pool = None
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)


def belong_to_parent() -> None:
    """Leaves Ctrl-C to the server, which alone answers it, and ends when the server does.

    A pool's process waits on a pipe that it holds open itself, so that it would outlive a server
    killed with -9.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(0)


def load() -> None:
    """Loads the codecs: most of what a first picture would wait for."""
    import av
    import av.video.codeccontext  # noqa: F401


def decode(data: bytes) -> bytes:
    """One VP8 key frame to JPEG, 6-12 ms at 640x480. Raises ValueError. Runs in the pool."""
    import av
    import av.error
    from av.video.codeccontext import VideoCodecContext

    try:
        decoder = VideoCodecContext.create("vp8", "r")
        decoder.thread_count = 1
        frames = decoder.decode(av.Packet(data)) or decoder.decode(None)
        picture = frames[0].reformat(format="yuvj420p")
        encoder = VideoCodecContext.create("mjpeg", "w")
        encoder.width, encoder.height = picture.width, picture.height
        encoder.pix_fmt = "yuvj420p"
        encoder.time_base = fractions.Fraction(1, 1)
        encoder.options = {"flags": "+qscale", "global_quality": str(QUALITY * FF_QP2LAMBDA)}
        packets = encoder.encode(picture) + encoder.encode(None)
        return b"".join(bytes(packet) for packet in packets)
    except (av.error.FFmpegError, IndexError) as error:
        raise ValueError(f"the key frame does not decode: {error}") from error
