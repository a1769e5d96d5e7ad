"""Papers at the door: what a stranger's file really is, and what hides in it."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable

import pikepdf
import pytest
from PIL import Image

from server.http.problems import Refusal
from server.http.sandbox import Broken, Sandbox
from server.http.uploads import Paper, Upload, inspect_upload

Dictionary, Name = pikepdf.Dictionary, pikepdf.Name


def pdf(change: Callable[[pikepdf.Pdf], None] | None = None, **save: object) -> bytes:
    document, file = pikepdf.new(), io.BytesIO()
    document.add_blank_page()
    if change:
        change(document)
    document.save(file, **save)  # type: ignore[arg-type]
    return file.getvalue()


def script(document: pikepdf.Pdf) -> None:
    document.Root.OpenAction = Dictionary(S=Name.JavaScript, JS="app.alert(1)")


def script_by_another_name(document: pikepdf.Pdf) -> None:
    document.Root.OpenAction = Dictionary({"/S": Name("/JavaScript")})


def named_script(document: pikepdf.Pdf) -> None:
    names = Dictionary(JavaScript=Dictionary(Names=pikepdf.Array(["a", Dictionary(S=Name.URI)])))
    document.Root.Names = document.make_indirect(names)


def launch(document: pikepdf.Pdf) -> None:
    action = Dictionary(S=Name.Launch, F="program.exe")
    link = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=[0, 0, 9, 9], A=action)
    document.pages[0].Annots = document.make_indirect(pikepdf.Array([document.make_indirect(link)]))


def attachment(document: pikepdf.Pdf) -> None:
    document.attachments["inside.txt"] = b"a file in a file"


def page_action(document: pikepdf.Pdf) -> None:
    document.pages[0].AA = Dictionary(O=Dictionary(S=Name.URI, URI="https://example.org"))


def opens_at_a_page(document: pikepdf.Pdf) -> None:
    document.Root.OpenAction = pikepdf.Array([document.pages[0].obj, Name.Fit])


def bomb(document: pikepdf.Pdf) -> None:
    machine = zlib.compressobj(9)
    packed = b"".join(machine.compress(bytes(1 << 20)) for _ in range(250)) + machine.flush()
    stream = pikepdf.Stream(document, b"")
    stream.write(packed, filter=Name.FlateDecode)
    document.pages[0].Contents = stream


def png(width: int, height: int, rows: bytes | None = None) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes((width * 3 + 1) * height) if rows is None else rows)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def picture(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.frombytes("RGB", (64, 48), os.urandom(64 * 48 * 3)).save(file, kind, **options)
    return file.getvalue()


def archive(*, size: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a", bytes(size))
    return file.getvalue()


HEIC = b"\0\0\0\x18ftypheic" + bytes(100)
REFUSED = {
    "script": ("a.pdf", pdf(script), "upload-script"),
    "script in a stream of objects": (
        "a.pdf",
        pdf(script, object_stream_mode=pikepdf.ObjectStreamMode.generate),
        "upload-script",
    ),
    "script with an escaped name": (
        "a.pdf",
        pdf(script_by_another_name).replace(b"/JavaScript", b"/J#61vaScript"),
        "upload-script",
    ),
    "script by name": ("a.pdf", pdf(named_script), "upload-script"),
    "launch": ("a.pdf", pdf(launch), "upload-script"),
    "attachment": ("a.pdf", pdf(attachment), "upload-script"),
    "page action": ("a.pdf", pdf(page_action), "upload-script"),
    "pdf bomb": ("a.pdf", pdf(bomb), "upload-bomb"),
    "zip bomb": ("a.zip", archive(size=250_000_000), "upload-bomb"),
    "zip bomb named pdf": ("a.pdf", archive(size=250_000_000), "upload-bomb"),
    "png of a wall": ("a.png", png(40_000, 40_000, b""), "upload-bomb"),
    "png bomb": ("a.png", png(20, 10, bytes(100_000_000)), "upload-bomb"),
    "heic": ("a.heic", HEIC, "upload-heic"),
    "heic named jpg": ("a.jpg", HEIC, "upload-heic"),
    "jpeg named png": ("a.png", picture("JPEG"), "upload-type-lies"),
    "program named pdf": ("a.pdf", b"MZ" + bytes(1000), "upload-type-lies"),
    "page named jpg": ("a.jpg", b"<html><script>", "upload-type-lies"),
    "zip named jpg": ("a.jpg", archive(size=10), "upload-type-lies"),
    "text": ("words.txt", b"hello", "upload-type-unknown"),
    "svg": ("a.svg", b"<svg onload='x'/>", "upload-type-unknown"),
    "broken zip": ("a.zip", b"PK\x03\x04" + bytes(50), "upload-unreadable"),
    "pdf cut off": ("a.pdf", pdf()[:200], "upload-unreadable"),
    "pdf without pages": ("a.pdf", b"%PDF-1.7\n", "upload-unreadable"),
    "pdf with a password": (
        "a.pdf",
        pdf(encryption=pikepdf.Encryption(owner="o", user="u")),
        "upload-unreadable",
    ),
    "jpeg cut off": ("a.jpg", picture("JPEG")[:600], "upload-unreadable"),
    "jpeg of noise": ("a.jpg", b"\xff\xd8\xff" + bytes(2_000), "upload-unreadable"),
    "png cut off": ("a.png", picture("PNG")[:-30], "upload-unreadable"),
    "png with a wrong checksum": (
        "a.png",
        png(20, 10)[:40] + b"\x00\x00" + png(20, 10)[42:],
        "upload-unreadable",
    ),
    "png that stops early": ("a.png", png(20, 10, bytes(50)), "upload-unreadable"),
}
ACCEPTED = {
    "pdf": ("a.pdf", pdf(), "application/pdf"),
    "pdf that opens at a page": ("a.pdf", pdf(opens_at_a_page), "application/pdf"),
    "jpeg": ("照片.JPG", picture("JPEG"), "image/jpeg"),
    "progressive jpeg": ("a.jpeg", picture("JPEG", progressive=True), "image/jpeg"),
    "png": ("a.png", picture("PNG"), "image/png"),
    "png by its own name": ("no extension", png(20, 10), "image/png"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_bad_paper_is_named_for_what_it_is(case: str) -> None:
    name, data, code = REFUSED[case]
    with pytest.raises(Refusal) as refused:
        await inspect_upload(Sandbox(), Upload(data, name, ""))
    assert refused.value.code == code


@pytest.mark.parametrize("case", ACCEPTED)
async def test_a_good_paper_comes_in(case: str) -> None:
    name, data, media_type = ACCEPTED[case]
    paper = await inspect_upload(Sandbox(), Upload(data, name, ""))
    assert paper == Paper(data, name, media_type, 1)


async def test_the_declared_type_counts_as_a_promise() -> None:
    with pytest.raises(Refusal) as refused:
        await inspect_upload(Sandbox(), Upload(pdf(), "scan", "image/png"))
    assert refused.value.params == {"promised": "image/png", "found": "application/pdf"}


@pytest.mark.parametrize(
    ("deed", "reason"),
    [("network", "crashed"), ("file", "crashed"), ("child", "crashed"), ("memory", "crashed")],
)
async def test_the_child_can_reach_nothing(deed: str, reason: str) -> None:
    with pytest.raises(Broken) as broken:
        await Sandbox().run("tests.http.sandbox_escape", b"", (deed,))
    assert broken.value.reason == reason


async def test_a_child_that_does_not_end_is_ended() -> None:
    with pytest.raises(Broken) as broken:
        await Sandbox(seconds=1.5).run("tests.http.sandbox_escape", b"", ("loop",))
    assert broken.value.reason == "too-long"
