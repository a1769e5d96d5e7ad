"""The border: what every answer carries, what is refused before a service is asked."""

from __future__ import annotations

import errno
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, FormData, web
from aiohttp.test_utils import TestServer
from pydantic import BaseModel
from sqlalchemy import create_engine

from server.domain.errors import CODES, DomainError, Sort
from server.domain.participant import Applicant
from server.http.application import build
from server.http.limits import Limiter, Rate
from server.http.messages import LANGUAGES, CatalogueError, read_catalogue
from server.http.middleware import Doorman
from server.http.openapi import describe
from server.http.pages import Pages
from server.http.problems import Refusal
from server.http.routes import APPLICANT, NOTARY, PUBLIC, Answer, Call, Caller, endpoint
from server.http.uploads import LARGEST_PAPER, read_upload
from server.observe import logger

STATUS = {
    Sort.UNKNOWN: 404,
    Sort.FORBIDDEN: 403,
    Sort.CONFLICT: 409,
    Sort.INVALID: 422,
    Sort.GONE: 410,
    Sort.BUSY: 503,
}
HEADER = {"X-Farseal": "1"}
CATALOGUE = read_catalogue()


class Word(BaseModel):
    word: str


class Room:
    """A few routes, one of each sort."""

    @endpoint("GET", "/api/open", roles=PUBLIC)
    async def open(self, call: Call) -> Answer:
        return {"language": call.language, "role": call.caller.role}

    @endpoint("POST", "/api/words", roles=PUBLIC, body=Word)
    async def words(self, call: Call, body: Word) -> Answer:
        return {"word": body.word}

    @endpoint("GET", "/api/mine", roles=APPLICANT)
    async def mine(self, call: Call) -> Answer:
        return {"id": call.applicant.id}

    @endpoint("GET", "/api/desk", roles=NOTARY)
    async def desk(self, call: Call) -> Answer:
        return {}

    @endpoint("GET", "/api/slow", roles=PUBLIC, rate="verify")
    async def slow(self, call: Call) -> Answer:
        return {}

    @endpoint("GET", "/api/broken", roles=PUBLIC)
    async def broken(self, call: Call) -> Answer:
        raise RuntimeError("the inside of the house")

    @endpoint("GET", "/api/full", roles=PUBLIC)
    async def full(self, call: Call) -> Answer:
        raise OSError(errno.ENOSPC, "No space left on device")

    @endpoint("GET", "/api/full-database", roles=PUBLIC)
    async def full_database(self, call: Call) -> Answer:
        engine = create_engine("sqlite://")
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql("PRAGMA max_page_count = 3")
                connection.exec_driver_sql("CREATE TABLE room (bytes BLOB)")
                connection.exec_driver_sql("INSERT INTO room VALUES (zeroblob(100000))")
        finally:
            engine.dispose()
        return {}

    @endpoint("GET", "/api/rule", roles=PUBLIC)
    async def rule(self, call: Call) -> Answer:
        raise DomainError("field-too-long", field="purpose", longest=200)

    @endpoint("POST", "/api/files", roles=PUBLIC, upload=True)
    async def files(self, call: Call) -> Answer:
        return {"size": len((await read_upload(call.request)).data)}


class Door:
    """A running server of `Room` and the static pages."""

    def __init__(self, server: TestServer, http: ClientSession) -> None:
        self.server = server
        self.http = http

    def url(self, path: str) -> str:
        return str(self.server.make_url(path))


async def _find(token: str) -> Caller | None:
    return Caller("applicant", Applicant("a1", "13800000001")) if token == "good" else None


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html><title>pages</title>")
    (static / "assets" / "main-abc.js").write_text("export {}")
    (tmp_path / "secret").write_text("not for the world")
    limiter = Limiter(clock=lambda: 0, rates={"any": Rate(200, 1_000), "verify": Rate(2, 5_000)})
    doorman = Doorman(find_caller=_find, limiter=limiter, secure=False, trust_proxy=False)
    app = build([Room(), Pages(static)], doorman=doorman, catalogue=CATALOGUE, log=logger("http"))
    async with TestServer(app, host="127.0.0.1") as server, ClientSession() as http:
        yield Door(server, http)


def test_the_catalogue_speaks_both_languages_for_every_rule() -> None:
    assert set(CODES) <= set(CATALOGUE.entries)
    for code, sort in CODES.items():
        assert CATALOGUE.entries[code]["status"] == STATUS[sort], code


def test_every_refusal_raised_anywhere_has_sentences() -> None:
    server = Path(__file__).parents[2] / "server"
    sources = [path.read_text() for path in server.rglob("*.py")]
    raised = {
        code
        for source in sources
        for code in re.findall(r"(?:Refusal|Refused|AccountError)\(\s*\"([a-z-]+)\"", source)
    }
    assert len(raised) > 15
    assert raised <= set(CATALOGUE.entries)


def test_a_missing_sentence_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "messages.toml"
    path.write_text('[internal]\nstatus = 500\nen = { title = "a", kept = "b", next = "c" }\n')
    with pytest.raises(CatalogueError, match="internal: no title in zh-CN"):
        read_catalogue(path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_shows_a_hole(language: str) -> None:
    for code in CATALOGUE.entries:
        problem = CATALOGUE.problem(code, language=language)
        for part in ("title", "kept", "next"):
            assert "{" not in problem[part], code


def test_a_route_without_a_role_does_not_start() -> None:
    class Careless:
        @endpoint("GET", "/api/ok", roles=PUBLIC)
        async def fine(self, call: Call) -> Answer:
            return {}

    doorman = Doorman(
        find_caller=_find, limiter=Limiter(clock=lambda: 0), secure=False, trust_proxy=False
    )
    app = build([Careless()], doorman=doorman, catalogue=CATALOGUE, log=logger("http"))

    async def forgotten(request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/api/forgotten", forgotten)
    from server.http.routes import refuse_undeclared

    with pytest.raises(LookupError, match="/api/forgotten"):
        refuse_undeclared(app)


async def test_headers_stand_on_every_answer(door: Door) -> None:
    for path in ("/", "/api/open", "/api/nowhere", "/assets/main-abc.js", "/api/broken"):
        async with door.http.get(door.url(path)) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "camera=(self)" in answer.headers["Permissions-Policy"]


@pytest.mark.parametrize(
    ("headers", "query", "language"),
    [
        ({}, "", "zh-CN"),
        ({"Accept-Language": "fr, en;q=0.4, zh;q=0.6"}, "", "zh-CN"),
        ({"Accept-Language": "en-GB,en;q=0.9,zh;q=0.1"}, "", "en"),
        ({"Accept-Language": "zh", "Cookie": "lang=en"}, "", "en"),
        ({"Accept-Language": "en", "Cookie": "lang=en"}, "?lang=zh-CN", "zh-CN"),
        ({"Accept-Language": "en;q=nonsense"}, "", "zh-CN"),
    ],
)
async def test_the_reader_chooses_the_language(
    door: Door, headers: dict[str, str], query: str, language: str
) -> None:
    async with door.http.get(door.url("/api/open") + query, headers=headers) as answer:
        assert (await answer.json())["language"] == language


async def test_roles_are_checked(door: Door) -> None:
    async with door.http.get(door.url("/api/mine")) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "login-needed")
    cookies = {"Cookie": "farseal_session=good"}
    async with door.http.get(door.url("/api/mine"), headers=cookies) as answer:
        assert await answer.json() == {"id": "a1"}
    async with door.http.get(door.url("/api/desk"), headers=cookies) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "not-allowed")


async def test_a_form_of_another_site_is_stopped(door: Door) -> None:
    async with door.http.post(door.url("/api/words"), json={"word": "x"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "forged")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"word": 1}', b"\xff\xfe", b'{"other": ""}'])
async def test_a_body_that_does_not_fit_is_refused(door: Door, body: bytes) -> None:
    async with door.http.post(door.url("/api/words"), data=body, headers=HEADER) as answer:
        assert answer.status == 422
        problem = await answer.json(content_type="application/problem+json")
        assert problem["code"] == "form-wrong"


async def test_a_body_without_end_is_refused(door: Door) -> None:
    body = io.BytesIO(b'{"word": "' + b"x" * 3_000_000 + b'"}')
    async with door.http.post(door.url("/api/words"), data=body, headers=HEADER) as answer:
        assert (answer.status, (await answer.json())["code"]) == (413, "body-too-large")


async def test_faults_are_ours_and_stay_inside(door: Door) -> None:
    async with door.http.get(door.url("/api/broken")) as answer:
        text = await answer.text()
        assert answer.status == 500
        assert "inside of the house" not in text
        assert "RuntimeError" not in text


@pytest.mark.parametrize("path", ["/api/full", "/api/full-database"])
async def test_a_full_disk_is_said_so(door: Door, path: str) -> None:
    async with door.http.get(door.url(path + "?lang=en")) as answer:
        problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["code"]) == (507, "disk-full")
        assert "no room left" in problem["title"]
        assert "still there" in problem["kept"]


async def test_a_rule_of_the_domain_reads_as_a_sentence(door: Door) -> None:
    async with door.http.get(door.url("/api/rule?lang=en")) as answer:
        assert await answer.json(content_type="application/problem+json") == {
            "type": "urn:farseal:error:field-too-long",
            "code": "field-too-long",
            "status": 422,
            "title": "This is too long; 200 characters is the most.",
            "kept": "The earlier content was kept.",
            "next": "Shorten it and enter it again.",
            "params": {"longest": 200},
            "field": "purpose",
        }


async def test_too_many_calls_are_asked_to_wait(door: Door) -> None:
    answers = []
    for _ in range(3):
        async with door.http.get(door.url("/api/slow")) as answer:
            answers.append((answer.status, answer.headers.get("Retry-After")))
    assert answers == [(200, None), (200, None), (429, "5")]


def test_a_bucket_fills_again_and_the_oldest_caller_is_forgotten() -> None:
    now = [0]
    limiter = Limiter(clock=lambda: now[0], rates={"x": Rate(1, 1_000)}, capacity=2)
    limiter.take("x", "a")
    with pytest.raises(Refusal):
        limiter.take("x", "a")
    now[0] = 1_000
    limiter.take("x", "a")
    limiter.take("x", "b")
    limiter.take("x", "c")
    limiter.take("x", "a")  # pushed out by c, so full again


async def test_pages_are_found_by_their_router(door: Door) -> None:
    for path in (
        "/",
        "/apply",
        "/v/ABC",
        "/cases/1/form",
        "/desk/approvals/7",
        "/join/t",
        "/desk/",
    ):
        async with door.http.get(door.url(path)) as answer:
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache"), path
            assert "<title>pages" in await answer.text()
    async with door.http.get(door.url("/no/such/page")) as answer:
        assert answer.status == 404
        assert "<title>pages" in await answer.text()
    async with door.http.get(door.url("/assets/main-abc.js")) as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    async with door.http.get(door.url("/api/nowhere")) as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "not-found")


@pytest.mark.parametrize("path", ["/..%2fsecret", "/assets/%2e%2e/%2e%2e/secret", "/%00", "/.env"])
async def test_nothing_outside_the_folder_is_served(door: Door, path: str) -> None:
    from yarl import URL

    async with door.http.get(URL(door.url("/") + path[1:], encoded=True)) as answer:
        assert "not for the world" not in await answer.text()


async def test_a_file_of_any_size_is_refused_at_the_limit(door: Door) -> None:
    class Endless(io.RawIOBase):
        """200 MB that exist nowhere, counted as they are sent."""

        sent = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            size = min(len(buffer), 200_000_000 - self.sent)
            self.sent += size
            return size

    async def chunks() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
        while piece := endless.read(1 << 16):
            chunks_sent.append(len(piece))
            yield piece

    endless, chunks_sent = Endless(), list[int]()
    headers = HEADER | {"Content-Type": "multipart/form-data; boundary=b"}
    url = door.url("/api/files?lang=en")
    async with door.http.post(url, data=chunks(), headers=headers) as answer:
        problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["code"]) == (413, "upload-too-large")
        assert "20 MB" in problem["title"]
        assert sum(chunks_sent) < 200_000_000
    announced = headers | {"Content-Length": "200000000", "Expect": "100-continue"}
    reader, writer = await _raw(door.server)
    lines = "".join(f"{name}: {value}\r\n" for name, value in announced.items())
    writer.write(f"POST /api/files HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
    assert b"413" in await reader.readline()
    writer.close()


async def _raw(server: TestServer):  # type: ignore[no-untyped-def]
    import asyncio

    return await asyncio.open_connection("127.0.0.1", server.port)


async def test_what_is_no_upload_is_said_so(door: Door) -> None:
    async def code(data: object, headers: dict[str, str] | None = None) -> str:
        url = door.url("/api/files")
        async with door.http.post(url, data=data, headers=HEADER | (headers or {})) as answer:
            return str((await answer.json(content_type="application/problem+json"))["code"])

    empty, other = FormData(), FormData()
    empty.add_field("file", b"", filename="a.pdf")
    other.add_field("paper", b"x", filename="a.pdf")
    assert await code(empty) == "upload-empty"
    assert await code(other) == "upload-missing"
    assert await code(b"plain") == "upload-missing"
    broken = {"Content-Type": "multipart/form-data; boundary=b"}
    assert await code(b"--b\r\nno end", broken) == "upload-missing"
    assert await code(b"x", {"Content-Type": "multipart/form-data"}) == "upload-missing"


async def test_a_file_within_the_limit_comes_through(door: Door) -> None:
    form = FormData()
    form.add_field("file", io.BytesIO(bytes(LARGEST_PAPER)), filename="a.pdf")
    async with door.http.post(door.url("/api/files"), data=form, headers=HEADER) as answer:
        assert await answer.json() == {"size": LARGEST_PAPER}


def test_the_description_names_every_declared_route(door: Door) -> None:
    paths = describe(door.server.app, version="1")["paths"]
    assert set(paths) >= {"/api/open", "/api/words", "/api/mine", "/api/files"}
    assert paths["/api/mine"]["get"]["x-roles"] == ["applicant"]
    assert "/{page}" not in paths
