"""The office as strangers, applicants and staff meet it over HTTP; one office for all tests."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256

import pytest
import pytest_asyncio

from server.app import wall_clock
from server.http import cases, desk, live, logins, lookup, pages, public, socket
from server.http.routes import Endpoint
from server.rehearsal.cast import form
from tests.fakes.office import Browser, Office, ProblemError, running_office
from tests.http.test_uploads import ACCEPTED, REFUSED

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOMS = (
    cases.Cases,
    desk.Desk,
    live.Live,
    logins.Logins,
    lookup.Lookup,
    pages.Pages,
    public.Public,
    socket.Hub,
)
ENDPOINTS = [
    found
    for room in ROOMS
    for name in dir(room)
    if isinstance(found := getattr(getattr(room, name), "__endpoint__", None), Endpoint)
]
OPEN = {
    "/healthz",
    "/trust.json",
    "/status.json",
    "/former/{number}/{path:.*}",
    "/log/{path:.*}",
    "/pki/{name:(root|issuing)}.cer",
    "/{room:pki|crl}/{name:(root|issuing)}.crl",
    "/{path:ocsp|pki/ocsp}",
    "/{path:ocsp|pki/ocsp}/{request:.+}",
    "/{page:(?!api/).*}",
    "/api/openapi.json",
    "/api/config",
    "/api/ledger",
    "/api/matters",
    "/api/matters/{matter}",
    "/api/applicant/codes",
    "/api/applicant/sessions",
    "/api/staff/sessions",
    "/api/verify/number/{number}",
    "/api/verify/code/{code}",
    "/api/verify/code/{code}/bundle.zip",
    "/api/verify/file",
}
CONCRETE = {"number": "1", "page": "1", "take": "0", "participant": "applicant"}
PLACE = re.compile(r"\{(\w+)(:[^}]*)?\}")
NASTY = "'; DROP TABLE case_file; --<script>alert(1)</script>\"&lt;\u202e{0}%s"
SEEN = NASTY[:60].replace("\u202e", "")  # all but the mark of direction, which nobody can see


class Watch:
    """The wall clock, and a day that can be put off."""

    ahead_ms = 0

    def __call__(self) -> int:
        return wall_clock() + self.ahead_ms


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watch() -> Watch:
    return Watch()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory, watch: Watch) -> AsyncIterator[Office]:
    async with running_office(tmp_path_factory.mktemp("office") / "data", clock=watch) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(office: Office) -> AsyncIterator[Mapping[str, Browser]]:
    """One browser for each role."""
    async with (
        office.applicant() as applicant,
        office.staff("notary") as notary,
        office.staff("approver") as approver,
        office.staff("assistant") as assistant,
    ):
        yield {
            "applicant": applicant,
            "notary": notary,
            "approver": approver,
            "assistant": assistant,
        }


async def refusal(attempt: object) -> str:
    with pytest.raises(ProblemError) as refused:
        await attempt  # type: ignore[misc]
    return refused.value.code


async def test_the_front_door(office: Office) -> None:
    async with office.browser() as visitor:
        health = await visitor.get("/healthz")
        assert (health["ok"], health["damaged"]) == (True, [])
        config = await visitor.get("/api/config")
        assert config["demo"] is True
        assert config["utc_offset_minutes"] == 8 * 60  # China keeps one time all year
        assert config["stand_ins"] == ["certificate-authority", "registry", "outbox"]
        [matter] = (await visitor.get("/api/matters"))["matters"]
        whole = await visitor.get(f"/api/matters/{matter['id']}")
        assert len(whole["steps"]) == 9
        assert await refusal(visitor.get("/api/matters/no-such")) == "matter-unknown"
        assert (await visitor.get("/log/checkpoint")).startswith(b"localhost:")
        assert (await visitor.get("/trust.json"))["demo"] is True
        for path in ("/pki/issuing.crl", "/pki/root.crl", "/crl/issuing.crl", "/pki/root.cer"):
            assert (await visitor.get(path)).startswith(b"\x30"), path
        described = await visitor.get("/api/openapi.json")
        assert described["openapi"] == "3.1.0"
        assert await refusal(visitor.get("/api/verify/code/NOSUCHCODE")) == "code-unknown"
        unknown = await visitor.get("/api/verify/number/（2026）示远山证字第99号")
        assert unknown["status"] == "unknown"


async def test_revocation_is_answered_to_programs(office: Office) -> None:
    """An OCSP client sends no header of our pages; what is no request gets an OCSP answer too."""
    async with office.browser() as visitor:
        answer = await visitor.http.post(office.url + "/pki/ocsp", data=b"not DER")
        assert answer.status == 200
        assert answer.content_type == "application/ocsp-response"
        assert (await answer.read())[:1] == b"\x30"


async def test_what_is_open_to_everybody_is_a_short_list() -> None:
    assert {each.path for each in ENDPOINTS if "anyone" in each.roles} == OPEN


async def test_every_other_route_asks_who_calls(
    office: Office, people: Mapping[str, Browser]
) -> None:
    """A stranger and each wrong role are refused before anything is read or looked up."""
    async with office.browser() as stranger:
        for each in ENDPOINTS:
            path = re.sub(
                r"\{(\w+)(:[^}]*)?\}", lambda name: CONCRETE.get(name[1], "0" * 32), each.path
            )
            for role, browser in {"anyone": stranger, **people}.items():
                if {"anyone", role} & each.roles:
                    continue
                wanted = "login-needed" if role == "anyone" else "not-allowed"
                assert await refusal(browser.ask(each.method, path, b"")) == wanted, (role, each)


async def test_ids_of_nothing_are_not_found(people: Mapping[str, Browser]) -> None:
    nothing = "0" * 32
    for role, paths in {
        "applicant": [f"/api/cases/{nothing}", f"/api/sessions/{nothing}"],
        "notary": [f"/api/desk/cases/{nothing}", f"/api/sessions/{nothing}"],
        "approver": [f"/api/approvals/{nothing}", f"/api/recordings/{nothing}/applicant/0.webm"],
    }.items():
        for path in paths:
            with pytest.raises(ProblemError) as refused:
                await people[role].get(path)
            assert refused.value.status == 404, (path, refused.value.problem)


async def test_anything_typed_comes_back_as_text(office: Office) -> None:
    async with office.applicant("13800000021") as ana:
        case = await ana.post("/api/cases", {"matter": "poa-remote", "language": "zh-CN"})
        path = f"/api/cases/{case['id']}"
        matter = await ana.get("/api/matters/poa-remote")
        for field in matter["fields"]:
            if field["kind"] in ("text", "textarea", "name"):
                saved = await ana.put(f"{path}/form/{field['key']}", {"value": NASTY[:60]})
                assert saved["form"][field["key"]] == SEEN, field["key"]
        assert await refusal(ana.put(f"{path}/form/{NASTY[:20]}", {"value": "x"})) in (
            "field-unknown",
            "not-found",
        )
        long = ana.put(f"{path}/form/subject", {"value": "长" * 5_000})
        assert await refusal(long) == "field-too-long"
        answer = await ana.http.get(office.url + path)
        assert answer.content_type == "application/json"
        assert (await answer.json())["form"]["subject"] == SEEN
        gone = await ana.post(f"{path}/withdraw", {"reason": NASTY})
        assert gone["state"] == "WITHDRAWN"


async def test_a_wrong_check_digit_is_kept_and_told(office: Office) -> None:
    async with office.applicant("13800000022") as ana:
        case = await ana.post("/api/cases", {"matter": "poa-remote", "language": "en"})
        path = f"/api/cases/{case['id']}/form/document_number"
        await ana.put(path.replace("number", "type"), {"value": "resident_id"})
        wrong = await ana.put(path, {"value": "329900198808080021"})
        assert wrong["form"]["document_number"] == "329900198808080021"
        problem = wrong["problems"]["document_number"]
        assert problem["code"] == "id-number-check-digit"
        assert "mistyped" in problem["title"]
        assert problem["kept"]
        shown = (await ana.get(f"/api/cases/{case['id']}"))["problems"]["document_number"]
        assert shown["title"] == problem["title"]
        assert (
            "逐位"
            in (await ana.get(f"/api/cases/{case['id']}?lang=zh-CN"))["problems"][
                "document_number"
            ]["next"]
        )


async def test_a_character_the_typeface_lacks_is_named(office: Office) -> None:
    async with office.applicant("13800000023") as ana:
        case = await ana.post("/api/cases", {"matter": "poa-remote", "language": "en"})
        path = f"/api/cases/{case['id']}/form/applicant_name"
        told = await ana.put(path, {"value": "张\U00030edd"})
        problem = told["problems"]["applicant_name"]
        assert problem["code"] == "glyph-missing"
        assert "\U00030edd (U+30EDD)" in problem["title"]
        assert "saved" in problem["kept"]
        assert "tell the office" in problem["next"]
        assert told["form"]["applicant_name"] == "张\U00030edd"


async def test_papers_come_in_and_strangers_files_do_not(office: Office) -> None:
    async with office.applicant("13800000024") as ana:
        case = await ana.post("/api/cases", {"matter": "poa-remote", "language": "en"})
        papers = f"/api/cases/{case['id']}/papers?kind=identity"
        for name in ("script", "zip bomb named pdf", "heic named jpg", "jpeg named png"):
            file, data, code = REFUSED[name]
            assert await refusal(ana.upload(papers, data, name=file)) == code
        assert await refusal(ana.upload(papers, b"", name="a.pdf")) == "upload-empty"
        assert (await ana.get(f"/api/cases/{case['id']}"))["papers"] == []
        file, data, media_type = ACCEPTED["jpeg"]
        paper = await ana.upload(papers, data, name=file)
        assert (paper["media_type"], paper["name"], paper["size"]) == (media_type, file, len(data))
        assert paper["sha256"] == sha256(data).hexdigest()
        assert await ana.get(paper["url"]) == data
        async with office.applicant("13800000025") as bob:
            assert await refusal(bob.get(paper["url"])) == "case-unknown"
            assert await refusal(bob.upload(papers, data, name=file)) == "case-unknown"


async def test_an_invitation_is_for_one_person_and_a_time(
    office: Office, people: Mapping[str, Browser], watch: Watch
) -> None:
    phone = "13800000026"
    async with office.applicant(phone) as ana:
        case = await ana.post("/api/cases", {"matter": "poa-remote", "language": "en"})
        path = f"/api/cases/{case['id']}"
        for field, value in form(datetime.now(tz=UTC).date()).items():
            await ana.put(f"{path}/form/{field}", {"value": value})
        await ana.upload(f"{path}/papers?kind=identity", ACCEPTED["jpeg"][1], name="a.jpg")
        await ana.post(f"{path}/submit")
        notary = people["notary"]
        await notary.post(f"/api/desk/cases/{case['id']}/precheck")
        unchecked = notary.post(f"/api/desk/cases/{case['id']}/accept")
        assert await refusal(unchecked) == "conflict-unchecked"
        accepted = {"conflict_checked": True}
        await notary.post(f"/api/desk/cases/{case['id']}/accept", accepted)
        matter = await ana.get("/api/matters/poa-remote")
        for consent in matter["consents"]:
            stale = {"given": True, "text_sha256": "0" * 64}
            decide = f"{path}/consents/{consent['id']}"
            assert await refusal(ana.post(decide, stale)) == "consent-text-changed"
            digest = sha256(consent["text"]["en"].encode()).hexdigest()
            await ana.post(decide, {"given": True, "text_sha256": digest})
        slots = (await ana.get(f"{path}/slots"))["slots"]
        booked = await ana.post(f"{path}/booking", {"at": slots[0]["at"]})
        token = booked["booking"]["invitation_url"].rsplit("/", 1)[-1]
        assert (await ana.post(f"/api/invitations/{token}"))["case_id"] == case["id"]
        assert await refusal(ana.post("/api/invitations/nonsense")) == "invitation-unknown"
        async with office.applicant("13800000027") as bob, office.browser() as stranger:
            other = bob.post(f"/api/invitations/{token}")
            assert await refusal(other) == "invitation-other-person"
            assert await refusal(stranger.post(f"/api/invitations/{token}")) == "login-needed"
        watch.ahead_ms = 8 * 24 * 3_600_000
        try:
            late = ana.post(f"/api/invitations/{token}")
            assert await refusal(late) == "invitation-expired"
        finally:
            watch.ahead_ms = 0


async def test_a_log_out_ends_the_session(office: Office) -> None:
    async with office.applicant("13800000028") as ana:
        assert (await ana.get("/api/applicant/me"))["applicant"]["phone_masked"] == "138****0028"
        cookies = {each.key: each.value for each in ana.http.cookie_jar}
        await ana.ask("DELETE", "/api/applicant/sessions")
        kept = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        assert await refusal(ana.get("/api/applicant/me", headers=kept)) == "login-needed"


async def test_a_page_of_another_site_opens_no_live_line(
    office: Office, people: Mapping[str, Browser]
) -> None:
    url = f"{office.url}/api/sessions/{'0' * 32}/socket"
    foreign = {"Origin": "https://elsewhere.example"}
    async with people["notary"].http.ws_connect(url, headers=foreign) as line:
        assert (await line.receive_json())["problem"]["code"] == "forged"
        assert (await line.receive()).data == 4403
    async with people["notary"].http.ws_connect(url) as line:
        assert (await line.receive_json())["problem"]["code"] == "session-unknown"
        assert (await line.receive()).data == 4404
    async with office.browser() as stranger, stranger.http.ws_connect(url) as line:
        assert (await line.receive_json())["problem"]["code"] == "login-needed"
        assert (await line.receive()).data == 4401
