"""What hostile servers, logs and folders do to those who only look: bounded, and said in words."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from ledger.entry import Leaf, canonical_json
from ledger.errors import GuardError
from ledger.guard import Guard
from ledger.note import LogKeys
from ledger.replay import Findings
from server.cli.log_site import LogSite
from server.witness_house import open_witness
from signing.register import INTENDED, register_of
from signing.register_audit import audit_register, read_status
from tests.ledger.commands import run
from tests.ledger.large import leaves, write_log

ORIGIN = "office.example/ledger"
ROOT = "ab" * 32


@contextmanager
def dripping(beginning: bytes) -> Iterator[str]:
    """A server that goes on sending, a byte at a time, until nobody listens."""
    ended = threading.Event()
    door = socket.create_server(("127.0.0.1", 0))

    def drip(line: socket.socket) -> None:
        with line, suppress(OSError):
            line.recv(4096)
            line.sendall(beginning)
            while not ended.wait(0.02):
                line.sendall(b"0")

    def answer() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(door.accept()[0],)).start()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}/log/"
    finally:
        ended.set()
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join()


@pytest.mark.parametrize(
    "beginning",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Drip: ",
    ],
)
def test_a_server_that_drips_holds_nobody_for_ever(beginning: bytes) -> None:
    with dripping(beginning) as url:
        site = LogSite(url, pause=lambda seconds: None, file_s=0.1)
        with pytest.raises(OSError, match=r"took too long|timed out"):
            site("checkpoint", 256_000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        f"{ORIGIN}\n{'9' * 5000}\n{ROOT}\n",
        f"{ORIGIN}\n٣\n{ROOT}\n",
        f"{ORIGIN}\n07\n{ROOT}\n",
        f"{ORIGIN}\n7\n{'zz' * 32}\n",
        f"{ORIGIN}\r\n7\r\n{ROOT}\r\n",
        f"{ORIGIN}\n7\n{ROOT}\nmore\n",
        "\0" * 10_000,
    ],
)
def test_a_guard_that_is_none_is_called_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "guard").write_bytes(text.encode())
    with pytest.raises(GuardError, match="damaged"):
        Guard(tmp_path / "guard", ORIGIN).read()


def test_a_number_of_thousands_of_digits_is_a_finding() -> None:
    """A log may write any text there; Python refuses to read so long an integer."""
    (data,) = leaves(1)
    value = Leaf.parse(data)
    body = {"kind": INTENDED, "number": "1" * 60_000, "status_index": 0}
    leaf = canonical_json(
        {
            "body": body,
            "case": register_of(ORIGIN),
            "case_prev": value.case_prev,
            "case_seq": 0,
            "event": value.event,
            "index": 0,
            "prev": value.prev,
            "time": value.time,
            "v": 1,
        }
    )
    found = Findings()
    numbers = audit_register(ORIGIN, [(0, leaf)], found)
    assert [each.reason for each in found.listed] == ["number-none"]
    assert not numbers.gave_out_before("2" * 60_000)


def test_a_status_list_nested_without_end_is_none() -> None:
    with pytest.raises(ValueError, match="nested"):
        read_status(b"[" * 200_000)


def test_a_folder_may_be_called_anything(keys: LogKeys, tmp_path: Path, key: Path) -> None:
    """Square brackets are not a terminal's colours."""
    target = tmp_path / "a[/b]"
    write_log(target, keys, 10)
    (target / "trust.json").write_text(key.read_text())
    code, _, said = run("audit", target)
    assert (code, "a[/b]" in said.replace("\n", "")) == (0, True)


@pytest.mark.parametrize("spoiled", ["encrypted", "garbage"])
def test_a_witness_says_which_key_file_cannot_be_read(
    keys: LogKeys, tmp_path: Path, spoiled: str
) -> None:
    logs = {keys.origin: keys.verifiers}
    house = open_witness(tmp_path / "w", name="w.example/1", logs=logs)
    house.close()
    sealed = house.keys.ed25519.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )
    (tmp_path / "w/ed25519.key").write_bytes(sealed if spoiled == "encrypted" else b"\xff")
    with pytest.raises(ValueError, match=r"ed25519\.key cannot be read"):
        open_witness(tmp_path / "w", name=None, logs=logs)


def test_a_key_may_be_given_itself_however_long(keys: LogKeys, tmp_path: Path) -> None:
    write_log(tmp_path / "log", keys, 10)
    given = [part for each in keys.verifiers for part in ("--key", each.vkey)]
    assert run("audit", tmp_path / "log", *given)[0] == 0
    nested = tmp_path / "nested.json"
    nested.write_text("[" * 200_000)
    assert run("audit", tmp_path / "log", "--key", nested)[0] == 3
    # A slip of one's own is no alarm about the log.
    for command in (("audit",), ("when", "1")):
        assert run(*command, tmp_path / "log", "--key", "no-key")[0] == 3
    assert run("mirror", "http://127.0.0.1:1/", tmp_path / "m", "--key", "no-key")[0] == 3
