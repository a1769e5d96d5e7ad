"""What a stranger's paper really is, and what hides in it. Runs in the sandbox's child.

Called as `python -I -m server.http.inspection NAME DECLARED_TYPE`; the answer is
`{"media_type": ..., "pages": n}` or `{"refused": code, "params": {...}}`. Only JPEG, PNG and PDF
are papers. Codes: `upload-heic`, `upload-bomb`, `upload-type-lies`, `upload-type-unknown`,
`upload-script`, `upload-unreadable`.
"""

from __future__ import annotations

import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import pypdfium2
from pyhanko.pdf_utils import generic, misc
from pyhanko.pdf_utils.reader import PdfFileReader

from server.http.sandbox import answer, read_input, shut_in

JPEG, PNG, PDF = "image/jpeg", "image/png", "application/pdf"
_EXTENSIONS = {".jpg": JPEG, ".jpeg": JPEG, ".png": PNG, ".pdf": PDF}
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"heif"}
_PIXELS = 60_000_000
_UNPACKED = 200_000_000
_RATIO = 200
_PAGES = 300
_ACTIONS = {"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToE", "/RichMediaExecute"}
_HIDING = {"/JavaScript", "/JS", "/EmbeddedFile", "/EmbeddedFiles", "/RichMedia", "/XFA", "/AA"}


class Refused(Exception):
    """The paper is turned down; `code` is a key of the catalogue of messages."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def inspect(data: bytes, *, name: str, declared: str) -> dict[str, Any]:
    """Return media type and pages of a paper. Raises Refused with the reason."""
    kind = sniff(data)
    if kind == "image/heic":
        raise Refused("upload-heic")
    if kind == "application/zip":
        _refuse_bombs(data)
    promised = {_EXTENSIONS.get("." + name.lower().rsplit(".", 1)[-1]), _known(declared)} - {None}
    if promised - {kind}:
        raise Refused(
            "upload-type-lies", promised=sorted(map(str, promised - {kind}))[0], found=kind
        )
    if kind == JPEG:
        _check_jpeg(data)
        return {"media_type": kind, "pages": 1}
    if kind == PNG:
        _check_png(data)
        return {"media_type": kind, "pages": 1}
    if kind == PDF:
        return {"media_type": kind, "pages": _check_pdf(data)}
    raise Refused("upload-type-unknown", found=kind)


def sniff(data: bytes) -> str:
    """Return the media type the bytes themselves show."""
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if b"%PDF-" in data[:1024]:
        return PDF
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return "image/heic"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "application/zip"
    if data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")):
        return "application/x-archive"
    if data.startswith((b"MZ", b"\x7fELF")):
        return "application/x-executable"
    return "application/octet-stream"


def _known(declared: str) -> str | None:
    plain = declared.split(";")[0].strip().lower()
    plain = JPEG if plain == "image/jpg" else plain
    return plain if plain in (JPEG, PNG, PDF) else None


def _refuse_bombs(data: bytes) -> None:
    try:
        unpacked = sum(entry.file_size for entry in zipfile.ZipFile(io.BytesIO(data)).infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise Refused("upload-unreadable") from error
    if unpacked > _UNPACKED or unpacked > _RATIO * len(data):
        raise Refused("upload-bomb", unpacked_mb=unpacked // 1_000_000)


def _refuse_pixels(width: int, height: int) -> None:
    if width * height > _PIXELS:
        raise Refused("upload-bomb", width=width, height=height)
    if not width or not height:
        raise Refused("upload-unreadable")


def _check_jpeg(data: bytes) -> None:
    """Walk the segments to the frame header, then let PDFium decode the picture for real."""
    at = 2
    while True:
        if at + 9 > len(data) or data[at] != 0xFF:
            raise Refused("upload-unreadable")
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        if marker == 0xFF:
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            break
        at += 2 + length
    _refuse_pixels(width, height)
    if b"\xff\xd9" not in data[-4096:]:
        raise Refused("upload-unreadable")  # cut off on the way
    document = pypdfium2.PdfDocument.new()
    try:
        image = pypdfium2.PdfImage.new(document)
        image.load_jpeg(io.BytesIO(data), inline=True)
        image.get_bitmap()
    except pypdfium2.PdfiumError as error:
        raise Refused("upload-unreadable") from error
    finally:
        document.close()


def _check_png(data: bytes) -> None:
    """Check every chunk's CRC and inflate the picture within the size its header states."""
    packed, header, ended, at = bytearray(), None, False, 8
    while at + 12 <= len(data) and not ended:
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if len(body) < length or zlib.crc32(kind + body) != _crc_at(data, at + 8 + length):
            raise Refused("upload-unreadable")
        if kind == b"IHDR" and length == 13:
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        ended = kind == b"IEND"
        at += 12 + length
    if header is None or not ended:
        raise Refused("upload-unreadable")
    width, height, depth, colour = header[:4]
    _refuse_pixels(width, height)
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if samples is None:
        raise Refused("upload-unreadable")
    most = (
        height * (width * samples * depth // 8 + 2) + 8 * (width + height) + 64
    )  # Adam7 adds rows
    got = _inflated(bytes(packed), most)
    if got > most:
        raise Refused("upload-bomb")
    if got < height * (width * samples * depth // 8):
        raise Refused("upload-unreadable")


def _crc_at(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big") if at + 4 <= len(data) else -1


def _inflated(packed: bytes, most: int) -> int:
    """Return how many bytes come out, counting no further than just past `most`."""
    machine, total, rest = zlib.decompressobj(), 0, packed
    try:
        while rest and total <= most and not machine.eof:
            total += len(machine.decompress(rest, 1 << 20))
            rest = machine.unconsumed_tail
    except zlib.error as error:
        raise Refused("upload-unreadable") from error
    return total


def _check_pdf(data: bytes) -> int:
    try:
        reader = PdfFileReader(io.BytesIO(data), strict=False)
        if reader.encrypted:
            raise Refused("upload-unreadable")
        unpacked = 0
        for thing in _objects(reader):
            unpacked += _refuse_hiding(thing)
            if unpacked > _UNPACKED:
                raise Refused("upload-bomb", unpacked_mb=unpacked // 1_000_000)
    except (misc.PdfError, ValueError, KeyError, TypeError, IndexError, OSError) as error:
        raise Refused("upload-unreadable") from error
    except RecursionError as error:
        raise Refused("upload-bomb") from error
    try:
        document = pypdfium2.PdfDocument(data)
        pages = len(document)
        if not 0 < pages <= _PAGES:
            raise Refused("upload-unreadable" if not pages else "upload-bomb", pages=pages)
        for number in range(min(pages, 3)):
            width, height = document[number].get_size()
            document[number].render(scale=min(1.0, 600 / max(width, height, 1)))
    except pypdfium2.PdfiumError as error:
        raise Refused("upload-unreadable") from error
    return pages


def _objects(reader: PdfFileReader) -> Iterator[Any]:
    """Yield the root and every object that any revision's cross-reference table names."""
    yield reader.root
    named = set()
    for revision in range(reader.total_revisions):
        named |= {
            (reference.idnum, reference.generation)
            for reference in reader.xrefs.explicit_refs_in_revision(revision)
        }
    for idnum, generation in sorted(named):
        yield generic.Reference(idnum, generation, pdf=reader).get_object()


def _refuse_hiding(thing: Any, depth: int = 0) -> int:
    """Raise Refused when `thing` acts or carries files; return the bytes its stream unpacks to."""
    if depth > 60:
        raise Refused("upload-bomb")
    if isinstance(thing, generic.DictionaryObject):
        for key in thing:
            if key in _HIDING:
                raise Refused("upload-script", found=str(key).lstrip("/"))
        action = thing.raw_get("/S") if "/S" in thing else None
        if isinstance(action, generic.NameObject) and str(action) in _ACTIONS:
            raise Refused("upload-script", found=str(action).lstrip("/"))
        kind = thing.raw_get("/Type") if "/Type" in thing else None
        if isinstance(kind, generic.NameObject) and str(kind) == "/EmbeddedFile":
            raise Refused("upload-script", found="EmbeddedFile")
        for key in thing:
            _refuse_hiding(thing.raw_get(key), depth + 1)
    elif isinstance(thing, generic.ArrayObject):
        for place in range(len(thing)):
            _refuse_hiding(thing.raw_get(place), depth + 1)
    if isinstance(thing, generic.StreamObject):
        return _unpacked(thing)
    return 0


def _unpacked(stream: generic.StreamObject) -> int:
    filters = stream.get("/Filter", None)
    names = (
        [str(filters)] if isinstance(filters, generic.NameObject) else list(map(str, filters or ()))
    )
    if not names or names[0] not in ("/FlateDecode", "/Fl"):
        return len(stream.encoded_data)
    if len(names) > 2:
        raise Refused("upload-bomb")  # nobody packs a paper three times over
    machine, total, rest = zlib.decompressobj(), 0, stream.encoded_data
    try:
        while rest and total <= _UNPACKED and not machine.eof:
            total += len(machine.decompress(rest, 1 << 20))
            rest = machine.unconsumed_tail
    except zlib.error:
        return total  # PDFium decides below whether the page can be read all the same
    return total


def main() -> None:
    """Read the paper, give the verdict."""
    name, declared = sys.argv[1:3]
    shut_in(megabytes=900, cpu_seconds=10)
    data = read_input()
    try:
        answer(inspect(data, name=name, declared=declared))
    except Refused as refused:
        answer({"refused": refused.code, "params": refused.params})
    except MemoryError:
        answer({"refused": "upload-bomb", "params": {}})


if __name__ == "__main__":
    main()
