"""An office whose ledger other people's timestamp authorities date, over HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ledger.entry import Submission
from ledger.tiles import export
from server.app import ledger_alone, wall_clock
from server.config import Config, ConfigError, read_config
from server.http.witness import Asker
from server.timestamps import Authority, OutsideTime
from signing.tokens import read_token
from signing.trust import Trust
from tests.fakes.office import running_office
from tests.http.authorities import Served, neighbour, openssl, unit
from tests.ledger.commands import run


def name(data: Path, authorities: Sequence[Served]) -> Config:
    """Write down these authorities as an operator would."""
    lines = ["# who dates our ledger, in order of preference"]
    for number, each in enumerate(authorities):
        pem = each.root.public_bytes(serialization.Encoding.PEM)
        (data / f"authority-{number}.pem").write_bytes(pem)
        lines.append(f"{each.url} authority-{number}.pem")
    (data / "timestamp-authorities").write_text("\n".join(lines) + "\n")
    return read_config(data=data, port=0, environment={})


def entry(number: int) -> Submission:
    return Submission("test", f"{number:032x}", "ab" * 16, {"kind": "test"})


def told(data: Path) -> dict[str, Any]:
    return dict(json.loads((data / "office" / "trust.json").read_text()))


async def test_another_authority_dates_the_ledger_and_trust_json_names_its_root(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    async with running_office(data) as office, office.browser() as visitor:
        assert len((await visitor.get("/trust.json"))["tsa_roots"]) == 1
    async with (
        neighbour(tmp_path / "first", wall_clock) as first,
        neighbour(tmp_path / "second", wall_clock) as second,
    ):
        first.away = True
        config = name(data, [first, second])
        async with ledger_alone(config) as (own, log):
            receipt = await log.append(entry(1))
            sealed = await log.seal(receipt.index)
            export(log.reader, tmp_path / "mirror")
            assert own.tsa_roots == (own.root, first.root, second.root)
        assert (len(first.asked), len(second.asked)) == (1, 1)
        digest = sha256(sealed.checkpoint.encode()).digest()
        assert sealed.timestamp is not None
        assert read_token(sealed.timestamp, digest=digest, roots=[second.root]).path[-1] == (
            second.root
        )
        at = tmp_path / "mirror" / "attest" / str(sealed.tree_size)
        at.mkdir(parents=True)
        for said in (sealed.timestamp, sealed.checkpoint.encode()):
            (at / sha256(said).hexdigest()).write_bytes(said)
        trust = data / "office" / "trust.json"
        when = ("when", str(receipt.index), tmp_path / "mirror", "--trust", trust)
        (found,) = json.loads((await asyncio.to_thread(run, *when, "--json"))[1])["entries"]
        assert found["not_after"]["outside"]["who"]
        assert found["not_after"]["own"] is None
        assert Trust.parse(told(data)).notes == ("demo-office", "no-witness", "own-time-signatures")
        # With the setting gone, what they have dated stays dated; the office's own takes over.
        (data / "timestamp-authorities").unlink()
        async with ledger_alone(read_config(data=data, environment={})) as (own, log):
            assert len(told(data)["tsa_roots"]) == 3
            sealed = await log.seal((await log.append(entry(2))).index)
            digest = sha256(sealed.checkpoint.encode()).digest()
            assert sealed.timestamp is not None
            read_token(sealed.timestamp, digest=digest, roots=[own.root])
        assert (len(first.asked), len(second.asked)) == (1, 1)


async def test_openssl_can_be_the_authority(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running_office(data):
        pass
    async with openssl(tmp_path / "authority") as authority:
        async with ledger_alone(name(data, [authority])) as (_, log):
            sealed = await log.seal((await log.append(entry(1))).index)
        digest = sha256(sealed.checkpoint.encode()).digest()
        assert sealed.timestamp is not None
        says = read_token(sealed.timestamp, digest=digest, roots=[authority.root])
        assert says.certificate.subject.rfc4514_string() == "CN=Other TSA"


async def test_it_is_asked_no_more_often_than_is_fair(tmp_path: Path) -> None:
    """Who asks at once is answered in turn; what is fresh is not asked for again."""
    async with neighbour(tmp_path / "first", wall_clock) as first:
        asker = _Asker()
        outside = OutsideTime(
            [Authority(first.url, (first.root,))],
            asker.post,
            clock=wall_clock,
            pace_s=0.3,
            at_once=1,
        )
        async with asker:
            await asyncio.gather(*(outside.timestamp(b"note") for _ in range(3)))
            gaps = [late - early for early, late in zip(first.asked, first.asked[1:], strict=False)]
            assert len(gaps) == 2
            assert min(gaps) >= 0.28
            stamped = await outside.over("another note")
            assert stamped is not None
            assert (stamped.note, len(first.asked)) == ("note", 3)


async def test_a_certificate_waits_for_no_turn(tmp_path: Path) -> None:
    """What it seals, one after the other; a pace of an hour stands for any waiting at all."""
    async with neighbour(tmp_path / "first", wall_clock) as first:
        asker = _Asker()
        authorities = [Authority(first.url, (first.root,))]
        outside = OutsideTime(authorities, asker.post, clock=wall_clock, pace_s=3600)
        async with asker, asyncio.timeout(30):
            for number in range(3):
                await outside.timestamp(b"note %d" % number)
            assert outside.timestamp.wait_s == 0  # one is left, for words that are drawn
            await outside.timestamp(b"another")
            assert 3500 < outside.timestamp.wait_s <= 3600


async def test_for_opening_words_an_old_token_is_better_than_none(tmp_path: Path) -> None:
    ahead = [0]
    async with neighbour(tmp_path / "first", wall_clock) as first:
        asker = _Asker()
        outside = OutsideTime(
            [Authority(first.url, (first.root,))],
            asker.post,
            clock=lambda: wall_clock() + ahead[0],
            pace_s=0,
        )
        async with asker:
            first.away = True
            assert await outside.over("a") is None
            first.away = False
            found = await outside.over("b")
            assert found is not None
            assert found.note == "b"
            ahead[0] = 61_000
            first.away = True
            assert await outside.over("c") == found
            first.away = False
            found = await outside.over("d")
            assert found is not None
            assert found.note == "d"


class _Asker:
    """Posts as the server does."""

    async def __aenter__(self) -> None:
        self._ask = await Asker().__aenter__()

    async def __aexit__(self, *_: object) -> None:
        await self._ask.__aexit__()

    async def post(self, url: str, request: bytes) -> bytes:
        answer = await self._ask(url, request, kind="application/timestamp-query")
        if answer.status != 200:
            raise OSError(answer.status)
        return answer.body


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://tsa.example\n",
        "ftp://tsa.example root.pem\n",
        "https://tsa.example none.pem\n",
        "https://tsa.example broken.pem\n",
        "https://tsa.example root.pem\n" * 4,
    ],
)
def test_a_setting_that_cannot_work_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.pem").write_text("no certificate")
    (tmp_path / "root.pem").write_bytes(_pem())
    (tmp_path / "timestamp-authorities").write_text(text)
    with pytest.raises(ConfigError, match="authorities"):
        read_config(data=tmp_path, environment={})


def _pem() -> bytes:
    return unit()[0].public_bytes(serialization.Encoding.PEM)
