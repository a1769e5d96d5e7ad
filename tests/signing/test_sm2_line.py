"""An office that signs by SM2 too: its key, what trust.json names, and what a verifier says."""

import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from ledger import sm2
from ledger.note import sign_checkpoint
from ledger.sm2 import Sm2Key
from signing.ca import Office, open_office
from signing.keys import Secret
from signing.report import Report
from signing.trust import Trust
from signing.verify_bundle import verify
from tests.signing.bundles import Genuine, rebuilt
from tests.signing.cast import PASSPHRASE, profile

pytestmark = pytest.mark.skipif(
    not sm2.available(), reason="the extra farseal[gm] is not installed: no SM2 line is made"
)


@pytest.fixture(scope="module")
def key(genuine: Genuine) -> Sm2Key:
    return Sm2Key.generate(genuine.trust["ledger"]["origin"])


def report(genuine: Genuine, office: Office, key: Sm2Key, *, line: str, named: bool) -> Report:
    """The genuine bundle with this line under its checkpoint, sealed anew as the office would."""
    note = genuine.contents.checkpoint + line
    token = office.timestamp(sha256(note.encode()).digest())
    bundle = rebuilt(genuine, office, checkpoint=note, checkpoint_token=token)
    ledger = genuine.trust["ledger"] | ({"sm2": key.verifier.vkey} if named else {})
    return verify(bundle, Trust.parse(genuine.trust | {"ledger": ledger}), at=office.clock())


def line_under(genuine: Genuine, key: Sm2Key) -> str:
    return key.line(genuine.contents.checkpoint.partition("\n\n")[0] + "\n")


def test_a_line_that_holds_is_said_to(genuine: Genuine, office: Office, key: Sm2Key) -> None:
    found = report(genuine, office, key, line=line_under(genuine, key), named=True)
    (check,) = [each for each in found.checks if each.key == "checkpoint"]
    assert (found.verdict, check.detail["sm2"]) == ("valid", "held")
    assert f"SM2 {key.verifier.key_id.hex()}" in check.against
    assert not {"sm2-absent", "sm2-unchecked"} & set(found.notes)


@pytest.mark.parametrize(("named", "told"), [(True, "absent"), (False, "none")])
def test_a_line_that_is_not_there_is_not_claimed(
    genuine: Genuine, office: Office, key: Sm2Key, named: bool, told: str
) -> None:
    found = report(genuine, office, key, line="", named=named)
    (check,) = [each for each in found.checks if each.key == "checkpoint"]
    assert (found.verdict, check.detail["sm2"]) == ("valid", told)
    assert ("sm2-absent" in found.notes) is named
    assert "SM2" not in check.against


def test_a_line_of_a_key_nobody_named_is_ignored(
    genuine: Genuine, office: Office, key: Sm2Key
) -> None:
    found = report(genuine, office, key, line=line_under(genuine, key), named=False)
    assert found.verdict == "valid"


def test_a_line_that_fails_fails_the_bundle(genuine: Genuine, office: Office, key: Sm2Key) -> None:
    for line in (
        key.line("another text\n"),
        f"\u2014 {key.verifier.name} {b64encode(key.verifier.key_id + bytes(64)).decode()}\n",
    ):
        found = report(genuine, office, key, line=line, named=True)
        assert found.verdict == "invalid"
        assert found.deciding is not None
        assert (found.deciding.key, found.deciding.reason) == ("checkpoint", "checkpoint")


def test_an_office_makes_its_key_once_and_encrypts_it(tmp_path: Path, office: Office) -> None:
    directory = tmp_path / "office"
    first = open_office(directory, profile(), Secret(PASSPHRASE), clock=office.clock)
    assert "sm2" not in first.trust()["ledger"]
    assert not (directory / "ledger-sm2.key").exists()
    first.sign_by_sm2()
    named = Trust.parse(first.trust()).sm2
    assert named is not None
    note = sign_checkpoint(first.log_keys, size=1, root=bytes(32), at=first.clock())
    assert named.line_of(note) == "held"

    path = directory / "ledger-sm2.key"
    assert path.stat().st_mode & 0o077 == 0
    assert path.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    again = open_office(directory, profile(), Secret(PASSPHRASE), clock=office.clock)
    again.sign_by_sm2()
    assert Trust.parse(again.trust()).sm2 == named


def test_a_server_that_cannot_sign_as_asked_does_not_start(tmp_path: Path) -> None:
    program = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == "gmssl_pyx":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
from server.cli import main
sys.argv = ["farseal", "serve", "--gm", "--port", "0", "--data", {str(tmp_path / "data")!r}]
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "farseal[gm]" in done.stderr
