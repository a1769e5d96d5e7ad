"""The two word lists, and how four words come out of 256 bits."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.identity import words

# The sounds of the characters the Chinese list is made of (pinyin without tones).
FIRST = """
song yuan xin shi qing chun qiu jin yin zhu mei hai shan jiang hu chen wan dong nan bei gao chang
kuan ping an he ming nuan hong lv zi dan yu ci mu mai dao tao liu feng gui cha shu yue shuang bing
kuai zhen ya le xi fei gu da xiao fang qian miao sha tian chuan shen man xue
"""
SECOND = """
chuang fan yu qiao feng lin ta lou he quan xi gu dao gang lu men yuan hua ye guo di ma yan deng san
bei zhu yun xia guang ge zhou
"""


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_each_list_has_2048_distinct_words(language: str) -> None:
    listed = words.word_list(language)
    assert len(listed) == len(set(listed)) == words.COUNT == 2**11


def test_no_chinese_word_sounds_like_another() -> None:
    listed = words.word_list("zh")
    firsts, seconds = list(dict.fromkeys(w[0] for w in listed)), [w[1] for w in listed[:32]]
    assert [len(word) for word in listed] == [2] * 2048
    assert listed == tuple(a + b for a in firsts for b in seconds)
    assert len(firsts) == len(FIRST.split()) == len(set(FIRST.split())) == 64
    assert len(seconds) == len(SECOND.split()) == len(set(SECOND.split())) == 32


def test_english_words_begin_differently_and_differ_by_more_than_a_letter() -> None:
    listed = words.word_list("en")
    assert list(listed) == sorted(listed)
    assert all(4 <= len(word) <= 7 and word.isascii() and word.islower() for word in listed)
    assert len({word[:4] for word in listed}) == 2048
    holes = [word[:i] + "?" + word[i + 1 :] for word in listed for i in range(len(word))]
    assert len(set(holes)) == len(holes)


def test_opening_words_follow_from_seed_and_session() -> None:
    seed, session = b"\x01" * 64, "ab" * 16
    bits = int.from_bytes(hashlib.sha256(seed + session.encode()).digest(), "big") >> 212
    listed = words.word_list("en")
    expected = tuple(listed[bits >> shift & 2047] for shift in (33, 22, 11, 0))
    assert words.opening_words(seed, session, "en") == expected
    assert words.opening_words(seed, "ac" * 16, "en") != expected
    assert all(len(word) == 2 for word in words.opening_words(seed, session, "zh-CN"))


@given(st.binary(min_size=32, max_size=32), st.integers(0, 43))
def test_each_of_44_bits_changes_the_fingerprint(digest: bytes, bit: int) -> None:
    other = (int.from_bytes(digest, "big") ^ 1 << 255 - bit).to_bytes(32, "big")
    ours = words.fingerprint_words(digest.hex(), "en")
    theirs = words.fingerprint_words(other.hex(), "en")
    assert sum(a != b for a, b in zip(ours, theirs, strict=True)) == 1


@pytest.mark.parametrize("digest", ["", "ab", "zz" * 32, "ab" * 33])
def test_only_a_sha256_has_a_fingerprint(digest: str) -> None:
    with pytest.raises(ValueError):
        words.fingerprint_words(digest, "en")
