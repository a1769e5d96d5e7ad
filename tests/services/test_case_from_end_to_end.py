"""One case from the first field to the delivered bundle, with everything real but the eyes."""

import asyncio
import io
import json
import zipfile
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise

import pytest
from script import CHEN, FORM, LIN, WANG, Play
from stage import open_stage

from ledger.entry import Leaf
from ledger.note import open_checkpoint
from ledger.proof import verify_case
from server.domain.errors import DomainError
from server.domain.evidence import Gap
from server.domain.rules import load_packs
from signing.trust import Trust
from signing.verify_bundle import verify


@pytest.fixture
async def delivered(office):
    """A stage whose case has just been delivered."""
    async with open_stage(office("judged")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id, sid=case.sessions[-1])
        await play.approve()
        await stage.work()
        yield play


async def test_it_is_delivered_and_anyone_may_check_it(delivered):
    stage, services = delivered.stage, delivered.stage.services
    view = await services.intake.case(WANG, delivered.case, language="zh-CN")
    assert view["state"] == "DELIVERED"
    assert view["certificate"]["number"] == "（2026）示远山证字第1号"
    assert all(entry["done"] for entry in view["stages"])
    timeline = (await services.intake.timeline(WANG, delivered.case, language="en"))["entries"]
    assert all(entry["title"] != entry["kind"] for entry in timeline)
    assert all(entry["index"] is not None for entry in timeline)

    bundle = (await services.delivery.bundle(WANG, delivered.case)).content
    trust = Trust.parse(stage.office.trust())
    report = await asyncio.to_thread(verify, bundle, trust, at=stage.clock())
    assert report.verdict == "valid", [check for check in report.checks if check.outcome != "ok"]
    (status,) = [check for check in report.checks if check.key == "status"]
    assert status.detail["logged"] is True

    at = bundle.index(b"session-manifest") + 3
    swapped = bundle[:at] + bytes([bundle[at] ^ 1]) + bundle[at + 1 :]
    report = await asyncio.to_thread(verify, swapped, trust, at=stage.clock())
    assert report.verdict == "invalid"

    pdf = (await services.delivery.certificate(WANG, delivered.case)).content
    assert sha256(pdf).hexdigest() == view["certificate"]["pdf_sha256"]
    assert await services.verification.number_of(pdf) == view["certificate"]["number"]
    assert await services.verification.number_of(pdf + b" ") is None


async def test_a_line_lost_while_signing_ends_in_a_certificate_that_holds(office):
    """The page that comes back has another key; a late take belongs to the same session."""
    async with open_stage(office("waiting")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        ceremony, recordings = stage.services.ceremony, stage.services.recordings
        await play.open()
        for number in range(1, 8):
            await play.step(number)
        since = stage.clock()
        await ceremony.lost(play.sid, role="applicant", reason="断线", since=since)
        gap = Gap(play.sid, "applicant", 1, "reconnect", since, since + 5, {})
        await recordings.gap(gap)
        await ceremony.resume(LIN, play.sid, language="zh-CN")
        await play.record("applicant", 0, take=2)
        for number in (8, 9):
            await play.step(number)
        await play.end_takes()
        await stage.work()
        for act in (play.certify, play.judge, play.approve, stage.work):
            await act()
        bundle = (await stage.services.delivery.bundle(WANG, play.case)).content
        trust = Trust.parse(stage.office.trust())
        report = await asyncio.to_thread(verify, bundle, trust, at=stage.clock())
        assert report.verdict == "valid", [c for c in report.checks if c.outcome != "ok"]
        (signed,) = [check for check in report.checks if check.key == "signed"]
        assert len({each.get("key") for each in signed.detail["signatures"]}) == 3


async def test_a_certificate_can_be_checked_after_its_evidence_was_erased(delivered):
    """The register's key outlives the evidence; nobody else's case is touched."""
    services, other = delivered.stage.services, Play(delivered.stage)
    await other.apply()
    code = (await services.workplace.files.case(delivered.case)).certificate.code
    before = await services.verification.code(code, language="en")
    services.workplace.vault.destroy(delivered.case, at=delivered.stage.clock())
    after = await services.verification.code(code, language="en")
    assert after["session"].pop("steps") == after["session"].pop("gaps") == []
    assert before["session"].pop("steps") != before["session"].pop("gaps")
    assert after | {"as_of": 0} == before | {"as_of": 0}
    assert (await services.verification.bundle(code)).content[:4] == b"PK\x03\x04"
    assert (await services.verification.number("（2026）示远山证字第1号"))["status"] == "valid"
    queue = await services.reception.queue(LIN, filter="all", language="en")
    assert [line["id"] for line in queue["cases"]] == [other.case, delivered.case]


async def test_a_number_shows_status_only_and_a_code_opens_more(delivered):
    verification = delivered.stage.services.verification
    told = await verification.number("(2026)示远山证字第1号")
    assert told["status"] == "valid"
    assert set(told) == {"number", "status", "as_of", "issued_on"}
    assert (await verification.number("（2026）示远山证字第2号"))["status"] == "unknown"

    case = await delivered.stage.services.workplace.files.case(delivered.case)
    opened = await verification.code(case.certificate.code.lower(), language="en")
    assert opened["facts"]["applicant"] == FORM["applicant_name"]
    assert opened["session"]["duration_ms"] > 0
    assert len(opened["session"]["steps"]) == 9
    with pytest.raises(DomainError, match="code-unknown"):
        await verification.code("A" * 16, language="en")
    shared = await delivered.stage.services.delivery.share(WANG, delivered.case)
    again = await verification.code(shared["code"], language="en")
    assert again["number"] == opened["number"]


async def test_the_receipt_becomes_a_full_proof(delivered):
    stage = delivered.stage
    receipt = await stage.services.delivery.receipt(WANG, delivered.case)
    assert receipt["proofs"] == "full"
    keys = stage.office.log_keys.verifiers
    checkpoint = open_checkpoint(receipt["checkpoint"], keys)
    assert checkpoint.size == receipt["tree_size"]
    proven = [entry for entry in receipt["entries"] if entry["inclusion"] is not None]
    kinds = [entry["kind"] for entry in proven]
    assert "session-opened" in kinds
    assert "session-seal" in kinds
    for entry in proven:
        leaf = await stage.log.leaf(entry["index"])
        assert Leaf.parse(leaf).hash == entry["leaf_hash"]


async def test_the_copy_holds_what_was_signed(delivered):
    content = (await delivered.stage.services.delivery.copy(WANG, delivered.case)).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = set(archive.namelist())
        manifest = json.loads(archive.read("manifest.json"))
        record = json.loads(archive.read("record.json"))
    assert {"document.pdf", "record.applicant.p7s", "receipt.json"} <= names
    assert {"manifest.applicant.p7s", "manifest.notary.p7s"} <= names
    assert manifest["counts"]["segments"] == 2
    assert manifest["counts"]["events"] == len(manifest["events"])
    assert [line["text"] for line in record] == ["是的"] * 5


async def test_the_ledger_holds_the_case_whole_and_nothing_personal(delivered):
    stage = delivered.stage
    leaves = [Leaf.parse(leaf) for _, leaf in await stage.log.chain(delivered.case)]
    verify_case(leaves, case=delivered.case)
    seal = next(leaf for leaf in leaves if leaf.body["kind"] == "session-seal")
    first, last = seal.body["first_case_seq"], seal.body["last_case_seq"]
    assert leaves[first].body["kind"] == "session-opened"
    assert last - first + 1 == seal.body["count"]
    assert {leaf.body["kind"] for leaf in leaves[first : last + 1]} >= {"session-closed", "segment"}
    everything = b"".join([await stage.log.leaf(index) for index in range(stage.log.size)])
    for private in (
        FORM["applicant_name"],
        FORM["document_number"],
        WANG.phone,
        WANG.id,
        LIN.name_zh,
    ):
        assert private.encode() not in everything


async def test_every_content_is_committed_to_by_sm3_too(delivered):
    """The rule pack of 委托公证 asks for it; a chain is a digest of digests and has no content."""
    stage, services = delivered.stage, delivered.stage.services
    register = services.workplace.office.register
    items = [
        (leaf.body["kind"], item)
        for chain in (delivered.case, register)
        for _, data in await stage.log.chain(chain)
        for leaf in [Leaf.parse(data)]
        for item in leaf.body.get("items", ())
    ]
    assert len(items) > 60
    without = {(kind, item["name"]) for kind, item in items if "sm3" not in item}
    assert without == {("segment", "chain")}

    bundle = (await services.delivery.bundle(WANG, delivered.case)).content
    trust = Trust.parse(stage.office.trust())
    report = await asyncio.to_thread(verify, bundle, trust, at=stage.clock())
    (disclosed,) = [check for check in report.checks if check.key == "disclosures"]
    assert disclosed.detail["opened"] - disclosed.detail["sm3"] == 2  # the two chains
    assert disclosed.detail["unknown"] == []


async def test_a_matter_that_does_not_ask_is_committed_to_once(tmp_path):
    packs = {"poa-remote": replace(load_packs()["poa-remote"], sm3_commitments=False)}
    async with open_stage(tmp_path, packs=packs) as stage:
        play = Play(stage)
        await play.to_waiting()
        await play.open()
        await stage.journal.drain()
        leaves = [Leaf.parse(leaf) for _, leaf in await stage.log.chain(play.case)]
        items = [item for leaf in leaves for item in leaf.body.get("items", ())]
        assert len(items) > 5
        assert {tuple(item) for item in items} == {("name", "sha256")}


async def test_the_ids_of_events_come_nearly_in_the_ledgers_order(delivered):
    """The ledger files events by id: in order, an append touches only the end of its index."""
    log = delivered.stage.log
    leaves = [Leaf.parse(await log.leaf(index)) for index in range(log.size)]

    # Those named after what they seal are the exception: a repeat must have the same id.
    begins = [leaf.event[:12] for leaf in leaves if int(leaf.event[:12], 16) <= leaf.time]
    assert len(begins) > 0.8 * len(leaves)
    assert sum(a <= b for a, b in pairwise(begins)) > 0.9 * len(begins)


async def test_the_register_chain_says_number_index_and_file(delivered):
    stage = delivered.stage
    register = stage.services.workplace.office.register
    leaves = [Leaf.parse(leaf) for _, leaf in await stage.log.chain(register)]
    verify_case(leaves, case=register)
    kinds = [leaf.body["kind"] for leaf in leaves]
    assert kinds == ["act-intended", "act-completed", "status-list"]
    intended, completed = leaves[0].body, leaves[1].body
    assert intended["number"] == completed["number"] == "（2026）示远山证字第1号"
    assert intended["status_index"] == completed["status_index"] == 0
    case = await stage.services.workplace.files.case(delivered.case)
    assert completed["pdf_sha256"] == case.certificate.pdf_sha256


async def test_nothing_on_disk_is_in_clear(delivered):
    directory = delivered.stage.directory
    private = [text.encode() for text in (FORM["applicant_name"], FORM["document_number"])]
    looked_at = 0
    for path in directory.rglob("*"):
        if path.is_file() and path.suffix not in (".pdf",):
            data = path.read_bytes()
            looked_at += 1
            assert not any(each in data for each in private), path
    assert looked_at > 20


async def test_issuing_again_changes_nothing(delivered):
    services = delivered.stage.services
    before = await services.delivery.certificate(WANG, delivered.case)
    size = delivered.stage.log.size
    await services.sealing.issue(delivered.case)
    await services.sealing.deliver(delivered.case)
    await services.sealing.seal_session(delivered.sid)
    assert await services.delivery.certificate(WANG, delivered.case) == before
    assert delivered.stage.log.size == size
    assert await services.sealing.pending() == ()


async def test_the_approver_sees_claims_with_intervals_and_recordings(office):
    async with open_stage(office("judged")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        review = await stage.services.approval.review(CHEN, case.id, language="en")
    assert [claim["verdict"] for claim in review["claims"]] == ["accepted"] * 6
    for claim in review["claims"]:
        since, until = claim["interval"]
        assert 0 <= since <= until <= review["session"]["duration_ms"]
        assert claim["evidence"]
        assert all(each["index"] is not None for each in claim["evidence"])
    questioned = next(claim for claim in review["claims"] if claim["key"] == "questioned")
    assert len(questioned["record_lines"]) == 5
    assert {each["participant"] for each in review["recordings"]} == {"notary", "applicant"}
    assert review["draft"]["facts"]["document"]["principal"]["name"] == FORM["applicant_name"]
