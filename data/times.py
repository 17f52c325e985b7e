"""The times that feed files carry, as whole microseconds since the Unix epoch, UTC.

A time is ISO 8601 (a date, or a date and a time; no zone means UTC) or a number of Unix seconds. All digits
means Unix seconds. Anything finer than a microsecond is cut off.
"""

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

NO_TIME: Final = np.iinfo(np.int64).min
"""Stands where a row carries no time, as numpy's own NaT does."""

_ISO: Final = (
    r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}(:\d{2}(:\d{2}([.,]\d+)?)?)? ?([Zz]|[+-]\d{2}(:?\d{2})?)?)?"
    r"|\d{8}[Tt]\d{4}(\d{2}([.,]\d+)?)?([Zz]|[+-]\d{2}(:?\d{2})?)?"
)
_SECONDS: Final = r"[+-]?\d+(\.\d*)?"
_LAST: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
_FIRST: Final = int(datetime(1, 1, 2, tzinfo=UTC).timestamp())
WHY: Final = "is not a time (ISO 8601 or Unix seconds)"


def to_microseconds(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """A column of any Arrow type that can hold times -> (microseconds (n,), bad (n,)).

    Nulls give NO_TIME and are not bad; bad values give NO_TIME. Raises TypeError for a type without times.
    """
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), NO_TIME), np.zeros(len(column), dtype=np.bool_)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        whole = pc.cast(column, pa.timestamp("us"), safe=False)
        return _in_range(pc.fill_null(whole.cast(pa.int64()), NO_TIME).to_numpy())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _from_seconds(column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _from_text(column)
    raise TypeError(str(kind))


def parse_time(value: object) -> datetime:
    """One time as an aware datetime, ValueError for what is none: `to_microseconds` for a single value."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.utcoffset() is None else value.astimezone(UTC)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(WHY)
    text = value if isinstance(value, str) else repr(value)
    micro, bad = to_microseconds(pa.chunked_array([[text]], pa.large_string()))
    if bad[0]:
        raise ValueError(WHY)
    return datetime.fromtimestamp(0, UTC) + pd.Timedelta(int(micro[0]), unit="us").to_pytimedelta()


def _in_range(micro: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    known = micro != NO_TIME
    bad = known & ((micro < _FIRST * 1_000_000) | (micro > _LAST * 1_000_000))
    return np.where(bad, NO_TIME, micro), bad


def _from_seconds(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    seconds = pc.cast(column, pa.float64(), safe=False).to_numpy()
    missing = column.is_null().to_numpy()
    bad = ~missing & ~((seconds >= _FIRST) & (seconds <= _LAST))  # NaN fails both
    micro = np.full(len(seconds), NO_TIME)
    good = ~missing & ~bad
    micro[good] = np.rint(seconds[good] * 1e6).astype(np.int64)
    return micro, bad


def _from_text(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    present = column.is_valid().to_numpy()
    seconds = _matches(column, _SECONDS)
    iso = _matches(column, _ISO)
    micro, bad = np.full(len(column), NO_TIME), present & ~seconds & ~iso
    if seconds.any():
        numbers = pd.to_numeric(column.filter(pa.array(seconds)).to_pandas(types_mapper=None)).to_numpy(
            np.float64
        )
        micro[seconds], bad[seconds] = _from_seconds(pa.chunked_array([numbers]))
    if iso.any():
        found = _iso_microseconds(column if iso.all() else column.filter(pa.array(iso)))
        micro[iso], bad[iso] = found, found == NO_TIME
    return micro, bad


def _iso_microseconds(column: Any) -> NDArray[np.int64]:
    """Texts of the form of `_ISO` -> microseconds; NO_TIME for the 30th of February and its like."""
    if pc.any(pc.match_substring_regex(column, r"[tz,]|\.\d{7}")).as_py():
        column = pc.replace_substring(pc.utf8_upper(column), ",", ".")
        column = pc.replace_substring_regex(column, r"(\.\d{6})\d+", r"\1")
    times = pd.to_datetime(column.to_pandas(), format="ISO8601", utc=True, errors="coerce")
    return _in_range(times.dt.as_unit("us").dt.tz_localize(None).to_numpy().astype(np.int64))[0]


def _matches(column: Any, pattern: str) -> NDArray[np.bool_]:
    whole = pc.match_substring_regex(column, f"^(?:{pattern})$")
    found: NDArray[np.bool_] = pc.fill_null(whole, fill_value=False).to_numpy().astype(np.bool_)
    return found
