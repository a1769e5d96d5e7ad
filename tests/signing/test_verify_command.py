"""`farseal verify` as people call it: exit codes, words, limits."""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from server.cli import verify_words
from signing.ca import Office
from signing.confined import Request, verify_confined
from tests.signing.bundles import NUMBER, Genuine

FARSEAL = str(Path(sys.executable).parent / "farseal")


@pytest.fixture(scope="module")
def desk(genuine: Genuine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a third party has it."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "bundle.zip").write_bytes(genuine.bundle)
    (folder / "certificate.pdf").write_bytes(genuine.certificate)
    (folder / "trust.json").write_text(json.dumps(genuine.trust))
    (folder / "ledger").symlink_to(genuine.mirror)
    (folder / "broken.zip").write_bytes(genuine.bundle[:-1] + b"\1")
    (folder / "empty").mkdir()
    return folder


def _farseal(desk: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "LANG": "C.UTF-8", "COLUMNS": "100"}
    return subprocess.run(
        [FARSEAL, "verify", *arguments], cwd=desk, capture_output=True, text=True, env=environment
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("bundle.zip --trust trust.json", 0),
        ("certificate.pdf --trust trust.json --ledger ledger", 0),
        ("broken.zip --trust trust.json", 1),
        ("trust.json --trust trust.json", 1),
        ("bundle.zip", 2),
        ("certificate.pdf --trust trust.json", 2),
        ("certificate.pdf --trust trust.json --ledger empty", 2),
        ("missing.pdf", 3),
        ("", 3),
        ("bundle.zip --nonsense", 3),
        ("bundle.zip --trust missing.json", 3),
        ("bundle.zip --trust bundle.zip", 3),
        ("bundle.zip --max-age x", 3),
        ("certificate.pdf --trust trust.json --ledger missing", 3),
    ],
)
def test_exit_codes(desk: Path, arguments: str, code: int) -> None:
    done = _farseal(desk, *arguments.split())

    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("option", ["--trust", "--status"])
def test_json_without_end_is_wrong_usage_and_no_verdict(desk: Path, option: str) -> None:
    (desk / "deep.json").write_text("[" * 100_000)
    done = _farseal(desk, "bundle.zip", option, "deep.json")
    assert done.returncode == 3
    assert "deep.json is not JSON" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_without_the_signs_changes_no_verdict(desk: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [FARSEAL, "verify", "bundle.zip", "--trust", "trust.json", "--lang", "en"]
    done = subprocess.run(command, cwd=desk, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Genuine and unchanged" in done.stdout


def test_people_read_the_verdict_first_in_their_language(desk: Path) -> None:
    english = _farseal(desk, "bundle.zip", "--trust", "trust.json").stdout
    chinese = _farseal(desk, "bundle.zip", "--trust", "trust.json", "--lang", "zh-CN").stdout

    assert english.startswith("● Genuine and unchanged; not revoked as of 20")
    assert "demo office: no legal effect" in english
    assert "no witness" in english
    assert chinese.startswith("● 真实，未被改动；截至 20")
    assert NUMBER in english
    assert NUMBER in chinese


def test_machines_read_json(desk: Path) -> None:
    report = json.loads(_farseal(desk, "bundle.zip", "--trust", "trust.json", "--json").stdout)

    assert (report["verdict"], report["exit_code"]) == ("valid", 0)
    assert [check["number"] for check in report["checks"]] == list(range(1, 15))
    assert report["notes"] == ["demo-office", "no-witness", "own-time"]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(genuine: Genuine) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(genuine.mirror))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_mirror_may_be_an_address(desk: Path, served: str) -> None:
    done = _farseal(desk, "certificate.pdf", "--trust", "trust.json", "--ledger", served)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda mirror: (mirror / "checkpoint").unlink(), "no-mirror"),
        (lambda mirror: (mirror / "checkpoint").write_bytes(b"nothing signed"), "mirror"),
        (lambda mirror: next((mirror / "tile/entries").rglob("*.p/*")).write_bytes(b""), "mirror"),
    ],
    ids=["gone", "unsigned", "cut"],
)
def test_a_mirror_that_does_not_hold_says_nothing_of_the_file(
    genuine: Genuine, office: Office, tmp_path: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    mirror = Path(shutil.copytree(genuine.mirror, tmp_path / "mirror"))
    spoil(mirror)
    asked = Request(at=office.clock(), trust=json.dumps(genuine.trust), ledger=str(mirror))

    report = verify_confined(genuine.certificate, asked)
    changed = verify_confined(genuine.certificate[:-1], asked)

    assert report.exit_code == 2
    assert report.deciding is not None
    assert (report.deciding.key, report.deciding.reason) == ("register", reason)
    assert report.deciding.detail["error"]
    assert changed.exit_code == 1


def test_a_child_that_takes_too_long_is_invalid(genuine: Genuine) -> None:
    report = verify_confined(genuine.bundle, Request(at=0), seconds=0.001)

    assert report.exit_code == 1
    assert report.deciding is not None
    assert report.deciding.reason == "time"


def test_every_check_reason_and_note_has_words_in_both_languages() -> None:
    sources = " ".join(path.read_text() for path in Path("signing").glob("*.py"))
    reasons = {"no-trust", "no-ledger", "not-in-register", "unexpected", "crashed", "time"}
    for catalogue in (
        verify_words.VERDICTS,
        verify_words.CHECKS,
        verify_words.FOUND,
        verify_words.REASONS,
        verify_words.NOTES,
        verify_words.OUTCOMES,
    ):
        for key, words in catalogue.items():
            assert set(words) == {"zh-CN", "en"}, key
            assert all(words.values()), key
    raised = set(re.findall(r'(?:Failed|Unavailable)\(\s*"([a-z-]+)"', sources)) | reasons
    assert raised <= set(verify_words.REASONS)


def test_the_verifier_needs_nothing_of_the_server(desk: Path) -> None:
    """It starts with aiohttp, aiortc, av and cv2 out of reach."""
    program = (
        "import sys\n"
        "for name in ('aiohttp', 'aiortc', 'av', 'cv2', 'typst', 'dbos', 'pydantic'):\n"
        "    sys.modules[name] = None\n"
        "from server.cli import main\n"
        "main(['verify', 'bundle.zip', '--trust', 'trust.json'])\n"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=desk, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
