"""What findings say to people, in Chinese and in English.

`TEXTS[language][text_key]` is a sentence with {placeholders} for the finding's detail. The words
say what was seen and what to do; they never say that somebody is or is not who they claim to be.
"""

from __future__ import annotations

from collections.abc import Mapping

from server.identity.findings import Detail

_ROWS: tuple[tuple[str, str, str], ...] = (
    # A picture that will not be opened
    ("picture.type", "请用 JPEG、PNG 或 WebP 图片。", "Please use a JPEG, PNG or WebP picture."),
    (
        "picture.too_large",
        "图片太大，没有打开。请重新拍一张普通照片。",
        "The picture is too large and was not opened. Please take an ordinary photograph.",
    ),
    (
        "picture.too_small",
        "图片太小，看不清文字。请靠近一点再拍。",
        "The picture is too small to read. Please take it from closer.",
    ),
    (
        "picture.damaged",
        "图片已损坏，打不开。请重新拍摄。",
        "The picture is damaged and cannot be opened. Please take it again.",
    ),
    # An analysis that did not happen
    (
        "unavailable.weights_missing",
        "无法分析：本机没有所需的模型文件。请目视判断。",
        "Unavailable: the model files are not on this machine. Please judge by eye.",
    ),
    (
        "unavailable.weights_wrong",
        "无法分析：模型文件与清单不符。请目视判断。",
        "Unavailable: a model file is not the one listed. Please judge by eye.",
    ),
    (
        "unavailable.late",
        "无法分析：超过时限。请目视判断，或再试一次。",
        "Unavailable: it took too long. Please judge by eye, or try again.",
    ),
    (
        "unavailable.busy",
        "无法分析：排队的画面太多，略过了这一张。",
        "Unavailable: too many pictures were waiting, this one was passed over.",
    ),
    (
        "unavailable.failed",
        "无法分析：这次没有成功。请目视判断，或再试一次。",
        "Unavailable: it did not work this time. Please judge by eye, or try again.",
    ),
    # Documents
    (
        "document.not_found",
        "画面里没有找到证件。请把证件放正、靠近镜头，四个角都要看得见。",
        "No document was found. Please hold it straight and closer, with all four corners in view.",
    ),
    (
        "document.dark",
        "证件太暗。请开灯，或换到亮一点的地方。",
        "The document is too dark. Please turn on a light or move to a brighter place.",
    ),
    (
        "document.too_small",
        "证件离得太远。请靠近镜头一点。",
        "The document is too far away. Please bring it closer.",
    ),
    (
        "document.blurred",
        "证件不清楚。请拿稳，等一下再拍。",
        "The document is blurred. Please hold it still for a moment.",
    ),
    (
        "document.no_portrait",
        "没有找到证件上的照片，不能与本人画面比较。",
        "The document's portrait was not found, so it cannot be compared with the live picture.",
    ),
    (
        "document.consistent",
        "读到的各项彼此一致。一致不等于证件是真的。",
        "What was read agrees with itself. That does not show that the document is genuine.",
    ),
    (
        "document.number_check",
        "公民身份号码的校验位不对：{number}。可能读错了一位，请对照原件。",
        "The ID number's check digit does not fit: {number}. A digit may have been misread; "
        "please compare with the document.",
    ),
    (
        "document.zone_check",
        "机读区的校验位不对。可能读错了一位，请对照原件。",
        "A check digit of the machine readable zone does not fit. A character may have been "
        "misread; please compare with the document.",
    ),
    (
        "document.differs_from_number",
        "{field}（{value}）与公民身份号码不一致，请对照原件。",
        "The {field} ({value}) differs from the ID number; please compare with the document.",
    ),
    (
        "document.unread",
        "没读出来：{fields}。请看原件，或再拍一次。",
        "Not read: {fields}. Please look at the document or take it again.",
    ),
    (
        "document.repaired",
        "按校验位更正过形近字：{fields}。请对照原件。",
        "Look-alike characters were corrected by the check digit: {fields}; please compare.",
    ),
    ("document.expired", "证件已过有效期（{value}）。", "The document expired on {value}."),
    (
        "document.not_yet_valid",
        "证件还没到有效期的开始日（{value}）。",
        "The document is not valid before {value}.",
    ),
    (
        "document.unusual_period",
        "有效期（{value}）不是五年、十年、二十年或长期，请对照原件。",
        "The period ({value}) is not 5, 10 or 20 years or long term; please compare.",
    ),
    # Faces
    (
        "face.similar",
        "相似度 {score}，在“相似”一段。数字供参考，请看两张脸再定。",
        "Similarity {score}, in the similar band. A number to consider; please look at both faces.",
    ),
    (
        "face.unclear",
        "相似度 {score}，不够清楚，请目视比对两张脸。",
        "Similarity {score}, unclear: please compare the two faces by eye.",
    ),
    (
        "face.not_similar",
        "相似度 {score}，在“不相似”一段。原因可能是光线、角度或旧照片，请目视比对。",
        "Similarity {score}, in the not similar band. Light, angle or an old photograph may be "
        "why; please compare by eye.",
    ),
    (
        "face.unavailable.portrait",
        "无法比较：证件照片里没有找到脸。",
        "Unavailable: no face was found in the document's portrait.",
    ),
    (
        "face.unavailable.live",
        "无法比较：本人画面里没有找到脸。",
        "Unavailable: no face was found in the live picture.",
    ),
    (
        "face.unavailable.printed",
        "无法比较：画面里只看到证件上的脸，没有看到本人的脸。请放下证件再拍。",
        "Unavailable: only the face on the document can be seen, not the person's own. Please have "
        "the document put down and take the picture again.",
    ),
    # Hints while watching
    ("hint.absent", "画面里没有人脸。", "No face in the picture."),
    (
        "hint.dark",
        "脸部偏暗（{score}，宜高于 {threshold}）。",
        "The face is dark ({score}, better above {threshold}).",
    ),
    ("hint.blurred", "脸部不清楚。", "The face is blurred."),
    ("hint.too_small", "脸离得太远（{score} 像素）。", "The face is too far away ({score} px)."),
    (
        "hint.document_face",
        "第二张脸，是证件上的照片。",
        "A second face: the portrait on the document.",
    ),
    ("hint.second_face", "画面里有第二张脸。", "There is a second face in the picture."),
    ("hint.frozen", "画面停住了，几秒没有变化。", "The picture has not changed for some seconds."),
    # Notes beside fields
    ("note.check_digit", "校验位不符", "check digit does not fit"),
    ("note.differs_from_number", "与号码不一致", "differs from the number"),
    ("note.repaired", "形近字已按校验位更正", "look-alike corrected by its check digit"),
    ("note.ambiguous", "有几种读法都符合校验位", "several readings fit the check digit"),
    ("note.no_date", "不是日期", "not a date"),
    ("note.unusual_period", "不常见的期限", "an unusual period"),
    # Fields
    ("field.name", "姓名", "name"),
    ("field.sex", "性别", "sex"),
    ("field.ethnicity", "民族", "ethnicity"),
    ("field.birth", "出生", "date of birth"),
    ("field.address", "住址", "address"),
    ("field.number", "号码", "number"),
    ("field.authority", "签发机关", "issuing authority"),
    ("field.valid_from", "有效期起", "valid from"),
    ("field.valid_to", "有效期至", "valid until"),
    ("field.nationality", "国籍", "nationality"),
    ("field.issuer", "签发国", "issuing state"),
    ("field.composite", "总校验位", "composite check digit"),
    ("field.personal_number", "个人号码", "personal number"),
    # The presence challenge
    ("challenge.neutral", "请正对镜头，不要动。", "Please face the camera and keep still."),
    (
        "challenge.turn_left",
        "请向左转头，再转回来。",
        "Please turn your head to the left and back.",
    ),
    (
        "challenge.turn_right",
        "请向右转头，再转回来。",
        "Please turn your head to the right and back.",
    ),
    ("challenge.nod", "请点一下头。", "Please nod once."),
    ("challenge.blink", "请眨一下眼。", "Please blink."),
    ("challenge.open_mouth", "请张一下嘴。", "Please open your mouth."),
    ("challenge.rest", "好，请回到原来的姿势。", "Good, please return to where you were."),
    ("challenge.seen", "看到动作了。", "The action was seen."),
    (
        "challenge.not_seen",
        "没看到这个动作；公证员可以目视确认并写明理由。",
        "The action was not seen; the notary may confirm it by eye and say why.",
    ),
    # The registry
    (
        "registry.unavailable",
        "人口信息查询没有应答，结果不可用。",
        "Unavailable: the population registry did not answer.",
    ),
    ("registry.simulated", "模拟应答，不作依据", "Simulated answer, no evidence"),
    ("registry.match", "姓名、号码：一致", "Name and number: match"),
    ("registry.mismatch", "姓名、号码：不一致", "Name and number: do not match"),
    ("registry.not_found", "没有查到这个号码", "The number was not found"),
    (
        "registry.portrait_unsure",
        "姓名、号码一致，照片不能确定",
        "Name and number match, portrait unsure",
    ),
)

TEXTS: dict[str, dict[str, str]] = {
    "zh-CN": {key: chinese for key, chinese, _ in _ROWS},
    "en": {key: english for key, _, english in _ROWS},
}


def render(text_key: str, detail: Detail, *, language: str) -> str:
    """The sentence for a key, filled in; fields named in `detail` are said in that language.

    A key that is not listed comes back as it is: better a strange word than a silent gap.
    """
    texts = TEXTS["zh-CN" if language.lower().startswith("zh") else "en"]
    if text_key not in texts:
        return text_key
    return texts[text_key].format_map(_Filled(detail, texts))


class _Filled(dict[str, object]):
    def __init__(self, detail: Detail, texts: Mapping[str, str]) -> None:
        named = {
            key: ", ".join(texts.get(f"field.{name}", name) for name in str(value).split(", "))
            for key, value in detail.items()
            if key in ("field", "fields")
        }
        super().__init__({**detail, **named})

    def __missing__(self, key: str) -> str:
        return "?"
