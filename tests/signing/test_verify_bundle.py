"""Verifying a bundle: the genuine one holds, and nothing else does."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.entry import Leaf
from ledger.errors import LedgerError
from ledger.tiles import Mirror
from signing import cades, proofs
from signing.archive import Limits, pack, unpack
from signing.bundle import BundleContents, Disclosure, ProvenLeaf
from signing.ca import IssuedCertificate, Office
from signing.register import read_mirror
from signing.report import Failed, Report
from signing.trust import Trust
from signing.verify import verify
from tests.signing.bundles import SESSION, Genuine, genuine_bundle, rebuilt
from tests.signing.cast import ACTS, Browser

FLIPS = 400
YEAR_MS = 366 * 86_400_000


def now() -> int:
    return int(time.time() * 1000)


@pytest.fixture(scope="session")
def trust(genuine: Genuine) -> Trust:
    return Trust.parse(genuine.trust)


def _verify(bundle: bytes, trust: Trust | None, **options: Any) -> Report:
    return verify(bundle, trust, ledger=None, at=options.pop("at", now()), **options)


def _deciding(report: Report) -> tuple[str, str]:
    assert report.deciding is not None
    return report.deciding.key, report.deciding.reason


def _opened_by_sm3(contents: BundleContents, digest: str | None) -> list[Disclosure]:
    """The openings, those of segments with another SM3."""
    return [
        replace(each, content_sm3=digest) if each.name == "segment" else each
        for each in contents.disclosed
    ]


def _swapped(genuine: Genuine, **files: bytes | None) -> bytes:
    """What an attacker packs: other files, everything else as it was."""
    held = unpack(genuine.bundle, Limits())
    for name, content in files.items():
        if content is None:
            del held[name]
        else:
            held[name] = content
    return pack(held)


def test_a_genuine_bundle_holds_in_every_check(genuine: Genuine, trust: Trust) -> None:
    report = _verify(genuine.bundle, trust)

    assert [(check.key, check.outcome) for check in report.checks] == [
        (key, "ok")
        for key in (
            *("limits", "archive", "manifest", "trust", "signature", "seal", "checkpoint"),
            *("inclusion", "completeness", "register", "pdf", "signed", "disclosures", "status"),
        )
    ]
    assert report.exit_code == 0
    assert report.facts["facts"]["applicant"] == "周明远"
    assert report.notes == ("demo-office", "no-witness", "own-time")
    assert Report.parse(report.record()) == report


def test_any_changed_byte_is_invalid(genuine: Genuine, trust: Trust) -> None:
    size = len(genuine.bundle)
    chance = random.Random(2)
    places = {*range(160), *range(size - 160, size), *chance.sample(range(size), FLIPS)}
    at = 0
    for name, content in unpack(genuine.bundle, Limits()).items():  # every local header
        places |= {at, at + 8, at + 14, at + 26, at + 30}
        at += 30 + len(name) + len(content)

    for place in places:
        changed = bytearray(genuine.bundle)
        changed[place] ^= chance.randrange(1, 256)
        assert _verify(bytes(changed), trust).exit_code == 1, place


def test_bytes_added_or_cut_are_invalid(genuine: Genuine, trust: Trust) -> None:
    for changed in (
        genuine.bundle + b"\0",
        b"\0" + genuine.bundle,
        genuine.bundle[:-1],
        genuine.bundle[: len(genuine.bundle) // 2],
        genuine.bundle * 2,
        b"",
        b"PK\x03\x04",
    ):
        assert _verify(changed, trust).exit_code == 1


def test_without_trust_nothing_is_confirmed(genuine: Genuine) -> None:
    report = _verify(genuine.bundle, None)

    assert report.exit_code == 2
    assert _deciding(report) == ("trust", "no-trust")
    assert report.facts == {}


def test_every_swapped_or_missing_file_is_found(genuine: Genuine, trust: Trust) -> None:
    for name, content in unpack(genuine.bundle, Limits()).items():
        for other in (content[:-1] + bytes([content[-1] ^ 1]), None):
            report = _verify(_swapped(genuine, **{name: other}), trust)
            assert report.exit_code == 1, name


def test_an_added_file_is_found(genuine: Genuine, trust: Trust) -> None:
    for name in ("documents/more.pdf", "META-INF/more.xml", "keys/more.crt"):
        assert _verify(_swapped(genuine, **{name: b"x"}), trust).exit_code == 1


def test_a_manifest_made_over_by_somebody_else_is_found(genuine: Genuine, trust: Trust) -> None:
    manifest = unpack(genuine.bundle, Limits())["manifest.json"].replace("陈慧".encode(), b"XX")

    report = _verify(_swapped(genuine, **{"manifest.json": manifest}), trust)

    assert _deciding(report) == ("manifest", "commitment")


def _dropped(leaves: Any, number: int) -> list[ProvenLeaf]:
    return [leaf for place, leaf in enumerate(leaves) if place != number]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param(
            lambda c: {"case_leaves": _dropped(c.case_leaves, 5)},
            ("completeness", "entry-missing"),
            id="an entry dropped from the session",
        ),
        pytest.param(
            lambda c: {"case_leaves": c.case_leaves[:10]},
            ("completeness", "no-session-seal"),
            id="the tail cut off",
        ),
        pytest.param(
            lambda c: {"case_leaves": [c.case_leaves[1], c.case_leaves[0], *c.case_leaves[2:]]},
            ("completeness", "entry-missing"),
            id="two entries exchanged",
        ),
        pytest.param(
            lambda c: {"case_leaves": [replace(c.case_leaves[0], index=1), *c.case_leaves[1:]]},
            ("inclusion", "inclusion"),
            id="an entry moved",
        ),
        pytest.param(
            lambda c: {
                "case_leaves": [replace(c.case_leaves[0], inclusion=()), *c.case_leaves[1:]]
            },
            ("inclusion", "inclusion"),
            id="a proof cut off",
        ),
        pytest.param(
            lambda c: {"number": "（2026）示远山证字第1238号"},
            ("register", "other-certificate"),
            id="another number",
        ),
        pytest.param(
            lambda c: {"register_leaves": [*c.register_leaves, c.register_leaves[1]]},
            ("register", "not-in-register"),
            id="registered twice",
        ),
        pytest.param(
            lambda c: {"receipts": [{"index": 1, "leaf_hash": "0" * 64}]},
            ("disclosures", "receipt"),
            id="a receipt for an entry that is gone",
        ),
        pytest.param(
            lambda c: {"disclosed": [replace(c.disclosed[0], salt=bytes(32))]},
            ("disclosures", "disclosure"),
            id="a disclosure with another salt",
        ),
        pytest.param(
            lambda c: {"disclosed": _opened_by_sm3(c, None)},
            ("disclosures", "sm3-not-opened"),
            id="an SM3 commitment that is not opened",
        ),
        pytest.param(
            lambda c: {"disclosed": _opened_by_sm3(c, "0" * 64)},
            ("disclosures", "disclosure"),
            id="another SM3 than was committed to",
        ),
        pytest.param(
            lambda c: {"checkpoint_token": c.checkpoint_token[:-1]},
            ("checkpoint", "timestamp"),
            id="a damaged timestamp",
        ),
        pytest.param(
            lambda c: {"signed": [replace(c.signed[0], content=b"{}")]},
            ("signed", "signature"),
            id="another record than was signed",
        ),
        pytest.param(
            lambda c: {"documents": {"power-of-attorney.pdf": c.certificate}},
            ("signed", "other-fields"),
            id="another document",
        ),
        pytest.param(
            lambda c: {"segments": c.segments[:-1]},
            ("disclosures", "recording"),
            id="a segment left out of the list",
        ),
        pytest.param(
            lambda c: {
                "segments": [{**c.segments[0], "plaintext_sha256": "0" * 64}, *c.segments[1:]]
            },
            ("disclosures", "recording"),
            id="another recording than was anchored",
        ),
        pytest.param(
            lambda c: {"segments": [{**c.segments[0], "start_at": 7}, *c.segments[1:]]},
            ("disclosures", "recording"),
            id="a segment at another time",
        ),
        pytest.param(
            lambda c: {"gaps": []}, ("disclosures", "recording"), id="a gap that is not told"
        ),
        pytest.param(
            lambda c: {"disclosed": [each for each in c.disclosed if each.name != "manifest"]},
            ("disclosures", "other-content"),
            id="a session manifest the seal does not name",
        ),
        pytest.param(
            lambda c: {
                "signed": [
                    replace(
                        c.signed[0], content=c.signed[1].content, signatures=c.signed[1].signatures
                    ),
                    c.signed[1],
                ]
            },
            ("disclosures", "other-content"),
            id="a record other than the one anchored, well signed",
        ),
        pytest.param(lambda c: {"receipts": []}, ("disclosures", "no-receipts"), id="no receipts"),
        pytest.param(
            lambda c: {"register_leaves": c.register_leaves[1:]},
            ("register", "no-intent"),
            id="an act without an intent",
        ),
        pytest.param(
            lambda c: {"session": {**c.session, "id": "0" * 32}},
            ("completeness", "no-session-seal"),
            id="another session",
        ),
    ],
)
def test_what_the_office_itself_leaves_out_or_changes_is_found(
    genuine: Genuine,
    office: Office,
    trust: Trust,
    change: Callable[[Any], dict[str, Any]],
    found: tuple[str, str],
) -> None:
    report = _verify(rebuilt(genuine, office, **change(genuine.contents)), trust)

    assert report.exit_code == 1
    assert _deciding(report) == found


def _by(office: Office, browser: Browser, content: bytes, *, session: str, name: str) -> bytes:
    """A signature by another key of the same browser, certified anew."""
    issued = office.issue_applicant(
        browser.request(), session_id=session, common_name=name, acts=ACTS
    )
    attributes = cades.prepare(sha256(content).hexdigest(), issued.certificate, at=office.clock())
    return cades.assemble(
        attributes,
        browser.sign(attributes),
        issued.certificate,
        issued.chain,
        timestamp=office.timestamp,
    )


@pytest.mark.parametrize(
    ("session", "name", "found"),
    [
        (SESSION, "周明远", None),
        (SESSION, "周明近", ("signed", "several-applicants")),
        ("0" * 32, "周明远", ("signed", "other-session")),
    ],
)
def test_a_page_opened_again_signs_with_another_key_but_no_other_person_or_session(
    genuine: Genuine,
    office: Office,
    trust: Trust,
    session: str,
    name: str,
    found: tuple[str, str] | None,
) -> None:
    browser = Browser(ec.generate_private_key(ec.SECP256R1()))
    record, manifest = genuine.contents.signed
    signature = _by(office, browser, record.content, session=session, name=name)
    again = replace(record, signatures={"applicant": signature})

    report = _verify(rebuilt(genuine, office, signed=[again, manifest]), trust)

    assert report.exit_code == (0 if found is None else 1)
    assert found is None or _deciding(report) == found


@pytest.mark.parametrize(
    ("first", "last"),
    [pytest.param(2, 17, id="from the second"), pytest.param(1, 3, id="up to the third")],
)
def test_a_seal_that_counts_only_a_part_of_its_session_is_found(
    genuine: Genuine, first: int, last: int
) -> None:
    """A seal is the office's own word: what it says is held against what is there."""
    leaves = [Leaf.parse(each.leaf) for each in genuine.contents.case_leaves]
    counts = {"first_case_seq": first, "last_case_seq": last, "count": last - first + 1}
    forged = tuple(
        replace(leaf, body={**leaf.body, **counts}) if leaf.body["kind"] == "session-seal" else leaf
        for leaf in leaves
    )
    whole = proofs.require_complete(proofs.Chain(leaves[0].case, tuple(leaves)), SESSION)
    assert (whole["first"], whole["last"]) == (1, 17)
    with pytest.raises(Failed) as caught:
        proofs.require_complete(proofs.Chain(leaves[0].case, forged), SESSION)
    assert caught.value.reason == "count"


async def test_a_second_register_is_none(
    genuine: Genuine,
    office: Office,
    trust: Trust,
    applicant: IssuedCertificate,
    browser: Browser,
    tmp_path: Path,
) -> None:
    """An office that kept two could use a number in each."""
    second = await genuine_bundle(
        tmp_path,
        office=office,
        certificate=genuine.certificate,
        document=genuine.contents.documents["power-of-attorney.pdf"],
        browser=browser,
        applicant=applicant,
        register="0" * 32,
    )

    report = await asyncio.to_thread(_verify, second.bundle, trust)

    assert report.exit_code == 1
    assert _deciding(report) == ("register", "other-register")
    with pytest.raises(LedgerError, match="outside the office's one register"):
        read_mirror(Mirror.at(second.mirror), trust.log_keys)
