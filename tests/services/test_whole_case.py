"""One case from the first field to the delivered bundle, with everything real but the eyes."""

from script import WANG, Play
from stage import open_stage


async def test_a_case_goes_from_draft_to_delivered(tmp_path):
    async with open_stage(tmp_path) as stage:
        play = Play(stage)
        await play.whole()
        view = await stage.services.intake.case(WANG, play.case, language="zh-CN")
        assert view["state"] == "DELIVERED", view
