"""Credentials for the office's TURN server: who is let through it, and until when.

Browsers only. A browser that reaches the media ports by no path of its own is relayed by coturn;
the server itself needs no relay and asks none. coturn shares one secret with the office and keeps
no accounts (its `use-auth-secret`, draft-uberti-behave-turn-rest-00): the name begins with its own
end, the password is that name under the secret. Neither is stored; a name with another end needs
another password.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any

LIFETIME_MS = 2 * 3_600_000
"""How long one is let in, ms: a long session. A browser asks anew whenever it connects anew."""


class Turn:
    """One office's TURN servers, `turn:` and `turns:` addresses, all with the same secret.

    Without addresses there is none: `servers` is empty, and browsers go straight.
    """

    def __init__(self, urls: Sequence[str], *, secret: bytes, clock: Callable[[], int]) -> None:
        self._urls = tuple(urls)
        self._secret = secret
        self._clock = clock

    def servers(self, participant: str) -> list[Mapping[str, Any]]:
        """Return what a participant's browser needs, as RTCIceServer (W3C WebRTC 4.2.4).

        `participant` names the person to coturn, which counts its allocations by it.
        """
        if not self._urls:
            return []
        expiry = (self._clock() + LIFETIME_MS) // 1000
        username, password = credential(self._secret, participant, expiry=expiry)
        return [{"urls": list(self._urls), "username": username, "credential": password}]


def credential(secret: bytes, participant: str, *, expiry: int) -> tuple[str, str]:
    """Return user name and password that hold until `expiry`, s UTC.

    HMAC-SHA-1 is what coturn's protocol fixes (draft-uberti-behave-turn-rest-00, 2.2).
    """
    username = f"{expiry}:{participant}"
    return username, base64.b64encode(hmac.digest(secret, username.encode(), hashlib.sha1)).decode()
