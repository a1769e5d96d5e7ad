"""The live session: forward, record, prove. The manual of this room.

Browsers send VP8 and Opus over WebRTC. aiortc keeps SDP, ICE, DTLS and SRTP; its RTP sender and
receiver are replaced by ours, which forward packets as bytes and record frames without transcoding.
Nothing is ever decoded here, except single key frames in a process of their own.

A packet's way, all on the event loop's thread, no queue and no task in between:

    socket -> hooks.Wire (unprotect) -> connection (routes, congestion feedback)
      -> ingress (numbers, NACK, RTX) -> egress (a slot of each viewer: header anew) -> protect
                                      -> recorder -> frames -> timeline -> take -> disk thread

and on the disk thread: encrypt, append, fdatasync, digest, and only then the fact back to the loop.

    room = Room(session_id, directory=path, encrypt=vault, emit=journal, clock=epoch_ms, hosts=None)
    answer = await room.join("applicant", offer)      # again by the same name: evicts, next take
    room.keyframe("applicant"); room.quality("applicant")
    takes = await room.close()                        # everything that arrived is on the disk

`emit` gets facts (evidence.py): Joined, TakeStarted, SegmentClosed (each about a second, durable
when told), Gap (loss, freeze, mute, stall, reconnect, clock, lag, disk), RecorderFailed, TakeEnded,
Left. A participant of whom nothing is heard for 3 s is Left(reason="lost"): tell the others.

A take file is a row of encrypted segments (takefile.py); `read_take` gives the plaintext, which
joined is a WebM file that plays; `recover` says after a crash what is whole. A full disk ends the
take with what it has; the call goes on, and a new take begins when there is space again.

    evidence     facts, names, the digest chain        rtp        headers as bytes
    hooks        all that is private to aiortc         ingress    a track on its way in
    connection   one participant's media plane         egress     a slot towards a viewer
    room         who is here, who sees whom            feedback   congestion feedback
    recorder     one connection's takes                timeline   RTP time to one clock
    take         a running take                        frames     packets to frames
    takefile     bytes on disk and back                webm       the container
    gaps         silences measured                     sampler    key frame to picture
    sdp          what we negotiate                     supervisor owns the few tasks there are
    placement    which process a session is in         seats      this process; what one offers
    crew         the workers, from the server          worker     a worker, from inside
    pipe         messages between the two              ports      UDP ports of a range
    turn         credentials of browsers' relays

Errors are one tree, drawn in evidence.py. This package imports nothing of ours but server.domain.
"""

from .crew import Crew, Settings
from .evidence import (
    Fact,
    Gap,
    Joined,
    Keyframe,
    KeyframeRefused,
    Left,
    MediaError,
    MediaFact,
    NameRefused,
    NoSeat,
    OfferRefused,
    Quality,
    RecorderFailed,
    RoomClosed,
    RoomFull,
    SegmentClosed,
    TakeDamaged,
    TakeEnded,
    TakeStarted,
    TakeSummary,
    UnsupportedStack,
    WorkerGone,
)
from .placement import Book, Placement
from .ports import Ports, confine
from .room import Room
from .sampler import Sampler
from .seats import LocalSeat, Seat, SeatedRoom, TakeCipher
from .takefile import StoredSegment, read_take, recover
from .turn import Turn

__all__ = [
    "Book",
    "Crew",
    "Fact",
    "Gap",
    "Joined",
    "Keyframe",
    "KeyframeRefused",
    "Left",
    "LocalSeat",
    "MediaError",
    "MediaFact",
    "NameRefused",
    "NoSeat",
    "OfferRefused",
    "Placement",
    "Ports",
    "Quality",
    "RecorderFailed",
    "Room",
    "RoomClosed",
    "RoomFull",
    "Sampler",
    "Seat",
    "SeatedRoom",
    "SegmentClosed",
    "Settings",
    "StoredSegment",
    "TakeCipher",
    "TakeDamaged",
    "TakeEnded",
    "TakeStarted",
    "TakeSummary",
    "Turn",
    "UnsupportedStack",
    "WorkerGone",
    "confine",
    "read_take",
    "recover",
]
