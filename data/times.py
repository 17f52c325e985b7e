"""Parses the times of feed files to whole microseconds since the Unix epoch, UTC.

A time is ISO 8601 (a date, or a date and a time; no zone means UTC) or a number of Unix seconds. A text of digits only
is a number of Unix seconds. Fractions of a microsecond are cut off.
"""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.domain.feed.dataset import NO_TIME

_DAY: Final = r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
_CLOCK: Final = r"(?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?)?"
_ZONE: Final = r"[Zz]|(?P<sign>[+-])(?P<zone_hour>\d{2})(?::?(?P<zone_minute>\d{2}))?"
_ISO: Final = f"^{_DAY}(?:[Tt ]{_CLOCK} ?(?:{_ZONE})?)?$"
_BASIC_DAY: Final = r"^(\d{4})(\d{2})(\d{2})[Tt]"
_BASIC: Final = {  # 20260102T030405Z
    _BASIC_DAY + r"(\d{2})(\d{2})(\d{2})": r"\1-\2-\3T\4:\5:\6",
    _BASIC_DAY + r"(\d{2})(\d{2})($|[Zz+-])": r"\1-\2-\3T\4:\5\6",
}
_SECONDS: Final = r"^[+-]?\d+(\.\d*)?$"
_FIRST: Final = int(
    datetime(1, 1, 2, tzinfo=UTC).timestamp()
)  # the checks of the database tables allow this range
_LAST: Final = int(datetime(9999, 12, 30, tzinfo=UTC).timestamp())
_TICKS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000}  # per second
WHY: Final = "is not a time (ISO 8601 or Unix seconds)"


def to_microseconds(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(microseconds (n,), is_invalid (n,)) of a column of any Arrow type that can contain times.

    Nulls and invalid values give NO_TIME; nulls are not invalid. Raises TypeError for any other type.
    """
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), NO_TIME), np.zeros(len(column), dtype=np.bool_)
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("s" if pa.types.is_date32(kind) else "ms"))
    if pa.types.is_timestamp(column.type):
        return _from_ticks(column)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _from_seconds(column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _from_text(column)
    raise TypeError(str(kind))


def parse_time(value: object) -> datetime:
    """One value, parsed by the rules of `to_microseconds`, as an aware datetime. Raises ValueError."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.utcoffset() is None else value.astimezone(UTC)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(WHY)
    text = value if isinstance(value, str) else repr(value)
    micro, bad = to_microseconds(pa.chunked_array([[text]], pa.large_string()))
    if bad[0]:
        raise ValueError(WHY)
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(micro[0]))


def are_storable(
    times: NDArray[np.int64] | NDArray[np.float64], per_second: int = 1_000_000
) -> NDArray[np.bool_]:
    """(n,) whether the database can store each time, in units of 1 / `per_second` s; false for NO_TIME and NaN."""
    return (times >= _FIRST * per_second) & (times <= _LAST * per_second)


def _in_range(micro: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    good = are_storable(micro)
    return np.where(good, micro, NO_TIME), ~good & (micro != NO_TIME)


def _from_ticks(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Timestamps of any unit. The range is checked in that unit: as microseconds they may overflow 64 bits."""
    if column.type.unit == "ns":
        column = pc.cast(column, pa.timestamp("us"), safe=False)
    per_second = _TICKS[column.type.unit]
    ticks = pc.fill_null(column.cast(pa.int64()), NO_TIME).to_numpy()
    good = are_storable(ticks, per_second)
    return np.where(good, np.where(good, ticks, 0) * (1_000_000 // per_second), NO_TIME), (
        ~good & (ticks != NO_TIME)
    )


def _from_seconds(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    seconds = pc.cast(column, pa.float64(), safe=False).to_numpy()
    missing = column.is_null().to_numpy()
    bad = ~missing & ~are_storable(seconds, 1)
    micro = np.full(len(seconds), NO_TIME)
    good = ~missing & ~bad
    micro[good] = np.rint(seconds[good] * 1e6).astype(np.int64)
    return micro, bad


def _from_text(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    present = column.is_valid().to_numpy()
    seconds = _matches(column, _SECONDS)
    micro, bad = np.full(len(column), NO_TIME), np.zeros(len(column), dtype=np.bool_)
    if seconds.any():
        numbers = column.filter(pa.array(seconds)).cast(pa.float64())
        micro[seconds], bad[seconds] = _from_seconds(numbers)
    if (iso := present & ~seconds).any():
        found = _iso_microseconds(column if iso.all() else column.filter(pa.array(iso)))
        micro[iso], bad[iso] = found, found == NO_TIME
    return micro, bad


def _iso_microseconds(column: Any) -> NDArray[np.int64]:
    """(n,) microseconds of texts, NO_TIME for an invalid one. Arrow parses a column that has one usual format."""
    if _matches(column, _ISO).all():
        for zone in ("UTC", None):
            with contextlib.suppress(pa.ArrowInvalid):
                return _in_range(column.cast(pa.timestamp("us", zone)).cast(pa.int64()).to_numpy())[0]
    for basic, extended in _BASIC.items():
        column = pc.replace_substring_regex(column, basic, extended)
    return _from_parts(column)


def _from_parts(column: Any) -> NDArray[np.int64]:
    """(n,) microseconds of texts by the groups of `_ISO`, each checked; NO_TIME for an invalid text."""
    groups = pc.extract_regex(column, _ISO).combine_chunks()
    valid = groups.is_valid().to_numpy(zero_copy_only=False)

    def part(name: str, default: int) -> NDArray[np.int64]:
        digits = pc.struct_field(groups, name)
        plain = pc.if_else(pc.match_substring_regex(digits, r"^\d"), digits, str(default))
        return pc.fill_null(plain, str(default)).cast(pa.int64()).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

    month, day = part("month", 1), part("day", 1)
    months = (part("year", 1970) - 1970) * 12 + month - 1
    first, after = (
        at.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for at in (months, months + 1)
    )
    clock = [
        part("hour", 0),
        part("minute", 0),
        part("second", 0),
        part("zone_hour", 0),
        part("zone_minute", 0),
    ]
    for number, least, end in ((month, 1, 13), (day, 1, after - first + 1)):
        valid &= (number >= least) & (number < end)
    for number, end in zip(clock, (24, 60, 60, 24, 60), strict=True):
        valid &= number < end
    fraction = pc.utf8_slice_codeunits(pc.struct_field(groups, "fraction"), 0, 6)
    fraction = (
        pc.fill_null(pc.utf8_rpad(fraction, 6, "0"), "000000").cast(pa.int64()).to_numpy(zero_copy_only=False)
    )
    east = np.where(pc.equal(pc.struct_field(groups, "sign"), "-").to_numpy(zero_copy_only=False), -1, 1)
    hour, minute, second, zone_hour, zone_minute = clock
    minutes = (first + day - 1) * 1440 + hour * 60 + minute - east * (zone_hour * 60 + zone_minute)
    return _in_range(np.where(valid, (minutes * 60 + second) * 1_000_000 + fraction, NO_TIME))[0]


def _matches(column: Any, pattern: str) -> NDArray[np.bool_]:
    whole = pc.match_substring_regex(column, pattern)
    found: NDArray[np.bool_] = pc.fill_null(whole, fill_value=False).to_numpy().astype(np.bool_)
    return found
