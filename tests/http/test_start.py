"""Starting the office: settings, locks, messages, and the image that repeats the same steps."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from server.config import ConfigError, derive, read_config
from tests.fakes.office import running_office

ROOT = Path(__file__).parents[2]
SERVE = (sys.executable, "-m", "server.cli", "serve")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_secret_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    first = read_config(data=tmp_path / "data", environment={})
    again = read_config(data=tmp_path / "data", environment={})
    assert first.secret.reveal() == again.secret.reveal()
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600
    assert first.secret.reveal().decode() not in repr(first)
    assert derive(first.secret, "a") != derive(first.secret, "b")
    assert len(derive(first.secret, "a", length=20)) == 20


@pytest.mark.parametrize(
    "url", ["notary.example", "ftp://notary.example", "https://", "https://a.example/office"]
)
def test_an_address_nobody_could_open_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="public url"):
        read_config(data=tmp_path, public_url=url, environment={})


@pytest.mark.parametrize("ports", ["40000", "40999-40000", "40000-40031"])
def test_ports_that_three_workers_cannot_share_are_refused(tmp_path: Path, ports: str) -> None:
    with pytest.raises(ConfigError, match="media ports"):
        read_config(data=tmp_path, workers=3, media_ports=ports, environment={})


def test_ports_and_workers_are_settings(tmp_path: Path) -> None:
    config = read_config(data=tmp_path, workers=3, media_ports="40000-40999", environment={})
    assert (config.workers, str(config.media_ports)) == (3, "40000-40999")
    answer = _run([*SERVE, "--data", str(tmp_path), "--media-ports", "40000-40003"])
    assert answer.returncode == 2
    assert "16 ports are needed" in answer.stderr


def test_secrets_that_protect_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="FARSEAL_SECRET"):
        read_config(data=tmp_path, environment={"FARSEAL_SECRET": "short"})
    (tmp_path / "secret").write_text("")
    with pytest.raises(ConfigError, match="damaged"):
        read_config(data=tmp_path, environment={})


@pytest.mark.parametrize(
    ("turn", "secret", "said"),
    [
        (("https://turn.example",), "s" * 32, "turn:"),
        (("turn:turn.example:3478?transport=sctp",), "s" * 32, "turn:"),
        (("turn:turn.example",), "", "FARSEAL_TURN_SECRET"),
        ((), "s" * 32, "--turn"),
        (("turn:turn.example",), "s" * 31, "shorter"),
    ],
)
def test_a_relay_nobody_could_use_is_refused(
    tmp_path: Path, turn: tuple[str, ...], secret: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        read_config(data=tmp_path, turn=turn, environment={"FARSEAL_TURN_SECRET": secret})


def test_a_relay_and_its_secret(tmp_path: Path) -> None:
    urls = ("turn:turn.example", "turns:[2001:db8::1]:443?transport=tcp")
    shared = "a secret of office and coturn, shared"
    config = read_config(data=tmp_path, turn=urls, environment={"FARSEAL_TURN_SECRET": shared})
    assert config.turn == urls
    assert config.turn_secret is not None
    assert config.turn_secret.reveal() == shared.encode()
    assert shared not in repr(config)


def test_a_directory_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = _run([*SERVE, "--data", str(tmp_path / "file" / "data")])
    assert answer.returncode == 2
    assert "cannot be written" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_taken_port_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        command = [*SERVE, "--data", str(tmp_path / "data"), "--port", port]
        answer = _run(command)
    assert answer.returncode == 3
    assert f"port {port} on 127.0.0.1 is taken" in answer.stderr
    assert not (tmp_path / "data" / "office").exists()


async def test_two_servers_never_share_a_directory(tmp_path: Path) -> None:
    async with running_office(tmp_path / "data"):
        command = [*SERVE, "--data", str(tmp_path / "data"), "--port", "0"]
        answer = await asyncio.to_thread(_run, command)
    assert answer.returncode == 4
    assert f"another server (process {os.getpid()})" in answer.stderr


async def test_a_second_start_keeps_everything(tmp_path: Path) -> None:
    async with running_office(tmp_path / "data") as office, office.applicant() as ana:
        case = await ana.post("/api/cases", {"matter": "poa-remote", "language": "en"})
        token = next(iter(ana.http.cookie_jar)).value
        trust = await ana.get("/trust.json")
        first = office.url
    async with running_office(tmp_path / "data") as office, office.browser() as later:
        cookie = {"Cookie": f"farseal_session={token}"}
        [kept] = (await later.get("/api/cases", headers=cookie))["cases"]
        assert kept["id"] == case["id"]
        assert (await later.get("/api/config"))["public_url"] == first
        assert (await later.get("/trust.json"))["roots"] == trust["roots"]


async def test_an_office_does_not_change_its_address(tmp_path: Path) -> None:
    async with running_office(tmp_path / "data"):
        pass
    address = ["--public-url", "https://other.example", "--port", "0"]
    answer = await asyncio.to_thread(_run, [*SERVE, "--data", str(tmp_path / "data"), *address])
    assert answer.returncode == 2
    assert "founded as http://localhost:" in answer.stderr


def test_the_start_says_who_can_log_in_and_what_is_not_real(tmp_path: Path) -> None:
    command = [*SERVE, "--data", str(tmp_path / "data"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        told = b""
        while b"Ctrl-C" not in told:
            line = server.stdout.readline()
            assert line, told.decode()
            told += line
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    text = told.decode()
    for word in ("http://localhost:", "notary2", "approver", "assistant", "TOTP secret"):
        assert word in text
    assert "STAND-INS" in text
    assert "替身" in text
    fingerprint = re.search(r"root SHA-256\s+((?:[0-9a-f]{8}\s+){8})", text)
    assert fingerprint, text


def test_the_image_repeats_the_steps_of_make_run() -> None:
    makefile = (ROOT / "Makefile").read_text()
    steps = re.search(r"^run: (\S+).*\n\t(.+)$", makefile, re.MULTILINE)
    assert steps is not None
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    assert f"RUN make {steps[1]}" in dockerfile
    [command] = re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert " ".join(json.loads(command)) == steps[2]


def test_the_composition_puts_the_data_on_a_volume() -> None:
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    app = compose["services"]["app"]
    assert (ROOT / "docker" / app["build"]["context"]).resolve() == ROOT
    assert (ROOT / app["build"]["dockerfile"]).exists()
    [volume] = app["volumes"]
    name, place = volume.split(":")
    assert name in compose["volumes"]
    assert f"FARSEAL_DATA={place}" in (ROOT / "docker" / "Dockerfile").read_text()
    assert app["environment"]["FARSEAL_HOST"] == "127.0.0.1"


def test_the_composition_offers_a_postgresql_for_the_ledger_to_who_asks() -> None:
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    service = compose["services"]["postgresql"]
    assert service["profiles"] == ["postgresql"]
    assert [port.split(":")[0] for port in service["ports"]] == ["127.0.0.1"]
    [volume] = service["volumes"]
    assert volume.split(":")[0] in compose["volumes"]
    # without the profile, nothing is asked for and the ledger is a file
    assert compose["services"]["app"]["environment"]["FARSEAL_LEDGER_DATABASE"].endswith(":-}")
    assert service["environment"]["POSTGRES_PASSWORD"].endswith(":-}")


def test_every_option_and_setting_is_documented() -> None:
    from server.cli.serve import command

    operations = (ROOT / "docs" / "operations.md").read_text()
    for option in command.params:
        assert f"`{option.opts[0]}`" in operations
        assert f"`{getattr(option, 'envvar', None)}`" in operations
