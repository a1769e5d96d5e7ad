"""One fictitious power of attorney, and handwriting, for the tests of every room."""

import math
from typing import Any

from signing.seal import Strokes

DOCUMENT: dict[str, Any] = {
    "principal": {
        "name": "周明远",
        "sex": "男",
        "born": "1988-03-12",
        "id_number": "110101198803120014",
        "address": "示例市滨江区望海路18号2幢301室",
    },
    "attorney": {"name": "周建国", "id_number": "110101195506150018", "relation": "父母"},
    "matter": "房屋买卖、过户",
    "subject": "示例市远山区松涛街66号4幢1单元502室房屋（不动产权证号：示（2019）第0012345号）",
    "powers": ["代为签署有关合同和文件", "代为办理转移登记手续", "代为缴纳税费"],
    "sub_delegation": False,
    "term_until": "2027-11-23",
    "place": "远程视频（申请人所在地：示例市）",
    "signed_on": "2026-11-23",
    "reference": "YS-2026-000123",
}

CERTIFICATE: dict[str, Any] = {
    "number": "（2026）示远山证字第1号",
    "date": "2026-11-24",
    "office": {"name": "示例市远山公证处"},
    "notary": {"name": "林望舒", "licence": "D0000001"},
    "document": DOCUMENT,
}

VERIFY_URL = "http://localhost:8080/v/K7QM-4TZP-9XRD"
CODE = "K7QM-4TZP-9XRD"


def handwriting(turns: int = 5) -> Strokes:
    """Loops and a dash, the way a hurried signature looks."""
    loops = [
        [
            20 + turn * 50 + 22 * math.sin(step / 4),
            60 + 30 * math.cos(step / 4 + turn),
            float(turn * 400 + step * 16),
            0.5,
        ]
        for turn in range(turns)
        for step in range(20)
    ]
    dash = [[30.0, 100.0, 4000.0, 0.7], [280.0, 92.0, 4100.0, 0.6]]
    return Strokes.parse({"width": 320, "height": 120, "strokes": [loops, dash]})
