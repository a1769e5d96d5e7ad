"""DER by hand, for the few structures that are written often or that no kept library can write.

Every function returns the whole encoding, tag and length included (ITU-T X.690). A time stamp token
built this way costs one elliptic signature and nothing else; built from ASN.1 objects it costs
eighty times that. Reading what others wrote stays with `asn1crypto`.
"""

from datetime import datetime

from asn1crypto.core import Asn1Value, Choice

_CONSTRUCTED = 0x20
_DEEPEST = 40


def length(count: int) -> bytes:
    """Encode a definite length (X.690 8.1.3, shortest form as DER demands)."""
    if count < 0x80:
        return bytes([count])
    body = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(body)]) + body


def element(tag: int, *parts: bytes) -> bytes:
    """Encode one element with the given identifier octet around the joined parts."""
    body = b"".join(parts)
    return bytes([tag]) + length(len(body)) + body


def sequence(*parts: bytes) -> bytes:
    return element(0x30, *parts)


def set_of(*parts: bytes) -> bytes:
    """Encode a SET OF, its members in the order DER demands (X.690 11.6)."""
    return element(0x31, *sorted(parts))


def integer(value: int) -> bytes:
    """Encode a non-negative INTEGER."""
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(value: bytes) -> bytes:
    return element(0x04, value)


def utf8(value: str) -> bytes:
    return element(0x0C, value.encode())


def oid(dotted: str) -> bytes:
    """Encode an OBJECT IDENTIFIER (X.690 8.19)."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    body = bytearray()
    for arc in (first * 40 + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | (arc & 0x7F))
        body += bytes(reversed(septets))
    return element(0x06, bytes(body))


def named_bit(bit: int) -> bytes:
    """Encode a BIT STRING with exactly one named bit set (X.690 11.2.2: no trailing zeros)."""
    body = bytearray(bit // 8 + 1)
    body[-1] = 0x80 >> (bit % 8)
    return element(0x03, bytes([7 - bit % 8]), bytes(body))


def utc_time(moment: datetime) -> bytes:
    """Encode a UTCTime, whole seconds; `moment` is in UTC and before 2050."""
    return element(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def generalized_time(moment: datetime) -> bytes:
    """Encode a GeneralizedTime with milliseconds, trailing zeros dropped (X.690 11.7)."""
    fraction = f".{moment.microsecond // 1000:03d}".rstrip("0").rstrip(".")
    return element(0x18, moment.strftime("%Y%m%d%H%M%S").encode(), fraction.encode(), b"Z")


def members(body: bytes) -> list[tuple[int, bytes]]:
    """Split the content of a constructed element into (tag, content) pairs.

    Raises ValueError unless every length is definite, shortest and exact.
    """
    found = []
    while body:
        if len(body) < 2:
            raise ValueError("an element is cut short")
        count, start = body[1], 2
        if count >= 0x80:
            start = 2 + (count & 0x7F)
            count = int.from_bytes(body[2:start], "big")
        if body[1:start] != length(count) or start + count > len(body):
            raise ValueError("a length is not DER")
        found.append((body[0], body[start : start + count]))
        body = body[start + count :]
    return found


def require_exact(encoding: bytes) -> None:
    """Require one element whose lengths, all the way down, are definite, shortest and exact.

    Raises ValueError. Nesting deeper than any structure of ours is refused too.
    """
    if len(members(encoding)) != 1:
        raise ValueError("more than one element")
    waiting = [(encoding, 0)]
    while waiting:
        content, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError("elements are nested too deeply")
        waiting += [(body, depth + 1) for tag, body in members(content) if tag & _CONSTRUCTED]


def as_read(value: Asn1Value) -> bytes:
    """Return the encoding a value was read from, to the byte.

    asn1crypto 1.5's `dump` of a container takes a length that ends in the octet 0x80 for an
    indefinite one, and encodes what it understood of the value anew.
    """
    return bytes(Asn1Value.dump(value.chosen if isinstance(value, Choice) else value))
