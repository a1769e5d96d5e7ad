"""What the case file says it has checked, while a case runs and once it has ended."""

from script import LIN, ZHAO, Play
from stage import open_stage


async def checks(play: Play, *, language: str = "en") -> dict[str, tuple[str, str]]:
    file = await play.stage.services.reception.case_file(LIN, play.case, language=language)
    return {each["key"]: (each["outcome"], each["note"]) for each in file["checks"]}


async def test_a_delivered_case_has_passed_every_check_and_says_how_long_it_took(office):
    async with open_stage(office("judged")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        assert (await checks(play))["clock"] == ("ok", "")  # it runs
        await play.approve()
        await stage.work()
        told = await checks(play)
        assert {outcome for outcome, _ in told.values()} == {"ok"}
        assert told["clock"] == ("ok", "used 0 of 15 working days")
        assert (await checks(play, language="zh-CN"))["clock"][1] == "用了 0 个工作日（限 15 个）"


async def test_a_refused_case_says_how_long_it_took_and_one_not_accepted_has_no_term(tmp_path):
    async with open_stage(tmp_path) as stage:
        play = Play(stage)
        await play.apply()
        await stage.services.reception.precheck(ZHAO, play.case, language="en")
        assert (await checks(play))["clock"] == ("pending", "")
        await stage.services.reception.accept(LIN, play.case, conflict_checked=True, language="en")
        await stage.services.reception.refuse(LIN, play.case, reason="x", language="en")
        assert (await checks(play))["clock"] == ("ok", "used 0 of 15 working days")
