"""Files at the door: read no more than allowed, then let the sandbox look inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from server.http.problems import Refusal
from server.http.sandbox import Broken, Sandbox

LARGEST_PAPER = 20_000_000
_FRAMING = 64_000  # multipart lines around the file
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it came: its bytes, the name and the type its sender gave it."""

    data: bytes
    name: str
    declared: str


@dataclass(frozen=True, slots=True)
class Paper:
    """A file that may come in: its real media type and its pages."""

    data: bytes
    name: str
    media_type: str
    pages: int


async def read_upload(request: web.Request, *, limit: int = LARGEST_PAPER) -> Upload:
    """Return the multipart field `file`. Raises Refusal `upload-too-large`, `upload-empty`,
    `upload-missing`.

    A request that announces too much is refused before its body is read; one that does not announce
    is refused at the first byte past `limit`. Never more than `limit` bytes are held.
    """
    if (request.content_length or 0) > limit + _FRAMING:
        raise _too_large(limit)
    if not request.content_type.startswith("multipart/"):
        raise Refusal("upload-missing")
    try:
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "file":
                data = await _read(part, limit)
                if not data:
                    raise Refusal("upload-empty")
                name = (part.filename or "").replace("\\", "/").rsplit("/", 1)[-1]
                printable = "".join(letter for letter in name if letter.isprintable())
                return Upload(data, printable[:120], part.headers.get("Content-Type", ""))
    except (ValueError, AssertionError, EOFError, BadHttpMessage) as error:
        raise Refusal("upload-missing") from error
    raise Refusal("upload-missing")


async def inspect_upload(sandbox: Sandbox, upload: Upload) -> Paper:
    """Return the paper the upload is. Raises Refusal with the sandbox's reason."""
    try:
        verdict = await sandbox.run(
            "server.http.inspection", upload.data, (upload.name, upload.declared)
        )
    except Broken as broken:
        code = "upload-bomb" if broken.reason == "too-long" else "upload-unreadable"
        raise Refusal(code) from broken
    if "refused" in verdict:
        raise Refusal(str(verdict["refused"]), **_params(verdict))
    return Paper(upload.data, upload.name, str(verdict["media_type"]), int(verdict["pages"]))


def body_limit(limit: int = LARGEST_PAPER) -> int:
    """Return the largest request body that can be a paper within `limit`."""
    return limit + _FRAMING


def _params(verdict: dict[str, Any]) -> dict[str, Any]:
    params = verdict.get("params")
    return params if isinstance(params, dict) else {}


async def _read(part: BodyPartReader, limit: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(_CHUNK):
        data += chunk
        if len(data) > limit:
            raise _too_large(limit)
    return bytes(data)


def _too_large(limit: int) -> Refusal:
    return Refusal("upload-too-large", limit_mb=limit // 1_000_000)
