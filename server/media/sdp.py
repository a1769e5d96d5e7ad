"""What we negotiate: one codec of each kind, the feedback we give, and offers we take at all."""

import copy
import re

from aiortc.codecs import CODECS, is_rtx
from aiortc.rtcrtpparameters import (
    RTCRtcpFeedback,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
)

from .evidence import OfferRefused
from .rtp import ABS_SEND_TIME, AUDIO_LEVEL, MID, TWCC

MAX_OFFER = 64 << 10  # bytes
MAX_LINES = 24
MAX_CANDIDATES = 40
OURS = ("audio/opus", "video/vp8", "video/rtx")  # every WebRTC browser has them


def our_codecs(kind: str) -> list[RTCRtpCodecParameters]:
    """VP8 (with RTX) or Opus, with the feedback we give."""
    codecs = [copy.deepcopy(c) for c in CODECS[kind] if c.mimeType.lower() in OURS]
    for codec in codecs:
        if is_rtx(codec):
            continue
        codec.rtcpFeedback.append(RTCRtcpFeedback(type="transport-cc"))
        if kind == "audio":
            codec.rtcpFeedback.append(RTCRtcpFeedback(type="nack"))
            codec.parameters = {"minptime": 10, "useinbandfec": 1}
        else:
            codec.rtcpFeedback.append(RTCRtcpFeedback(type="ccm", parameter="fir"))
    return codecs


def our_extensions(kind: str) -> list[RTCRtpHeaderExtensionParameters]:
    """The header extensions we can use; the browser's numbers for them win."""
    uris = (MID, AUDIO_LEVEL, TWCC) if kind == "audio" else (MID, ABS_SEND_TIME, TWCC)
    return [RTCRtpHeaderExtensionParameters(id=i + 1, uri=uri) for i, uri in enumerate(uris)]


def checked_offer(offer: str) -> str:
    """Refuses what is too large, and leaves candidates with mDNS names out.

    Their owner reaches us anyway (peer-reflexive), and looking the names up would stall the answer.
    Without candidates the end of them must not be believed either, or ICE fails before the first
    check comes.
    """
    if len(offer) > MAX_OFFER:
        raise OfferRefused(f"an offer of {len(offer)} bytes")
    lines = offer.splitlines()
    if sum(line.startswith("m=") for line in lines) > MAX_LINES:
        raise OfferRefused(f"more than {MAX_LINES} media lines")
    if any(line.startswith("m=application") for line in lines):
        raise OfferRefused("data channels are not used here")
    if not any(line.startswith("m=") for line in lines):
        raise OfferRefused("no media lines")
    kept, candidates = [], 0
    for line in lines:
        if line.startswith("a=candidate:"):
            candidates += 1
            if candidates > MAX_CANDIDATES or re.search(r"\.local\b", line):
                continue
        if line.startswith("a=end-of-candidates"):
            continue
        kept.append(line)
    return "\r\n".join(kept) + "\r\n"
