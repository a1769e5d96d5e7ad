"""The simulated registry: what it answers, and that it always says what it is."""

from __future__ import annotations

import hashlib
import json

import pytest

from server.identity.registry import PopulationRegistry, Query, SimulatedRegistry, canonical
from server.rehearsal import specimen

NUMBER = specimen.Person().number


def query(number: str = NUMBER, name: str = "申请人甲") -> Query:
    return Query(query_id="ab" * 16, name=name, number=number, portrait=b"jpeg")


@pytest.mark.parametrize(
    ("known", "asked", "verdict"),
    [
        (None, query(), "match"),
        (None, query(specimen.with_wrong_check(NUMBER)), "not_found"),
        ({NUMBER: "申请人甲"}, query(), "match"),
        ({NUMBER: "申请人甲"}, query(name="申请人乙"), "mismatch"),
        ({}, query(), "not_found"),
    ],
)
async def test_answers(known: dict[str, str] | None, asked: Query, verdict: str) -> None:
    registry: PopulationRegistry = SimulatedRegistry(known)
    answer = await registry.check(asked)
    assert (answer.verdict, answer.simulated) == (verdict, True)
    assert answer == await registry.check(asked)
    assert registry.announcement is not None
    assert "Simulated" in registry.announcement
    assert "模拟" in registry.announcement


async def test_the_record_holds_the_portraits_digest_not_the_portrait() -> None:
    written = json.loads(canonical(query()))
    assert written["portrait_sha256"] == hashlib.sha256(b"jpeg").hexdigest()
    assert set(written) == {"name", "number", "portrait_sha256", "query_id"}
    answer = json.loads(canonical(await SimulatedRegistry().check(query())))
    assert answer["simulated"] is True
