"""Asking other people's time stamping authorities, one after another until one gives a good token.

The transport is handed in (`post`: address and request to response bytes), so this package opens no
connection. pyHanko's client dies of a ValueError on any rejection; here a rejection is read, named,
and the next authority asked.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cryptography import x509

from signing import der
from signing.errors import CertificateError, TimestampError, TimestampRejected
from signing.tokens import Token, read_token

_SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
_LARGEST_RESPONSE = 64 * 1024
# RFC 3161 2.4.2, PKIFailureInfo
_FAILURES = {
    0: "bad_alg",
    2: "bad_request",
    5: "bad_data_format",
    14: "time_not_available",
    15: "unaccepted_policy",
    16: "unaccepted_extension",
    17: "add_info_not_available",
    25: "system_failure",
}


@dataclass(frozen=True, slots=True)
class Stamp:
    """A token (DER), what it says, and the address it came from."""

    token: bytes
    says: Token
    address: str


@dataclass(frozen=True, slots=True)
class Client:
    """Authorities in order of preference. Every request has a deadline (seconds) and a nonce."""

    addresses: Sequence[str]
    roots: Sequence[x509.Certificate]
    post: Callable[[str, bytes], Awaitable[bytes]]
    deadline_s: float = 5.0
    random: Callable[[int], bytes] = os.urandom

    async def timestamp(self, digest: bytes) -> Stamp:
        """Return the first good token over a SHA-256 digest.

        Raises TimestampError naming every authority and why it gave none.
        """
        failures = []
        for address in self.addresses:
            try:
                return await self._ask(address, digest)
            except (TimestampError, CertificateError, OSError, TimeoutError) as failure:
                failures.append(f"{address}: {failure or 'no answer in time'}")
        raise TimestampError("no authority gave a time stamp: " + "; ".join(failures))

    async def _ask(self, address: str, digest: bytes) -> Stamp:
        # One byte less than a nonce may have, and never zero at its front: the same DER everywhere.
        nonce = int.from_bytes(b"\x01" + self.random(15), "big")
        async with asyncio.timeout(self.deadline_s):
            answer = await self.post(address, request(digest, nonce=nonce))
        token = read_response(answer)
        says = read_token(token, digest=digest, roots=self.roots)
        if says.nonce != nonce:
            raise TimestampError("the token answers another request")
        return Stamp(token, says, address)


def request(digest: bytes, *, nonce: int) -> bytes:
    """Encode a TimeStampReq over a SHA-256 digest that asks for certificates (RFC 3161 2.4.1)."""
    imprint = der.sequence(_SHA256, der.octets(digest))
    return der.sequence(der.integer(1), imprint, der.integer(nonce), b"\x01\x01\xff")


def read_response(response: bytes) -> bytes:
    """Return the token of a TimeStampResp. Raises TimestampRejected, or TimestampError if neither.

    Read by hand: asn1crypto wrongly demands a token in every response.
    """
    if len(response) > _LARGEST_RESPONSE:
        raise TimestampError("the authority's answer is too large")
    try:
        ((tag, body),) = der.members(response)
        (_, status), *rest = der.members(body)
        (_, number), *details = der.members(status)
    except ValueError as failure:
        raise TimestampError("the authority's answer is not a time stamp response") from failure
    granted = int.from_bytes(number, "big") in (0, 1)
    if tag == 0x30 and granted and len(rest) == 1:
        return der.element(rest[0][0], rest[0][1])
    raise TimestampRejected(_failure(details), _text(details))


def _failure(details: Sequence[tuple[int, bytes]]) -> str:
    for tag, body in details:
        if tag == 0x03 and len(body) > 1:
            value = int.from_bytes(body[1:], "big")
            bits = [bit for bit in range(8 * (len(body) - 1)) if value >> _shift(body, bit) & 1]
            return ", ".join(_FAILURES.get(bit, f"bit {bit}") for bit in bits) or "unspecified"
    return "unspecified"


def _shift(body: bytes, bit: int) -> int:
    return 8 * (len(body) - 1) - 1 - bit


def _text(details: Sequence[tuple[int, bytes]]) -> str:
    try:
        texts = [text for tag, body in details if tag == 0x30 for _, text in der.members(body)]
    except ValueError:
        texts = []
    return " ".join(text.decode("utf-8", "replace") for text in texts)[:200] or "no reason given"
