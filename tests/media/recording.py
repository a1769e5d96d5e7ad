"""Looks at a recording as a stranger would: the file as a WebM, decoded in full."""

import io
import pathlib
from dataclasses import dataclass, field

import av
import numpy as np

from server.media import read_take
from server.media.takefile import Decrypt

LOUD = 0.1
BRIGHT = 150


@dataclass(slots=True)
class Recording:
    """What decoding found; times in seconds of the file."""

    first_is_key: bool = False
    video_times: list[float] = field(default_factory=list)
    audio_times: list[float] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    flashes: list[tuple[float, float]] = field(
        default_factory=list
    )  # last dark, first bright frame
    beeps: list[float] = field(default_factory=list)
    packets: dict[str, list[bytes]] = field(default_factory=lambda: {"audio": [], "video": []})

    @property
    def duration(self) -> float:
        return max(self.video_times[-1], self.audio_times[-1] + 0.02)


def look(path: pathlib.Path, decrypt: Decrypt) -> Recording:
    """Decodes a take completely; any frame that does not decode raises av.FFmpegError."""
    found = Recording()
    dark, quiet_until = True, -1.0
    with av.open(io.BytesIO(b"".join(read_take(path, decrypt)))) as container:
        for packet in container.demux():
            if packet.size:
                found.packets[packet.stream.type].append(bytes(packet))
            for frame in packet.decode():
                assert frame.time is not None
                if isinstance(frame, av.VideoFrame):
                    if not found.video_times:
                        found.first_is_key = frame.key_frame
                    found.video_times.append(frame.time)
                    size = (frame.width, frame.height)
                    if size not in found.sizes[-1:]:
                        found.sizes.append(size)
                    luma = frame.to_ndarray(format="gray")
                    bright = float(luma[: luma.shape[0] // 2].mean()) > BRIGHT
                    if bright and dark:
                        before = found.video_times[-2] if len(found.video_times) > 1 else frame.time
                        found.flashes.append((before, frame.time))
                    dark = not bright
                elif isinstance(frame, av.AudioFrame):
                    found.audio_times.append(frame.time)
                    sound = np.abs(frame.to_ndarray().astype(np.float32))
                    if frame.format.name.startswith("s16"):
                        sound /= 32768
                    channels = frame.layout.nb_channels if not frame.format.is_planar else 1
                    loud = np.nonzero(sound[0][::channels] > LOUD)[0]
                    if loud.size:
                        at = frame.time + loud[0] / frame.sample_rate
                        if at > quiet_until:
                            found.beeps.append(at)
                        quiet_until = frame.time + 0.3
    return found
