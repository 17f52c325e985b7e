"""Parses the times of feed files to whole microseconds since the Unix epoch, UTC.

A time is one of

- ISO 8601: a date, or a date and a time; no zone means UTC. Slashes in the date and the zone `UTC` are read too.
- a number of Unix seconds, milliseconds, microseconds or nanoseconds; its size shows which. The ranges from 1990 to
  2100 do not overlap.
- a date in words, as RFC 2822, JavaScript, `ctime` and Twitter write it.

Fractions of a microsecond are cut off. Times before 1990 are rejected as times of a feed: they are zeros and the date
numbers of table programs.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.domain.feed.dataset import NO_TIME, microseconds

_HOUR: Final = r"(?:[01]\d|2[0-3])"
_FRACTION: Final = r"(?:[.,]\d+)?"
_ZONE: Final = rf" ?(?:[Zz]|[+-]{_HOUR}(?::?[0-5]\d)?)?"
_CLOCK: Final = rf"{_HOUR}(?::\d\d(?::\d\d{_FRACTION})?)?"
_ISO: Final = rf"^\d{{4}}-\d\d-\d\d(?:[Tt ]{_CLOCK}{_ZONE})?$"
_BASIC: Final = rf"^\d{{8}}[Tt]{_HOUR}\d\d(?:\d\d{_FRACTION})?{_ZONE}$"  # 20260102T030405Z
_LIKE_ISO: Final = rf"^\d{{4}}[-/]\d\d[-/]\d\d(?:[Tt ]{_CLOCK}(?:{_ZONE}| ?(?:UTC|GMT)))?$"
_WHOLE: Final = r"^-?(?:\d{1,18}|[0-8]\d{18})$"  # of 64 bits
_NUMBER: Final = r"^[+-]?\d{1,19}(\.\d*)?$"
_IN_WORDS: Final = r"^(?:[A-Z][a-z]{2},? )?(?:\d{1,2} )?[A-Z][a-z]{2} \d{1,4} .*\d\d:\d\d"
_FORMATS_IN_WORDS: Final = (
    "%a, %d %b %Y %H:%M:%S %z",
    "%d %b %Y %H:%M:%S %z",
    "%a %b %d %Y %H:%M:%S GMT%z",
    "%a %b %d %H:%M:%S %z %Y",
    "%a %b %d %H:%M:%S %Y",
)
_DAY_OR_MONTH_FIRST: Final = re.compile(r"\d{1,2}([./-])\d{1,2}\1(\d{4}|\d\d)(?!\d).*")
# The checks of the database tables allow this range.
_FIRST: Final = int(datetime(1, 1, 2, tzinfo=UTC).timestamp())
_LAST: Final = int(datetime(9999, 12, 30, tzinfo=UTC).timestamp())
_TICKS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000}  # per second
_EARLIEST_US: Final = microseconds(datetime(1990, 1, 1, tzinfo=UTC))
_DAY_US: Final = 86_400_000_000
# A number below the first limit is in seconds, below the next one in milliseconds, then in microseconds.
_UNIT_LIMITS: Final = (10**11, 10**14, 10**17)
INVALID_TIME: Final = "is not a time (ISO 8601 or Unix seconds)"
"""The problem of a value, in error messages that start with the value."""
AMBIGUOUS_TIME: Final = "may be a date with the day or the month first; write it as 2026-11-20 10:00:00"
TOO_EARLY: Final = (
    "is before 1990: a date number of a table program or no time at all; write it as 2026-11-20 10:00:00"
)
TOO_LATE: Final = "is in the future"
MAX_DAYS_AHEAD: Final = 1
"""A time without zone may be up to a day ahead."""
MAX_DAYS_UNTIL_POST: Final = 366
"""A post may be dated ahead: it is shown from then on."""


def to_microseconds(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(microseconds (n,), is_invalid (n,)) of a column of any Arrow type that can contain times.

    Nulls and invalid values give NO_TIME; nulls are not invalid. Raises TypeError for any other type.
    """
    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("s" if pa.types.is_date32(kind) else "ms"))
    if pa.types.is_timestamp(column.type):
        micro = _from_timestamps(column)
    elif pa.types.is_signed_integer(kind):
        micro = _from_integers(column)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        micro = _from_numbers(column)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        micro = _from_text(column.cast(pa.large_string()))
    else:
        raise TypeError(str(kind))
    return micro, (micro == NO_TIME) & column.is_valid().to_numpy()


def parse_time(value: object) -> datetime:
    """One value, parsed by the rules of `to_microseconds`, as an aware datetime. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(INVALID_TIME)
    micro, invalid = to_microseconds(pa.chunked_array([[str(value)]], pa.large_string()))
    if invalid[0]:
        raise ValueError(problem_of(value))
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(micro[0]))


def problem_of(value: object) -> str:
    """The problem of a value that is not a time."""
    is_ambiguous = isinstance(value, str) and _DAY_OR_MONTH_FIRST.fullmatch(value)
    return AMBIGUOUS_TIME if is_ambiguous else INVALID_TIME


def are_too_early(micro: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) whether a time, in microseconds, is before every feed; false for NO_TIME."""
    too_early: NDArray[np.bool_] = (micro < _EARLIEST_US) & (micro != NO_TIME)
    return too_early


def are_too_late(micro: NDArray[np.int64], max_days_ahead: int) -> NDArray[np.bool_]:
    """(n,) whether a time, in microseconds, is more than some days ahead of the clock of this machine."""
    latest: int = microseconds(datetime.now(UTC)) + max_days_ahead * _DAY_US
    too_late: NDArray[np.bool_] = np.greater(micro, latest)
    return too_late


def parse_past_time(value: object, max_days_ahead: int | None = MAX_DAYS_AHEAD) -> datetime:
    """One time within the bounds of a feed; None allows any future. Raises ValueError."""
    time = parse_time(value)
    micro = np.array([microseconds(time)])
    if are_too_early(micro)[0]:
        raise ValueError(TOO_EARLY)
    if max_days_ahead is not None and are_too_late(micro, max_days_ahead)[0]:
        raise ValueError(TOO_LATE)
    return time


def are_storable(
    times: NDArray[np.int64] | NDArray[np.float64], per_second: int = 1_000_000
) -> NDArray[np.bool_]:
    """(n,) whether the database can store each time, in units of 1 / `per_second` s; false for NO_TIME and NaN."""
    return (times >= _FIRST * per_second) & (times <= _LAST * per_second)


def _from_timestamps(column: Any) -> NDArray[np.int64]:
    """Timestamps of any unit. The range is checked in that unit: as microseconds they may overflow 64 bits."""
    if column.type.unit == "ns":
        column = pc.cast(column, pa.timestamp("us"), safe=False)
    per_second = _TICKS[column.type.unit]
    ticks = pc.fill_null(column.cast(pa.int64()), NO_TIME).to_numpy()
    return np.where(are_storable(ticks, per_second), ticks * (1_000_000 // per_second), NO_TIME)


def _from_integers(column: Any) -> NDArray[np.int64]:
    """Whole numbers of seconds or a smaller unit, by their size."""
    numbers = pc.fill_null(column.cast(pa.int64()), NO_TIME).to_numpy()
    unit = np.searchsorted(_UNIT_LIMITS, np.abs(numbers), side="right")
    micro = np.select(
        [unit == 0, unit == 1, unit == 2], [numbers * 1_000_000, numbers * 1_000, numbers], numbers // 1_000
    )
    return np.where(are_storable(micro) & (numbers != NO_TIME), micro, NO_TIME)


def _from_numbers(column: Any) -> NDArray[np.int64]:
    """Numbers with a fraction, of seconds or a smaller unit, by their size."""
    numbers = pc.cast(column, pa.float64(), safe=False).to_numpy()
    unit = np.searchsorted(_UNIT_LIMITS, np.abs(numbers), side="right")
    times = numbers * np.array([1e6, 1e3, 1.0, 1e-3])[unit]
    storable = are_storable(times)
    micro = np.full(len(numbers), NO_TIME)
    micro[storable] = np.rint(times[storable]).astype(np.int64)
    return micro


def _from_text(column: Any) -> NDArray[np.int64]:
    micro, left = np.full(len(column), NO_TIME), column
    for pattern, parse in (
        (f"{_ISO}|{_BASIC}", _from_iso),
        (_WHOLE, _from_integers),
        (_NUMBER, _from_numbers),
        (_LIKE_ISO, _from_like_iso),
        (_IN_WORDS, _from_words),
    ):
        matches = pc.fill_null(pc.match_substring_regex(left, pattern), fill_value=False)
        micro[matches.to_numpy()] = parse(column.filter(matches))
        left = pc.if_else(matches, pa.scalar(None, pa.large_string()), left)
        if left.null_count == len(column):
            break
    return micro


def _from_iso(texts: Any) -> NDArray[np.int64]:
    """(n,) microseconds of texts that match `_ISO` or `_BASIC`. Arrow parses a column in one of the usual formats."""
    for zone in ("UTC", None):
        try:
            return _from_timestamps(texts.cast(pa.timestamp("us", zone)))
        except pa.ArrowInvalid:
            continue
    micro = np.array([_iso_microseconds(text) for text in texts.to_pylist()], dtype=np.int64)
    return np.where(are_storable(micro), micro, NO_TIME)


def _from_like_iso(texts: Any) -> NDArray[np.int64]:
    """(n,) microseconds of texts that match `_LIKE_ISO`."""
    texts = pc.replace_substring_regex(texts, " ?(UTC|GMT)$", "Z")
    return _from_iso(pc.replace_substring(texts, "/", "-"))


def _iso_microseconds(text: str) -> int:
    """Microseconds since the epoch of a text that matches `_ISO` or `_BASIC`, in UTC if it has no zone.

    NO_TIME if the day or the time of day does not exist, such as February 30 or 10:75.
    """
    # fromisoformat accepts a space after the date (one of the first 11 characters), but rejects one before the zone.
    start, rest = text[:11], text[11:].replace(" ", "").upper()
    try:
        time = datetime.fromisoformat(start + rest)
    except ValueError:
        return NO_TIME
    return microseconds(time if time.tzinfo else time.replace(tzinfo=UTC))


def _from_words(texts: Any) -> NDArray[np.int64]:
    return np.array([_words_microseconds(text) for text in texts.to_pylist()], dtype=np.int64)


def _words_microseconds(text: str) -> int:
    """Microseconds since the epoch of a text that matches `_IN_WORDS`; NO_TIME if it has none of the formats."""
    text = re.sub(r" \([^()]*\)$", "", text)  # the name of the zone
    text = re.sub(r" (GMT|UTC|UT|Z)$", " +0000", text)
    for form in _FORMATS_IN_WORDS:
        try:
            time = datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            continue
        return microseconds(time if time.tzinfo else time.replace(tzinfo=UTC))
    return NO_TIME
