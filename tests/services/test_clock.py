"""This machine's clock was set back beyond what the office can sign with."""

from datetime import UTC, datetime

import pytest
from script import LIN, Play
from stage import open_stage

from server.domain.errors import DomainError


async def refused(awaitable, code: str) -> DomainError:
    with pytest.raises(DomainError) as caught:
        await awaitable
    assert caught.value.code == code, caught.value
    return caught.value


@pytest.fixture
async def waiting(office):
    async with open_stage(office("waiting")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        yield Play(stage, case=case.id)


async def test_a_clock_before_the_offices_certificates_is_named_as_what_is_wrong(waiting):
    """It is not the applicant's signature, which would be called wrong and tried again in vain."""
    stage = waiting.stage
    stage.clock.ahead_ms = -3_600_000
    error = await refused(
        stage.services.ceremony.open(LIN, waiting.case, language="en"), "clock-behind"
    )
    began = datetime.fromtimestamp(stage.office.begins / 1000, UTC)
    assert error.params == {"since": f"{began:%Y-%m-%d %H:%M} UTC"}
    stage.clock.ahead_ms = 0
    await waiting.open()
    for number in range(1, 7):
        await waiting.step(number)
    stage.clock.ahead_ms = -3_600_000
    await refused(waiting.make_key(), "clock-behind")
    stage.clock.ahead_ms = 60_000
    await waiting.make_key()

    def set_back() -> None:
        stage.clock.ahead_ms = -3_600_000

    await refused(waiting.sign("document", before_signing=set_back), "clock-behind")
    stage.clock.ahead_ms = 60_000
    await waiting.sign("document")
