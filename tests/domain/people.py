"""Who plays in the domain's tests, and acts with times and ids that rise."""

import itertools
from typing import Any

from server.domain import application, handling
from server.domain.calendar import load_calendar
from server.domain.case import Booking, Case, Paper
from server.domain.events import Act
from server.domain.participant import Applicant, Staff
from server.domain.resident_id import check_character
from server.domain.rules import load_packs

PACK = load_packs()["poa-remote"]
CALENDAR = load_calendar()
WANG = Applicant("a" * 32, "13800000001")
LIN = Staff("lin", "notary", "林望舒", "Lin Wangshu", "D1", "2020-01-01", "2099-12-31")
CHEN = Staff("chen", "approver", "陈审", "Chen Shen")
ZHAO = Staff("zhao", "assistant", "赵助", "Zhao Zhu")
MONDAY = 1_795_392_000_000  # 2026-11-23 08:00 in the office's time zone
DAY = 86_400_000


def number(digits: str = "11010119900307123") -> str:
    return digits + check_character(digits)


FORM: dict[str, Any] = {
    "applicant_name": "王小明",
    "document_type": "resident_id",
    "document_number": number(),
    "attorney_name": "王大海",
    "attorney_number": number("11010119600307123"),
    "attorney_relation": "parent",
    "purpose": "house",
    "subject": "远山市某路2号房屋",
    "powers": ["sign", "submit"],
    "term_until": "2090-01-01",
    "sub_delegation": False,
}


class Acts:
    """Acts whose ids count up and whose times are set."""

    def __init__(self, at: int = MONDAY) -> None:
        self.at = at
        self._ids = itertools.count(1)

    def __call__(self, actor: str = "system") -> Act:
        self.at += 1
        return Act(actor, self.at, f"{next(self._ids):032x}")


def no_glyphs(text: str) -> tuple[str, ...]:
    return ()


def filled(acts: Acts) -> Case:
    case, _ = application.create(
        "c" * 32, acts(WANG.id), applicant=WANG, pack=PACK, language="zh-CN"
    )
    for key, value in FORM.items():
        case, _ = application.fill(case, acts(WANG.id), pack=PACK, key=key, value=value)
    paper = Paper("p" * 32, "identity", "card.jpg", 3, "image/jpeg", acts.at, "f" * 64, "e" * 64)
    case, _ = application.add_paper(case, acts(WANG.id), pack=PACK, paper=paper)
    return case


def submitted(acts: Acts) -> Case:
    case, _ = application.submit(
        filled(acts), acts(WANG.id), pack=PACK, calendar=CALENDAR, missing_glyphs=no_glyphs
    )
    return case


def accepted(acts: Acts) -> Case:
    case, _ = handling.precheck(submitted(acts), acts(ZHAO.id), staff=ZHAO)
    case, _ = handling.accept(
        case, acts(LIN.id), staff=LIN, pack=PACK, calendar=CALENDAR, conflict_checked=True
    )
    return case


def consenting(case: Case, acts: Acts) -> Case:
    for rule in PACK.consents:
        case, _ = application.consent(
            case,
            acts(WANG.id),
            pack=PACK,
            consent_id=rule.id,
            given=True,
            text_sha256=rule.text_sha256("zh-CN"),
        )
    return case


def waiting(acts: Acts) -> Case:
    case = consenting(accepted(acts), acts)
    booking = Booking(acts.at, LIN.id, "token", acts.at + DAY)
    case, _ = application.book(case, acts(WANG.id), booking=booking)
    report = {"camera": True, "microphone": True}
    case, _ = application.check_device(case, acts(WANG.id), report=report)
    return case
