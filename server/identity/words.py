"""Four words for 44 bits: the opening challenge read aloud, and the running fingerprint on screen.

Two lists of 2,048 words (words/zh.txt, words/en.txt), one word per line, in files so that others
can check them. No two words of a list sound or begin alike: the notary confirms them by ear.
"""

from __future__ import annotations

import hashlib
from importlib import resources

COUNT = 2048
_BITS = 11


def word_list(language: str) -> tuple[str, ...]:
    """The list for a language tag: zh for "zh", "zh-CN" and the like, en for everything else."""
    name = "zh" if language.lower().startswith("zh") else "en"
    listed = resources.files("server.identity").joinpath("words", f"{name}.txt")
    return tuple(listed.read_text("utf-8").split())


def opening_words(seed: bytes, session_id: str, language: str) -> tuple[str, str, str, str]:
    """The words to read aloud at step 1: the first 44 bits of SHA-256(seed || session id).

    The date they give a recording is only as good as the seed. When `seed` is an outside party's
    signature over the newest checkpoint, nobody could know the words earlier; when it is made here,
    as with no outside party configured, they date nothing and the report must say so.
    """
    return _four(hashlib.sha256(seed + session_id.encode()).digest(), language)


def fingerprint_words(digest: str, language: str) -> tuple[str, str, str, str]:
    """The first 44 bits of a digest (64 hex characters) as words, to compare by eye or ear.

    Raises ValueError for anything that is not a SHA-256 in hex.
    """
    raw = bytes.fromhex(digest)
    if len(raw) != hashlib.sha256().digest_size:
        raise ValueError("a SHA-256 has 64 hex characters")
    return _four(raw, language)


def _four(digest: bytes, language: str) -> tuple[str, str, str, str]:
    number = int.from_bytes(digest, "big") >> (8 * len(digest) - 4 * _BITS)
    words = word_list(language)
    one, two, three, four = (words[number >> shift & COUNT - 1] for shift in (33, 22, 11, 0))
    return one, two, three, four
