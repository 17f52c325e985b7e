"""Words and tags as users mute them: the same for a text and for what is muted."""

import re
from unicodedata import normalize
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

# Ranges of code points. The migration that defines the SQL function feed_words holds the same ranges.
# One character is one word: Chinese, Japanese, Thai, Lao, Burmese and Khmer need no spaces; symbols and emoji.
SINGLE_CHARACTERS = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2190-\u2bff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff"
    r"\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff"
)
# Spaces, controls and punctuation; every other character is a part of a word.
SEPARATORS = (
    r"\u0001-/:-@\u005b-\u005e\u0060{-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u055a-\u055f\u0589\u05be"
    r"\u05c0\u05c3\u05f3\u05f4\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965\u2000-\u206f\u3000-\u3004"
    r"\u3008-\u303f\ufe0e\ufe0f"
)
_SINGLE = re.compile(f"[{SINGLE_CHARACTERS}]")
_SEPARATOR = re.compile(f"[{SEPARATORS}]+")


def split_words(text: str) -> list[str]:
    """The words of a text in order, in normal form (NFKC) and case-folded.

    In scripts without spaces, and of symbols, each character is a word; so a sequence of words is a substring there.
    """
    folded = normalize("NFKC", text).casefold()
    spaced = folded if folded.isascii() else _SINGLE.sub(r" \g<0> ", folded)
    return _SEPARATOR.sub(" ", spaced).split()


def normal_tag(tag: str) -> str:
    """A tag in normal form (NFKC), case-folded, without spaces around it and # before it; may be empty."""
    return normalize("NFKC", tag).casefold().lstrip(" #").rstrip(" ")


def normal_phrase(text: str) -> str:
    """The words of a text (see `split_words`), joined with spaces; may be empty."""
    return " ".join(split_words(text))


def word_codes(text: str) -> NDArray[np.uint32]:
    """(n_words,) a number for each word of a text. Different words rarely have the same number (1 of 4 billion)."""
    return np.array([crc32(word.encode("utf-8", "surrogatepass")) for word in split_words(text)], np.uint32)


def tag_codes(tags: tuple[str, ...]) -> NDArray[np.uint32]:
    """(n_tags,) a number for each tag, as for words."""
    return np.array([crc32(normal_tag(tag).encode("utf-8", "surrogatepass")) for tag in tags], np.uint32)
