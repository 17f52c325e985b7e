"""Parses single values of feed files, in the spellings of other programs.

The `parse_` functions raise ValueError with the problem only, such as "is not true or false". Error messages put the
column and the value before it.
"""

import ast
import re
from datetime import datetime
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from app.domain.entities import INTERACTION_TYPES, InteractionType
from app.domain.entities.interaction import MAX_METADATA_BYTES
from app.domain.feed.embeddings import unit_embedding
from app.domain.ids import MAX_ID_LENGTH, is_id
from data.placeholders import MISSING_VALUE, PLACEHOLDERS
from data.times import parse_time

MAX_COUNT: Final = 2**31 - 1
"""Counts are PostgreSQL integers."""
_FORMATTED_NUMBER: Final = re.compile(
    r"[+-]?\d+[.,]0*"  # 101.0
    r"|[+-]?\d([.,]\d+)?[eE]\+\d+"  # 1.57E+18
    r"|[+-]?\d[.,]\d+[eE]\d+"  # 1.57E18, as Java writes it; 1e18 may be a part of a hash
    r"|\d{1,3}([,'\u2019\u00a0\u202f ]\d{3})+"  # 1,234,567
    r"|'.*|=\".*\""  # '0042 and ="0042", the marks of a text
)
_SHOWN_STATES: Final = ("published", "publish", "public", "active", "visible", "approved", "live")
_UNPUBLISHED_STATES: Final = ("draft", "pending", "scheduled", "future", "private", "unpublished", "inactive")
_REMOVED_STATES: Final = (
    "archived",
    "hidden",
    "deleted",
    "removed",
    "trash",
    "trashed",
    "rejected",
    "spam",
    "flagged",
)
_HIDDEN_STATES: Final = (*_UNPUBLISHED_STATES, *_REMOVED_STATES, "banned", "blocked")
_GROUPED_DIGITS: Final = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")
_POSTGRES_ITEM: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,{}"\\]+)')
_PYTHON_LIST: Final = re.compile(r"""\[(\s*('[^'\\]*'|"[^"\\]*")\s*(,|(?=\]$)))*\]""")
UUID_FORM: Final = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"


def parse_id(value: object) -> str:
    """An id: 1 to 128 printable characters, or a whole number. Raises ValueError for any other value.

    What other programs write instead of an id is rejected: words for a missing value, and numbers that were rounded or
    formatted. It would become another user or post.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not is_id(text):
        raise ValueError(f"is not an id: it needs 1 to {MAX_ID_LENGTH} printable characters")
    trimmed = text.strip()
    if trimmed in PLACEHOLDERS:
        raise ValueError(MISSING_VALUE)
    if trimmed[0] in "'=+-0123456789" and _FORMATTED_NUMBER.fullmatch(trimmed):
        raise ValueError("is a number that a program formatted; export ids as text")
    return text


def parse_interaction_type(value: object) -> InteractionType:
    """A type of interaction, in any case. Raises ValueError for any other value."""
    kind = value.lower() if isinstance(value, str) else value
    if kind not in INTERACTION_TYPES:
        allowed = ", ".join(INTERACTION_TYPES)
        raise ValueError(f"is not one of {allowed}; map other names with --event-map")
    return kind


def parse_flag(value: object) -> bool:
    """A boolean in one of the spellings that pydantic knows, or 1.0 or 0.0. Raises ValueError for any other value."""
    text = value.strip().removesuffix(".0") if isinstance(value, str) else value
    try:
        return TypeAdapter(bool).validate_python(text)
    except ValidationError:
        raise ValueError("is not true or false") from None


def parse_visible(value: object) -> bool:
    """Whether a post is shown: a boolean, or a state such as published or draft. Raises ValueError."""
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _SHOWN_STATES or word in _HIDDEN_STATES:
        return word in _SHOWN_STATES
    try:
        return parse_flag(value)
    except ValueError as error:
        states = "a state such as published or draft; with --columns visible= the column is not read"
        raise ValueError(f"{error} or {states}") from None


def parse_hidden(value: object) -> bool:
    """Whether a post is hidden: a boolean, or the time of its deletion. Raises ValueError."""
    try:
        return parse_flag(value)
    except ValueError as error:
        if isinstance(value, datetime):
            return True
        try:
            parse_time(value)
        except ValueError:
            raise ValueError(f"{error} or the time of its deletion") from None
        return True


def parse_count(value: object) -> int:
    """A whole number from 0 to 2,147,483,647. Raises ValueError for any other value.

    `12.0` is one as well: programs write whole numbers like this in a column with missing values. So is `1,234`.
    """
    text = str(value).replace(",", "") if _GROUPED_DIGITS.fullmatch(str(value)) else str(value)
    is_number = isinstance(value, str | int | float) and not isinstance(value, bool)
    if not is_number or not re.fullmatch(r"[0-9]{1,10}(\.0*)?", text) or float(text) > MAX_COUNT:
        raise ValueError(f"is not a whole number from 0 to {MAX_COUNT}")
    return int(float(text))


def parse_tags(value: object) -> tuple[str, ...]:
    """Tags: a list, an array of JSON, PostgreSQL or Python, or words separated by `|`, else `;`, else `,`."""
    return tuple(tag for tag in _parse_list(value, "tags") if tag)


def parse_embedding(value: object) -> NDArray[np.float16]:
    """An embedding as a unit vector: a list of numbers, or an array of JSON or PostgreSQL. Raises ValueError."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("{") and text.endswith("}"):
            text = f"[{text[1:-1]}]"
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise ValueError("is not an array of numbers") from None
    if not isinstance(value, list) or not all(type(one) in (int, float) for one in value):
        raise ValueError("is not an array of numbers")
    return unit_embedding(value)


def parse_ids(value: object) -> tuple[str, ...]:
    """Ids, written as tags are. Raises ValueError for any other value."""
    return tuple(map(parse_id, _parse_list(value, "ids")))


def _parse_list(value: object, what: str) -> list[str]:
    if isinstance(value, str):
        value = _list_of_text(value.strip(), what)
    if not isinstance(value, list | tuple):
        raise ValueError(f"is not a list of {what}")
    texts = [str(one) if type(one) is int and what == "ids" else one for one in value]
    if not all(isinstance(one, str) for one in texts):
        raise ValueError(f"is not a list of {what}")
    if any("\0" in one for one in texts):
        raise ValueError("contains a NUL character")
    return texts


def _list_of_text(text: str, what: str) -> object:
    if text.startswith("{") and text.endswith("}"):
        items = _POSTGRES_ITEM.findall(text)
        return [
            re.sub(r"\\(.)", r"\1", quoted) or bare.strip()
            for quoted, bare in items
            if bare.strip() != "NULL"
        ]
    if _PYTHON_LIST.fullmatch(text):
        return ast.literal_eval(text)
    if text.startswith("["):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            raise ValueError(f"is not a JSON array of {what}") from None
    separator = next((one for one in "|;," if one in text), "|")
    return [word.strip() for word in text.split(separator)]


def parse_language(value: object) -> str:
    """A language tag of BCP 47, such as "de" or "de-AT". Raises ValueError for any other value."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", value):
        raise ValueError('is not a language tag such as "de" or "de-AT"')
    return value


def parse_languages(value: object) -> tuple[str, ...]:
    """Language tags, written as tags are. Raises ValueError for any other value."""
    return tuple(map(parse_language, parse_tags(value)))


def parse_metadata(value: object) -> dict[str, Any]:
    """An object of at most 4 KiB, as a dict or as JSON text. Raises ValueError for any other value."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError("is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    text = orjson.dumps(value)
    if len(text) > MAX_METADATA_BYTES:
        raise ValueError(f"is larger than {MAX_METADATA_BYTES} bytes")
    if b"\\u0000" in text:
        raise ValueError("contains a NUL character")
    return value
