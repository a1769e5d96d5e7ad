"""The people of the rehearsal and what they would fill in. Everybody here is made up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from server.rehearsal import specimen

APPLICANT = specimen.Person()
"""What stands on the applicant's card."""

PHONE = "13800000000"
"""The telephone that gets the codes."""

ANSWERS = {
    "who": "我叫申请人甲，1988年8月8日出生，住远山市松窗路8号。",
    "what": "我委托我的父亲受托人丙，替我办理房屋过户。",
    "understand": "明白。他在委托书范围内办的事，结果由我承担。",
    "free": "是我自愿的，没有人要求或强迫我。",
    "money": "不同意，委托书里没有写收款。",
}
"""What the applicant answers to the template questions, by key."""

STROKES = [
    [{"x": 0.12 + 0.02 * i, "y": 0.35 + 0.1 * (i % 3), "t": 40 * i, "p": 0.5} for i in range(12)],
    [{"x": 0.45, "y": 0.2 + 0.05 * i, "t": 700 + 30 * i, "p": 0.6} for i in range(12)],
    [{"x": 0.6 + 0.025 * i, "y": 0.7 - 0.04 * i, "t": 1300 + 30 * i, "p": 0.4} for i in range(10)],
]
"""A handwritten name: strokes of points, x and y in [0, 1] of the pad, t in ms, p pressure."""


def form(today: date) -> Mapping[str, object]:
    """The applicant's form, field by field, in the words of the rule pack `poa-remote`."""
    return {
        "applicant_name": APPLICANT.name,
        "document_type": "resident_id",
        "document_number": APPLICANT.number,
        "applicant_address": "".join(APPLICANT.address),
        "attorney_name": "受托人丙",
        "attorney_number": "329900195905051238",
        "attorney_relation": "parent",
        "attorney_phone": "13900000000",
        "purpose": "house",
        "subject": "远山市石桥街12号房屋，不动产权证号：示0000001",
        "powers": ["sign", "submit", "transfer", "pay"],
        "term_until": (today + timedelta(days=180)).isoformat(),
        "sub_delegation": False,
        "recipient": "远山市不动产登记中心（示例）",
    }
