"""What is wrong with a trust.json, in both languages."""

from collections.abc import Mapping

from server.cli.verify_words import Language
from signing.errors import TrustError

REASONS: Mapping[str, str] = {
    "lacks": "这份 trust.json 缺少“{field}”一项；请向公证处重新取一份",
    "form": "这份 trust.json 里有一项的格式不对：{error}",
    "version": "这份 trust.json 的版本，本程序不认识",
    "empty": "这份 trust.json 没有写明根证书，或没有写明账本的公钥",
    "other-sm2": "这份 trust.json 里的 SM2 公钥是另一本账的",
    "too-large": "这份 trust.json 太大，不会是真的",
    "not-json": "这份 trust.json 不是 JSON",
    "not-object": "这份 trust.json 不是 JSON 对象",
    "not-ended": "这份 trust.json 提到以前的一本账，却没有写它止于何处",
    "no-policy": "这份 trust.json 提到见证方，却没有写须有几家签署",
    "other-policy": "这份 trust.json 列出的见证方与其规则里的不一致",
}
"""In Chinese; in English the error itself says it."""


def told(error: TrustError, language: Language) -> str:
    """The sentence for a reader."""
    return str(error) if language == "en" else REASONS[error.reason].format(**error.detail)
