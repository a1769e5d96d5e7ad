"""`farseal ledger audit` and `mirror` read the SM2 line, and say when they could not."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ledger import sm2
from ledger.note import LogKeys
from ledger.sm2 import Sm2Key
from ledger.tiles import export
from signing.ca import open_office
from signing.keys import Secret
from tests.ledger.commands import run
from tests.ledger.house import Office, submission
from tests.ledger.site import serve
from tests.signing.cast import PASSPHRASE, profile

pytestmark = pytest.mark.skipif(
    not sm2.available(), reason="the extra farseal[gm] is not installed: no SM2 line is made"
)
WITHOUT = (
    "import sys; sys.modules['gmssl_pyx'] = None;"
    "from server.cli import main; main(['ledger', *sys.argv[1:]])"
)


@dataclass(slots=True)
class Signed:
    """A mirrored log whose checkpoints carry an SM2 line, and the trust file naming its key."""

    mirror: Path
    trust: Path

    def told(self, *, sm2: str | None) -> None:
        value = json.loads(self.trust.read_text())
        value["ledger"]["sm2"] = sm2
        self.trust.write_text(json.dumps(value))


async def sign(office: Office, tmp_path: Path, key: Sm2Key, keys: LogKeys) -> Signed:
    office.keys = keys
    log = await office.open()
    await log.append(submission(1))
    await log.seal(0)
    export(log.reader, tmp_path / "mirror")
    trust = open_office(
        tmp_path / "own", profile(), Secret(PASSPHRASE), clock=lambda: office.clock.wall
    ).trust()
    trust["ledger"] = {
        "origin": keys.origin,
        "vkeys": [each.vkey for each in keys.verifiers],
        "sm2": key.verifier.vkey,
    }
    (tmp_path / "trust.json").write_text(json.dumps(trust))
    return Signed(tmp_path / "mirror", tmp_path / "trust.json")


@pytest.fixture
def key(keys: LogKeys) -> Sm2Key:
    return Sm2Key.generate(keys.origin)


@pytest.fixture
async def signed(office: Office, tmp_path: Path, key: Sm2Key, keys: LogKeys) -> Signed:
    return await sign(office, tmp_path, key, replace(keys, third=key.line))


def test_the_line_is_checked_where_the_extra_is(signed: Signed, tmp_path: Path) -> None:
    code, out, _ = run("audit", signed.mirror, "--trust", signed.trust)
    zh = run("audit", signed.mirror, "--trust", signed.trust, "--lang", "zh-CN")[1]
    assert (code, "checked, 1 checkpoints" in out, "已核对，1 个检查点" in zh) == (0, True, True)
    with serve(signed.mirror) as url:
        code, out, _ = run("mirror", url, tmp_path / "copy", "--trust", signed.trust)
        assert (code, "SM2 line: checked" in out) == (0, True)
        again = run("mirror", url, tmp_path / "copy", "--trust", signed.trust, "--json")[1]
        assert json.loads(again)["sm2"] == "held"


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "not checked: needs the extra [gm]"), ("zh-CN", "需要 [gm] 扩展")]
)
def test_without_the_extra_it_says_that_it_did_not_look(
    signed: Signed, lang: str, words: str
) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c", WITHOUT, "audit", signed.mirror),
            *("--trust", signed.trust, "--lang", lang),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, words in done.stdout) == (0, True), done


def test_a_trust_file_without_the_key_is_not_taken_for_a_check(signed: Signed) -> None:
    signed.told(sm2=None)
    code, out, _ = run("audit", signed.mirror, "--trust", signed.trust)
    assert (code, "no trust file was given that names an SM2 key" in out) == (0, True)


async def test_a_line_that_is_missing_is_said_and_one_that_fails_is_found(
    office: Office, tmp_path: Path, key: Sm2Key, keys: LogKeys
) -> None:
    def false(text: str) -> str:
        return key.line(text + "x")

    bare = await sign(office, tmp_path, key, keys)
    code, out, _ = run("audit", bare.mirror, "--trust", bare.trust)
    assert (code, "the newest checkpoint has no SM2 line" in out) == (0, True)
    (tmp_path / "false").mkdir()
    other = Office(tmp_path / "false", keys)
    signed = await sign(other, tmp_path / "false", key, replace(keys, third=false))
    report = json.loads(run("audit", signed.mirror, "--trust", signed.trust, "--json")[1])
    assert {(each["check"], each["reason"]) for each in report["findings"]} == {
        ("sm2", "signature")
    }
    with serve(signed.mirror) as url:
        code, _, said = run("mirror", url, tmp_path / "copy", "--trust", signed.trust)
    assert (code, "SM2" in said) == (1, True)
    for log in other.opened:
        await log.close()
