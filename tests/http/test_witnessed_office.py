"""An office whose ledger is witnessed: by `farseal witness` processes of its own, over HTTP."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from ledger.errors import HistoryError
from ledger.note import LogKeys, Verifier, split_note
from ledger.policy import Policy
from server.app import running, wall_clock
from server.config import Config, ConfigError, read_config
from server.http.witness import WitnessRoom
from server.witness_house import House, open_witness
from signing.trust import Trust
from signing.verify import STALE_MS
from tests.fakes.office import running_office
from tests.http.test_start import SERVE

Keys = dict[str, tuple[Verifier, ...]]


@asynccontextmanager
async def witness(directory: Path, name: str, logs: Keys) -> AsyncIterator[tuple[House, str]]:
    """A witness in this process, on loopback."""
    house = open_witness(directory / name, name=name, logs=logs)
    runner = web.AppRunner(WitnessRoom(house.witness).application())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield house, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        house.close()


def write_policy(data: Path, witnesses: list[tuple[House, str]], needed: int) -> Policy:
    lines = [
        f"witness {house.keys.name} {house.keys.verifiers[1].vkey} {url}"
        for house, url in witnesses
    ]
    names = " ".join(house.keys.name for house, _ in witnesses)
    lines += [f"group enough {needed} {names}", "quorum enough", ""]
    (data / "witness-policy").write_text("\n".join(lines))
    return Policy.parse((data / "witness-policy").read_bytes())


async def log_keys(data: Path) -> Keys:
    """Found an office; the keys of its ledger, from its trust.json."""
    async with running_office(data) as office, office.browser() as visitor:
        trust = await visitor.get("/trust.json")
    assert trust["witnesses"] == []
    assert "policy" not in trust
    return {trust["ledger"]["origin"]: tuple(Verifier.parse(v) for v in trust["ledger"]["vkeys"])}


async def seen(house: House, origin: str, *, size: int) -> None:
    """Wait until a witness has cosigned a tree of so many entries, or more."""
    async with asyncio.timeout(30):
        while True:
            row = await asyncio.to_thread(house.store.read, origin)
            if row is not None and row.size >= size:
                return


async def test_checkpoints_are_shown_with_their_cosignatures(tmp_path: Path) -> None:
    data = tmp_path / "data"
    keys = await log_keys(data)
    async with AsyncExitStack() as closing:
        witnesses = [
            await closing.enter_async_context(witness(tmp_path, f"w{number}.example", keys))
            for number in range(2)
        ]
        policy = write_policy(data, witnesses, 2)
        # The witnesses keep to a port; the office keeps to the address it was founded with.
        async with running_office(data) as office, office.browser() as visitor:
            for house, _ in witnesses:
                await seen(house, *keys, size=0)
            note = (await visitor.get("/log/checkpoint")).decode()
            assert policy.holds(note)
            assert len(policy.cosignatures(note)) == 2
            health = await visitor.get("/healthz")
            assert (health["ok"], health["seals_wait_for"]) == (True, None)
            standing = await visitor.get("/api/ledger")
            assert [
                (each["name"], each["note"] == note_of(note, each["keys"]), each["failing_since"])
                for each in standing["witnesses"]
            ] == [("w0.example", True, None), ("w1.example", True, None)]
            assert (standing["size"], standing["growth"]) == (0, None)
            assert standing["seals"] == {"waiting": 0, "for": None}
            assert standing["stale_ms"] == STALE_MS
            assert Policy.parse(standing["policy"].encode()) == policy
            # Until something is sealed under them, nobody is promised that anything is.
            assert "no-witness" in Trust.parse(await visitor.get("/trust.json")).notes


async def test_a_seal_that_waits_for_a_dead_witness_is_told_to_everybody(tmp_path: Path) -> None:
    data = tmp_path / "data"
    keys = await log_keys(data)
    async with witness(tmp_path, "w.example", keys) as (house, url):
        write_policy(data, [(house, url)], 1)
        async with running_office(data) as office, office.browser() as visitor:
            await seen(house, *keys, size=0)
            signed = (await visitor.get("/api/ledger"))["witnesses"][0]["size"]
    async with running_office(data) as office, office.applicant() as ana:
        await ana.post("/api/cases", {"matter": "poa-remote"})
        async with asyncio.timeout(30):
            while True:
                standing = await ana.get("/api/ledger")
                (silent,) = standing["witnesses"]
                if standing["size"] > signed and silent["failing_since"]:
                    break
    # What it signed in a former life of the office is known, and that it is gone since this one.
    assert (silent["size"], silent["answers"]) == (signed, False)
    assert silent["failing_since"] <= standing["now"]
    assert standing["growth"]["sizes"][-1] == standing["size"]
    assert silent["note"].startswith(f"{next(iter(keys))}\n{signed}\n")


def note_of(note: str, keys: list[str]) -> str:
    """A note with the lines of its log and of some verifier keys."""
    text, lines = split_note(note)
    origin = text.split("\n", 1)[0]
    kept = [
        line
        for line, (name, key_id, _) in zip(note.splitlines()[4:], lines, strict=True)
        if name == origin or any(key.startswith(f"{name}+{key_id.hex()}+") for key in keys)
    ]
    return text + "\n" + "".join(f"{line}\n" for line in kept)


async def test_an_office_whose_witness_knows_more_does_not_start(tmp_path: Path) -> None:
    data, old = tmp_path / "data", tmp_path / "old"
    keys = await log_keys(data)
    async with witness(tmp_path, "w.example", keys) as (house, url):
        write_policy(data, [(house, url)], 1)
        await asyncio.to_thread(subprocess.run, ["cp", "-r", str(data), str(old)], check=True)
        async with running_office(data) as office, office.applicant() as ana:
            await ana.post("/api/cases", {"matter": "poa-remote"})
            await seen(house, *keys, size=1)
        with pytest.raises(HistoryError, match="restore the newest copy"):
            async with running_office(old):
                pass
        answer = await asyncio.to_thread(
            subprocess.run,
            [*SERVE, "--data", str(old), "--port", "0"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert answer.returncode == 5
        assert "restore the newest copy" in answer.stderr
        assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (b"quorum nobody\n", "line 1 of the policy: 'nobody' is not defined"),
        (b"# \xff\nquorum none\n", "utf-8"),
        (b"", "no quorum"),
    ],
)
def test_a_policy_of_no_use_is_told_at_the_start(tmp_path: Path, policy: bytes, why: str) -> None:
    (tmp_path / "policy").write_bytes(policy)
    with pytest.raises(ConfigError, match=why):
        read_config(data=tmp_path / "a", witness_policy=tmp_path / "policy", environment={})
    (tmp_path / "a" / "witness-policy").write_bytes(policy)
    with pytest.raises(ConfigError, match=why):
        read_config(data=tmp_path / "a", environment={})


def test_a_policy_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_config(data=tmp_path, witness_policy=tmp_path / "none", environment={})


async def test_a_policy_for_other_ledgers_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    other = LogKeys.generate("other.example/log").verifiers[0]
    (data / "witness-policy").write_text(f"log {other.vkey}\nquorum none\n")
    config: Config = read_config(data=data, port=0, environment={})
    with pytest.raises(ConfigError, match="other ledgers than this office's"):
        async with running(config, clock=wall_clock, print_line=lambda _: None, warm=False):
            pass
    assert json.loads((data / "office" / "trust.json").read_text())["witnesses"] == []
