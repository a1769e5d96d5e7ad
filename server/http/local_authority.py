"""The authority that phones on a local network have to trust, to be fetched by them."""

from __future__ import annotations

from aiohttp import web

from server.http.routes import PUBLIC, Answer, Call, endpoint


class LocalAuthority:
    """One file for `farseal serve --tls`; it is public, and no part of the notarial trust."""

    def __init__(self, der: bytes) -> None:
        self._der = der

    @endpoint("GET", "/local-authority.cer", roles=PUBLIC)
    async def authority(self, call: Call) -> Answer:
        """Give the certificate of this machine's own authority (DER)."""
        headers = {"Cache-Control": "no-store"}
        return web.Response(
            body=self._der, content_type="application/x-x509-ca-cert", headers=headers
        )
