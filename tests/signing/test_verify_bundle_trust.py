"""Verifying a bundle: by whose trust, as of when, and what no office can have written."""

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entry import canonical_json
from ledger.proof import TlogProof
from ledger.tiles import Mirror
from signing import status
from signing.ca import IssuedCertificate, Office, open_office
from signing.keys import Secret
from signing.session_times import SEALED, SEALED_TOKEN, session_times
from signing.trust import Trust
from tests.signing.bundles import CASE, SESSION, Genuine, genuine_bundle, rebuilt
from tests.signing.cast import PASSPHRASE, Browser, profile
from tests.signing.test_verify_bundle import YEAR_MS, _deciding, _swapped, _verify, now, trust

__all__ = ["trust"]


def test_a_stripped_checkpoint_signature_is_found(
    genuine: Genuine, office: Office, trust: Trust
) -> None:
    lines = genuine.contents.checkpoint.splitlines(keepends=True)
    stripped = "".join(lines[:-1])  # the ML-DSA-44 line

    report = _verify(rebuilt(genuine, office, checkpoint=stripped), trust)

    assert _deciding(report) == ("checkpoint", "checkpoint")


def test_another_offices_trust_does_not_hold(genuine: Genuine, tmp_path: Path) -> None:
    other = open_office(tmp_path / "other", profile(), Secret(PASSPHRASE), clock=now)

    report = _verify(genuine.bundle, Trust.parse(other.trust()))

    assert report.exit_code == 1
    assert _deciding(report) == ("signature", "signature")
    assert report.facts == {}


def test_a_token_of_an_authority_that_a_newer_trust_names_is_not_called_false(
    genuine: Genuine, office: Office, trust: Trust, tmp_path: Path
) -> None:
    other = open_office(tmp_path / "other", profile(), Secret(PASSPHRASE), clock=now)
    note = genuine.contents.checkpoint
    token = other.timestamp(sha256(note.encode()).digest())
    bundle = rebuilt(genuine, office, checkpoint_token=token)
    roots = [*genuine.trust["tsa_roots"], *other.trust()["tsa_roots"]]

    report = _verify(bundle, trust)

    assert (report.verdict, _deciding(report)) == (
        "indeterminate",
        ("checkpoint", "unknown-authority"),
    )
    assert report.deciding is not None
    assert report.deciding.outcome == "unavailable"
    assert "CN=" in report.deciding.detail["who"]
    assert _verify(bundle, Trust.parse(genuine.trust | {"tsa_roots": roots})).verdict == "valid"
    # Whatever is false is still called so: a token over another note, a note that was changed.
    elsewhere = other.timestamp(bytes(32))
    wrong = _verify(rebuilt(genuine, office, checkpoint_token=elsewhere), trust)
    assert (wrong.verdict, _deciding(wrong)) == ("invalid", ("checkpoint", "timestamp"))
    stripped = "".join(note.splitlines(keepends=True)[:-1])
    changed = _verify(rebuilt(genuine, office, checkpoint=stripped, checkpoint_token=token), trust)
    assert (changed.verdict, _deciding(changed)) == ("invalid", ("checkpoint", "checkpoint"))


def test_nor_is_one_over_the_first_checkpoint_after_a_session(
    genuine: Genuine, trust: Trust, tmp_path: Path
) -> None:
    other = open_office(tmp_path / "other", profile(), Secret(PASSPHRASE), clock=now)
    view = Mirror.at(genuine.mirror).open(trust.log_keys)
    leaves = view.chain(CASE)
    (seal,) = (leaf for leaf in leaves if leaf.body.get("kind") == "session-seal")
    note = Mirror.at(genuine.mirror).note()
    proof = TlogProof(seal.index, view.inclusion(seal.index), note)
    files = {
        SEALED: proof.text.encode(),
        SEALED_TOKEN: other.timestamp(sha256(note.encode()).digest()),
    }
    roots = [*genuine.trust["tsa_roots"], *other.trust()["tsa_roots"]]
    newer = Trust.parse(genuine.trust | {"tsa_roots": roots})

    told = [
        session_times(leaves, [], session=SESSION, files=files, trust=each, keys=each.log_keys)[-1]
        for each in (trust, newer)
    ]

    assert told[0] == {"key": "no-after", "why": "unknown"}
    assert (told[1]["key"], told[1]["size"]) == ("not-after", view.size)


def test_a_revoked_certificate_is_invalid_and_said_to_be_genuine(
    genuine: Genuine, office: Office, trust: Trust
) -> None:
    newer = status.build([3], office=office, at=now())

    report = _verify(genuine.bundle, trust, status=newer)

    assert report.exit_code == 1
    assert report.revoked
    assert [check.key for check in report.checks if check.outcome != "ok"] == ["status"]


async def test_a_status_list_only_this_bundle_holds_confirms_nothing(
    genuine: Genuine,
    office: Office,
    trust: Trust,
    applicant: IssuedCertificate,
    browser: Browser,
    tmp_path: Path,
) -> None:
    """An office could make one for a single reader; what the register knows, everybody can see."""
    quiet = await genuine_bundle(
        tmp_path,
        office=office,
        certificate=genuine.certificate,
        document=genuine.contents.documents["power-of-attorney.pdf"],
        browser=browser,
        applicant=applicant,
        status_logged=False,
    )

    report = await asyncio.to_thread(_verify, quiet.bundle, trust)
    assert report.exit_code == 2
    assert _deciding(report) == ("status", "status-not-logged")
    newer = status.build([], office=office, at=now())
    assert (await asyncio.to_thread(_verify, quiet.bundle, trust, status=newer)).exit_code == 0
    bad = await asyncio.to_thread(
        _verify, quiet.bundle, trust, status=status.build([3], office=office, at=now())
    )
    assert bad.revoked


def test_an_old_status_is_said_to_be_old_only_when_asked(genuine: Genuine, trust: Trust) -> None:
    later = now() + 40 * 86_400_000

    assert _verify(genuine.bundle, trust, at=later).exit_code == 0
    aged = _verify(genuine.bundle, trust, at=later, max_age_ms=30 * 86_400_000)
    assert aged.exit_code == 2
    assert _deciding(aged) == ("status", "status-too-old")


def test_when_the_timestamps_certificate_has_ended_nothing_is_confirmed(
    genuine: Genuine, trust: Trust
) -> None:
    report = _verify(genuine.bundle, trust, at=now() + 11 * YEAR_MS)

    assert report.exit_code == 2
    assert _deciding(report)[1] == "timestamp-expired"


def test_another_offices_status_list_is_not_believed(
    genuine: Genuine, trust: Trust, tmp_path: Path
) -> None:
    other = open_office(tmp_path / "other", profile(), Secret(PASSPHRASE), clock=now)

    report = _verify(genuine.bundle, trust, status=status.build([], office=other, at=now()))

    assert _deciding(report) == ("status", "status")


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abv", max_size=3), inner),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(
        ["ledger/case.json", "ledger/register.json", "signatures.json", "manifest.json"]
    ),
    _JUNK,
)
def test_hostile_json_is_invalid_and_never_a_traceback(
    genuine: Genuine, trust: Trust, name: str, value: Any
) -> None:
    report = _verify(_swapped(genuine, **{name: canonical_json(value)}), trust)

    assert report.exit_code == 1
