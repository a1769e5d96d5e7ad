"""Specimen documents, drawn on the spot: a resident ID card and a passport page of nobody.

They imitate the arrangement only. Region 329900 and the state UTO do not exist, each card says
样本 SPECIMEN across its face, and no security feature is attempted.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import date
from importlib import resources
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from server.domain.resident_id import check_character
from server.identity import cn_id, mrz

Image = Any  # numpy.ndarray, uint8, (height, width, 3), BGR
REGION = "329900"
_CARD = (1284, 810)  # 85.60 x 53.98 mm at 15 px per mm
_PAGE = (1500, 1056)  # 125 x 88 mm at 12 px per mm
_INK, _LABEL, _RED = (28, 28, 32), (40, 92, 150), (178, 34, 34)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who does not exist; `sequence` is three digits, the last odd for 男."""

    name: str = "申请人甲"
    latin: str = "SHENQINGREN<<JIA"
    sex: str = "女"
    ethnicity: str = "汉"
    birth: date = date(1988, 8, 8)
    address: tuple[str, ...] = ("样本省样本市远证区", "松窗路8号2单元601室")
    sequence: str = "002"
    authority: str = "样本市公安局远证分局"
    valid_from: date = date(2019, 3, 4)
    valid_to: date | None = field(default=date(2039, 3, 4))
    passport: str = "L98902C36"

    @property
    def number(self) -> str:
        """The ID number, with its check character."""
        first = REGION + self.birth.strftime("%Y%m%d") + self.sequence
        return first + check_character(first)


def front(person: Person, portrait: Image, *, number: str | None = None) -> Image:
    """Draws the portrait side; `number` overrides the person's, to show a wrong check digit."""
    canvas, pen = _blank(_CARD, (236, 242, 248))
    _guilloche(canvas, (216, 228, 240))
    pen = ImageDraw.Draw(canvas)
    for label, x, y in (("姓 名", 84, 92), ("性 别", 84, 178), ("民 族", 352, 178)):
        pen.text((x, y), label, font=_font(34), fill=_LABEL)
    pen.text((84, 264), "出 生", font=_font(34), fill=_LABEL)
    pen.text((84, 354), "住 址", font=_font(34), fill=_LABEL)
    pen.text((84, 694), "公民身份号码", font=_font(34), fill=_LABEL)
    pen.text((212, 86), person.name, font=_font(44), fill=_INK)
    pen.text((212, 174), person.sex, font=_font(40), fill=_INK)
    pen.text((480, 174), person.ethnicity, font=_font(40), fill=_INK)
    born = person.birth
    pen.text((212, 260), f"{born.year}年{born.month}月{born.day}日", font=_font(40), fill=_INK)
    for row, line in enumerate(person.address):
        pen.text((212, 350 + 56 * row), line, font=_font(38), fill=_INK)
    _spaced(pen, (428, 684), number or person.number, size=50, pitch=38)
    canvas.paste(_pillow(_portrait(portrait, (330, 412))), (872, 150))
    pen.text((872, 578), "样本 SPECIMEN", font=_font(40), fill=_RED)
    return _finish(canvas, "样本")


def back(person: Person) -> Image:
    """Draws the side with the issuing authority and the period."""
    canvas, pen = _blank(_CARD, (238, 240, 246))
    _guilloche(canvas, (224, 226, 240))
    pen = ImageDraw.Draw(canvas)
    pen.ellipse((84, 76, 284, 276), outline=_RED, width=8)  # a ring, not the state emblem
    pen.text((130, 142), "样本", font=_font(54), fill=_RED)
    pen.text((360, 84), "仅供演练使用", font=_font(60), fill=_INK)
    pen.text((360, 184), "居民身份证 样本", font=_font(72), fill=_INK)
    pen.text((240, 560), "签发机关", font=_font(38), fill=_INK)
    pen.text((430, 556), person.authority, font=_font(42), fill=_INK)
    pen.text((240, 660), "有效期限", font=_font(38), fill=_INK)
    until = person.valid_to.strftime("%Y.%m.%d") if person.valid_to else cn_id.LONG_TERM
    period = f"{person.valid_from:%Y.%m.%d}-{until}"
    pen.text((430, 656), period, font=_font(42), fill=_INK)
    return _finish(canvas, "SPECIMEN")


def passport(person: Person, portrait: Image) -> Image:
    """Draws a TD3 data page of the state of Utopia (UTO, as in ICAO 9303's specimens)."""
    canvas, pen = _blank(_PAGE, (240, 240, 232))
    _guilloche(canvas, (224, 230, 222))
    pen = ImageDraw.Draw(canvas)
    pen.text((90, 60), "UTOPIA  PASSPORT  SPECIMEN 样本", font=_font(48), fill=_RED)
    family, _, given = person.latin.partition("<<")
    rows = (
        ("Surname", family), ("Given names", given.replace("<", " ")), ("Nationality", "UTOPIAN"),
        ("Date of birth", f"{person.birth:%d %b %Y}".upper()), ("Passport No.", person.passport),
    )  # fmt: skip
    for row, (label, value) in enumerate(rows):
        pen.text((560, 160 + 120 * row), label, font=_font(26), fill=_LABEL)
        pen.text((560, 192 + 120 * row), value, font=_font(42), fill=_INK)
    canvas.paste(_pillow(_portrait(portrait, (400, 500))), (90, 180))
    for row, line in enumerate(zone(person)):
        _spaced(pen, (80, 860 + 84 * row), line, size=46, pitch=30.6)
    return _finish(canvas, "SPECIMEN")


def zone(person: Person) -> tuple[str, str]:
    """The two lines of the machine readable zone (ICAO 9303-4 4.2.2), 44 characters each."""
    first = f"P<UTO{person.latin}".ljust(44, "<")
    number = person.passport.ljust(9, "<")
    born, until = f"{person.birth:%y%m%d}", f"{person.valid_to or date(2039, 3, 4):%y%m%d}"
    dated = [text + mrz.check_digit(text) for text in (number, born, until, "<" * 14)]
    composed = "".join(dated)
    second = dated[0] + "UTO" + dated[1] + ("M" if person.sex == "男" else "F") + dated[2]
    return first, second + dated[3] + mrz.check_digit(composed)


def with_wrong_check(number: str) -> str:
    """The same number with another, wrong, last character."""
    return number[:17] + ("0" if number[17] != "0" else "1")


def jpeg(image: Image, *, quality: int = 92) -> bytes:
    """Encodes a drawn document for an upload."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data.tobytes())


def _font(size: int) -> ImageFont.FreeTypeFont:
    data = resources.files("pylopdf_fonts_zh_cn").joinpath("NotoSansSC-Regular.otf").read_bytes()
    return ImageFont.truetype(io.BytesIO(data), size)


def _blank(
    size: tuple[int, int], paper: tuple[int, int, int]
) -> tuple[Pillow.Image, ImageDraw.ImageDraw]:
    canvas = Pillow.new("RGB", size, paper)
    return canvas, ImageDraw.Draw(canvas)


def _guilloche(canvas: Pillow.Image, ink: tuple[int, int, int]) -> None:
    """Fine waves behind the text, so that a reader meets a background that is not plain."""
    pen = ImageDraw.Draw(canvas)
    across = np.arange(0, canvas.width + 8, 8)
    for offset in range(-60, canvas.height + 60, 22):
        wave = offset + 18 * np.sin(across / 90 + offset / 55)
        pen.line([(float(x), float(y)) for x, y in zip(across, wave, strict=True)], fill=ink)


def _spaced(
    pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, *, size: int, pitch: float
) -> None:
    """Writes at a fixed pitch, as both documents' numbers are; I gets the bars OCR-B gives it."""
    font = _font(size)
    for index, character in enumerate(text):
        middle = at[0] + (index + 0.5) * pitch
        pen.text((middle, at[1] + size), character, font=font, fill=_INK, anchor="ms")
        if character == "I":
            for height in (0.73, 0.03):
                y = at[1] + size * (1 - height)
                pen.line((middle - 0.2 * size, y, middle + 0.2 * size, y), fill=_INK, width=4)


def _portrait(portrait: Image, size: tuple[int, int]) -> Image:
    """The middle of a portrait in the wanted proportions."""
    height, width = portrait.shape[:2]
    wanted = min(width, round(height * size[0] / size[1]))
    left, tall = (width - wanted) // 2, round(wanted * size[1] / size[0])
    return cv2.resize(portrait[:tall, left : left + wanted], size, interpolation=cv2.INTER_AREA)


def _pillow(image: Image) -> Pillow.Image:
    return Pillow.fromarray(np.ascontiguousarray(image[..., ::-1]))


def _finish(canvas: Pillow.Image, mark: str) -> Image:
    """Lays the pale mark across the card and a border around it; returns BGR."""
    veil = Pillow.new("RGBA", canvas.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(veil)
    middle = (canvas.width * 0.42, canvas.height * 0.56)
    pen.text(middle, mark, font=_font(200), fill=(178, 34, 34, 22), anchor="mm")
    turned = veil.rotate(18, center=middle)
    stamped = Pillow.alpha_composite(canvas.convert("RGBA"), turned).convert("RGB")
    ImageDraw.Draw(stamped).rectangle(
        (0, 0, canvas.width - 1, canvas.height - 1), outline=(150, 160, 175), width=4
    )
    return np.ascontiguousarray(np.asarray(stamped)[..., ::-1])
