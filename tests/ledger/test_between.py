"""Between which times an entry was written: by others' word, verified, or not at all."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ledger.anchors import COSIGNATURE, TIMESTAMP, Anchor, Stamped, attest_path
from ledger.between import Bound, Said, between, hear, read_held, roots_of
from ledger.note import Checkpoint, Cosigner
from ledger.tiles import Mirror, export
from server.cli.when import authority
from signing.ca import Office as Notaries
from signing.ca import open_office
from signing.keys import Secret
from signing.tokens import read_token
from signing.trust import Trust, witnessing
from tests.ledger.commands import run
from tests.ledger.house import NOON, Office, submission
from tests.ledger.site import serve
from tests.ledger.test_sealing import World
from tests.signing.cast import PASSPHRASE, profile

MINUTE = 60_000


@dataclass(slots=True)
class Told:
    """A mirror of a log, sealed at noon and two minutes later, with an entry between."""

    mirror: Path
    trust: dict[str, Any]
    between: int
    world: World
    tsa: Notaries

    def when(self, *arguments: str | Path, mirror: Path | None = None) -> dict[str, Any]:
        """What the command says of the entry between."""
        (self.mirror.parent / "trust.json").write_text(json.dumps(self.trust))
        trust = ("--trust", self.mirror.parent / "trust.json")
        said = run("when", str(self.between), mirror or self.mirror, "--json", *trust, *arguments)
        assert said[0] == 0, said
        (entry,) = json.loads(said[1])["entries"]
        return dict(entry)

    def heard(self) -> list[Said]:
        """What is at hand and verifies."""
        trust, mirror = Trust.parse(self.trust), Mirror.at(self.mirror)
        size = Checkpoint.unverified(mirror.note()).size
        return hear(
            read_held(self.mirror),
            roots_of(self.mirror, size),
            origin=trust.origin,
            size=size,
            witnesses=trust.policy.verifiers,
            read_token=authority(trust),
        )


async def tell(
    office: Office, tmp_path: Path, *, over: bytes | None = None, later_ms: int = 0
) -> Told:
    """The tokens are another office's; three witnesses sign, of which two must.

    A log that lies has tokens `over` something else, or logs them back as so much `later_ms`.
    """
    world = World(office)
    tsa = await asyncio.to_thread(
        open_office,
        tmp_path / "other",
        profile(),
        Secret(PASSPHRASE),
        clock=lambda: office.clock.wall,
    )

    async def timestamp(data: bytes) -> bytes:
        return tsa.timestamp(sha256(over or data).digest())

    def stamped(token: bytes, note: bytes) -> Stamped:
        found = read_token(token, digest=sha256(over or note).digest(), roots=(tsa.root,))
        return Stamped(found.at + later_ms, found.certificate.subject.rfc4514_string())

    office.timestamp, office.read_token = timestamp, stamped
    log = await office.open()
    await log.append(submission(1))
    await log.seal(0)
    office.clock.pass_ms(MINUTE)
    receipt = await log.append(submission(2))
    office.clock.pass_ms(MINUTE)
    await log.seal(receipt.index)
    mirror = tmp_path / "mirror"
    export(log.reader, mirror)
    await log.close()
    store = office.store()
    store.open()
    for each in store.newest_attestations(100):
        for data in (each.body, *([each.note.encode()] if each.kind == TIMESTAMP else [])):
            path = mirror / attest_path(each.size, sha256(data).hexdigest())
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    store.close()
    trust: dict[str, Any] = tsa.trust() | dict(witnessing(world.policy, 1))
    keys = [key.vkey for key in office.keys.verifiers]
    trust["ledger"] = {"origin": office.keys.origin, "vkeys": keys}
    # The office's own root is another: then the tokens are an outsider's.
    own = await asyncio.to_thread(
        open_office, tmp_path / "own", profile(), Secret(PASSPHRASE), clock=tsa.clock
    )
    trust["roots"] = own.trust()["roots"]
    return Told(mirror, trust, receipt.index, world, tsa)


@pytest.fixture
async def told(office: Office, tmp_path: Path) -> Told:
    """A log that does not lie."""
    return await tell(office, tmp_path)


def test_an_entry_lies_between_two_times_that_others_named(told: Told) -> None:
    entry = told.when()
    before, after = entry["not_before"]["outside"], entry["not_after"]["outside"]
    # A time in whole seconds may mean that second's end.
    latest = NOON + 2 * MINUTE + 999
    assert (before["at"], entry["time"], after["at"]) == (NOON, NOON + MINUTE, latest)
    assert before["size"] == 1 <= before["anchor"] < told.between < after["size"]
    assert entry["not_before"]["own"] is entry["not_after"]["own"] is None
    assert entry["not_before"]["named"] is entry["not_after"]["named"] is None


def test_the_offices_own_authority_is_never_called_an_outsider(told: Told) -> None:
    told.trust["roots"] = told.trust["tsa_roots"]
    entry = told.when()
    own, outside = entry["not_after"]["own"], entry["not_after"]["outside"]
    assert (own["of"], own["at"]) == (TIMESTAMP, NOON + 2 * MINUTE + 999)
    assert (outside["of"], outside["at"]) == (COSIGNATURE, NOON + 2 * MINUTE + 999)
    assert entry["not_before"]["own"]["of"] == TIMESTAMP
    told.trust |= {"witnesses": []}
    del told.trust["policy"]
    entry = told.when()
    assert entry["not_before"]["outside"] is entry["not_after"]["outside"] is None
    assert entry["not_before"]["own"]["at"] == NOON


def test_what_only_an_anchor_names_is_no_proof(told: Told) -> None:
    shutil.rmtree(told.mirror / "attest")
    entry = told.when()
    assert entry["not_before"]["outside"] is entry["not_before"]["own"] is None
    named = entry["not_before"]["named"]
    assert (named["at"], named["size"]) == (NOON, 1)
    # The newest checkpoint has its cosignatures under it, and they verify.
    assert entry["not_after"]["outside"]["at"] == NOON + 2 * MINUTE + 999


def test_without_a_trust_file_nothing_is_proven(told: Told, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("\n".join(key.vkey for key in told.world.office.keys.verifiers))
    code, said, _ = run("when", "0", str(told.between), told.mirror, "--key", keys)
    zh = run("when", "0", told.mirror, "--key", keys, "--lang", "zh-CN")[1]
    assert code == 0
    assert said.count("unavailable: nothing by an outsider") == 4
    assert "named by the log" in said
    assert "no proof" in said
    assert "No trust file" in said
    assert "不可用" in zh
    assert "没有给出信任文件" in zh


def test_words_say_who_and_whose_clock(told: Told, tmp_path: Path) -> None:
    trust = tmp_path / "trust.json"
    told.trust |= {"witnesses": []}
    del told.trust["policy"]
    trust.write_text(json.dumps(told.trust))
    said = run("when", str(told.between), told.mirror, "--trust", trust, "--lang", "en")[1]
    assert "not before" in said
    assert "not after" in said
    assert f"says {told.tsa.tsa.certificate.subject.rfc4514_string()}" in said
    told.trust["roots"] = told.trust["tsa_roots"]
    trust.write_text(json.dumps(told.trust))
    said = run("when", str(told.between), told.mirror, "--trust", trust, "--lang", "zh-CN")[1]
    assert "本处自己的时间戳机构" in said
    assert "并非第三方" in said


def test_lines_and_tokens_that_do_not_verify_count_for_nothing(told: Told) -> None:
    genuine = told.heard()
    shutil.rmtree(told.mirror / "attest")
    fewer = told.heard()
    assert {each.of for each in genuine} == {COSIGNATURE, TIMESTAMP}
    assert {each.of for each in fewer} == {COSIGNATURE}
    size = Checkpoint.unverified(Mirror.at(told.mirror).note()).size
    root = roots_of(told.mirror, size)(1)
    text = Checkpoint(told.trust["ledger"]["origin"], 1, root).text
    other = Checkpoint(told.trust["ledger"]["origin"], 1, bytes(32)).text
    witness = told.world.neighbours[0].keys
    note = f"{other}\n{witness.cosign(other, at=NOON)}".encode()
    hostile = [
        *Cosigner.generate("w0.example").cosign(text, at=NOON).splitlines(keepends=True),
        *witness.cosign(other, at=NOON).splitlines(keepends=True),  # over another tree
        "— not a line\n",
    ]
    token = told.tsa.timestamp(sha256(note).digest())
    for data in (*(line.encode() for line in hostile), note, token, token[:-1], b"\x30\x82", b""):
        path = told.mirror / attest_path(1, sha256(data).hexdigest())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    beyond = told.mirror / attest_path(size + 1, sha256(token).hexdigest())
    beyond.parent.mkdir()
    beyond.write_bytes(token)
    assert told.heard() == fewer
    spoiled = told.mirror / attest_path(1, "00" * 32)
    spoiled.write_bytes(b"something else")
    assert read_held(told.mirror).spoiled == (attest_path(1, "00" * 32),)


def test_exit_codes_are_those_of_its_neighbours(told: Told, tmp_path: Path) -> None:
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps(told.trust))
    assert run("when", "100000", told.mirror, "--trust", trust)[0] == 3
    assert run("when", "0", tmp_path / "none", "--trust", trust)[0] == 3
    assert run("when", "0", told.mirror)[0] == 3
    with serve(told.mirror) as url:
        assert run("when", "0", url, "--trust", trust)[0] == 0
    (bundle,) = (told.mirror / "tile/entries").rglob("000.p/*")
    data = bytearray(bundle.read_bytes())
    data[data.index(b'"index":0,') + 30] ^= 1
    bundle.write_bytes(data)
    code, said, error = run("when", "0", told.mirror, "--trust", trust)
    assert (code, said) == (1, "")
    assert "entry 0" in error.replace("\n", " ")


def test_an_anchor_dates_its_own_entry_and_what_follows_and_nothing_before() -> None:
    digest = "ab" * 32
    said = [Said(COSIGNATURE, 3, NOON, "w+00", True, digest)]
    anchors = [(4, Anchor(COSIGNATURE, 3, NOON, "w+00", digest))]
    bound = Bound(NOON, "w+00", COSIGNATURE, 3, 4)
    sides = [between(index, said, anchors) for index in range(6)]
    assert [each.not_before.outside for each in sides] == [None] * 4 + [bound] * 2
    assert [each.not_after.outside is not None for each in sides] == [True] * 3 + [False] * 3


def test_the_tightest_time_counts_and_a_looser_named_one_is_left_out() -> None:
    def anchor(place: int, size: int, at: int) -> tuple[int, Anchor]:
        return place, Anchor(COSIGNATURE, size, at, "w+00", f"{place:064x}")

    anchors = [anchor(2, 1, NOON), anchor(4, 3, NOON + MINUTE), anchor(9, 8, NOON + 2 * MINUTE)]
    said = [Said(COSIGNATURE, 3, NOON + MINUTE, "w+00", True, f"{4:064x}")]
    found = between(6, said, anchors)
    assert found.not_before.outside == Bound(NOON + MINUTE, "w+00", COSIGNATURE, 3, 4)
    assert found.not_before.named is None
    assert found.not_after.outside is None
    assert found.not_after.named == Bound(NOON + 2 * MINUTE + 999, "w+00", COSIGNATURE, 8, 9)
    # An anchor of a tree that was not there yet is believed in nothing.
    assert between(6, [], [anchor(5, 7, NOON)]).not_before.named is None
