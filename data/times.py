"""Parses the times of feed files to whole microseconds since the Unix epoch, UTC.

A time is ISO 8601 (a date, or a date and a time; no zone means UTC) or a number of Unix seconds. A text of digits only
is a number of Unix seconds. Fractions of a microsecond are cut off.
"""

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
_ISO: Final = rf"^\d{{4}}-\d\d-\d\d(?:[Tt ]{_HOUR}(?::\d\d(?::\d\d{_FRACTION})?)?{_ZONE})?$"
_BASIC: Final = rf"^\d{{8}}[Tt]{_HOUR}\d\d(?:\d\d{_FRACTION})?{_ZONE}$"  # 20260102T030405Z
_SECONDS: Final = r"^[+-]?\d+(\.\d*)?$"
# The checks of the database tables allow this range.
_FIRST: Final = int(datetime(1, 1, 2, tzinfo=UTC).timestamp())
_LAST: Final = int(datetime(9999, 12, 30, tzinfo=UTC).timestamp())
_TICKS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000}  # per second
INVALID_TIME: Final = "is not a time (ISO 8601 or Unix seconds)"
"""The problem of a value, in error messages that start with the value."""


def to_microseconds(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(microseconds (n,), is_invalid (n,)) of a column of any Arrow type that can contain times.

    Nulls and invalid values give NO_TIME; nulls are not invalid. Raises TypeError for any other type.
    """
    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("s" if pa.types.is_date32(kind) else "ms"))
    if pa.types.is_timestamp(column.type):
        micro = _from_timestamps(column)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        micro = _from_seconds(column)
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
        raise ValueError(INVALID_TIME)
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(micro[0]))


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


def _from_seconds(column: Any) -> NDArray[np.int64]:
    seconds = pc.cast(column, pa.float64(), safe=False).to_numpy()
    storable = are_storable(seconds, 1)
    micro = np.full(len(seconds), NO_TIME)
    micro[storable] = np.rint(seconds[storable] * 1e6).astype(np.int64)
    return micro


def _from_text(column: Any) -> NDArray[np.int64]:
    micro = np.full(len(column), NO_TIME)
    for pattern, parse in ((_SECONDS, _from_seconds), (f"{_ISO}|{_BASIC}", _from_iso)):
        matches = pc.fill_null(pc.match_substring_regex(column, pattern), fill_value=False)
        micro[matches.to_numpy()] = parse(column.filter(matches))
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
