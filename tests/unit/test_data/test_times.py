"""Times of feed files: ISO 8601 or Unix seconds, UTC without a zone, whole microseconds."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.dataset import NO_TIME
from data.feed_files.reader import read_feed
from data.schemas import FeedFileError
from data.times import parse_time, to_microseconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What else stands in a column must not sway how one value of it is read; each of these sends it another way.
COMPANIONS: list[list[str | None]] = [
    [],
    [None],
    ["2026-01-02T03:04:05Z"],
    ["2026-01-02 03:04:05"],
    ["5", "2026-01-02T03:04:05.000000001+01:00"],
    ["never"],
]


def read(text: str, companions: list[str | None]) -> int | None:
    micro, bad = to_microseconds(pa.chunked_array([[*companions, text]], pa.large_string()))
    assert bool(bad[-1]) == (micro[-1] == NO_TIME)
    return None if bad[-1] else int(micro[-1])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-02", 1767312000.0),
        ("2026-01-02T03", 1767322800.0),
        ("2026-01-02 03:04:05", 1767323045.0),
        ("2026-01-02T03:04:05", 1767323045.0),
        ("2026-01-02T03:04:05Z", 1767323045.0),
        ("2026-01-02t03:04:05z", 1767323045.0),
        ("2026-01-02T03:04:05.123456789Z", 1767323045.123456),
        ("2026-01-02T03:04:05,5Z", 1767323045.5),
        ("2026-01-02 03:04:05.25+00", 1767323045.25),
        ("2026-01-02T05:34:05+0230", 1767323045.0),
        ("2026-01-02T05:34+02:30", 1767323040.0),
        ("2026-01-02T00:34:05 -02:30", 1767323045.0),
        ("20260102T030405Z", 1767323045.0),
        ("20260102T0304", 1767323040.0),
        ("20260102T0534+0230", 1767323040.0),
        ("20260102T030405.5", 1767323045.5),
        ("2024-02-29", 1709164800.0),
        ("1066-10-14", -28502755200.0),
        ("9999-12-30T00:00:00Z", 253402128000.0),
        ("1767323045", 1767323045.0),
        ("1767323045.125", 1767323045.125),
        ("-1.5", -1.5),
        ("20260102", 20260102.0),
        ("1767323045000", 1767323045.0),
        ("1767323045123.5", 1767323045.1235),
        ("1767323045123456", 1767323045.123456),
        ("1767323045123456789", 1767323045.123456),
        ("2026/01/02 03:04:05", 1767323045.0),
        ("2026-01-02 03:04:05 UTC", 1767323045.0),
        ("2026-01-02 03:04:05.25 GMT", 1767323045.25),
        ("Fri, 02 Jan 2026 03:04:05 GMT", 1767323045.0),
        ("Fri, 2 Jan 2026 05:34:05 +0230", 1767323045.0),
        ("2 Jan 2026 03:04:05 UT", 1767323045.0),
        ("Thu Jan 01 2026 22:04:05 GMT-0500 (Eastern Standard Time)", 1767323045.0),
        ("Fri Jan 02 03:04:05 2026", 1767323045.0),
        ("Fri Jan 02 03:04:05 +0000 2026", 1767323045.0),
    ],
)
def test_a_time_is_read_the_same_next_to_any_other_values(text: str, seconds: float) -> None:
    for companions in COMPANIONS:
        assert read(text, companions) == round(seconds * 1e6)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "now", "today", "NaT", "nan", "inf", "1e9", " 5", "5 ", "2026-01", "2026-1-2", "2026-13-01",
        "2026-00-10", "2026-01-00", "2026-02-29", "1900-02-29", "2026-01-02T", "2026-01-02T24:00", "2026-01-02T23:60",
        "2026-01-02T23:59:60", "2026-01-02T10:", "2026-01-02T10:00:Z", "2026-01-02T10:00:00+25:00",
        "2026-01-02T10:00:00+02:75", "2026-01-02T10:00:00Z ", "2026-01-02 10:00 CEST",
        "0000-01-01", "10000-01-01", "99999999999999999999", "Fri, 32 Jan 2026 03:04:05 GMT", "2026/01-02 1:00",
        "2026-01-02T10:00:00\n", "\uff12026-01-02",
    ],
)  # fmt: skip
def test_a_value_that_is_not_a_time_is_rejected_next_to_any_other_values(text: str) -> None:
    for companions in COMPANIONS:
        assert read(text, companions) is None
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize("text", ["02.01.2026", "01/02/2026", "1/2/26 10:00 PM", "20-11-2026T10:00"])
def test_a_date_with_the_day_or_the_month_first_is_ambiguous(text: str) -> None:
    assert read(text, []) is None
    with pytest.raises(ValueError, match="day or the month first"):
        parse_time(text)


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(["T", " "]),
    st.sampled_from(COMPANIONS),
)
def test_what_datetime_writes_is_read_to_the_microsecond(
    naive: datetime, offset: int, mark: str, companions: list[str | None]
) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset)))

    found = read(moment.isoformat(mark), companions)

    assert found == (moment - EPOCH) // timedelta(microseconds=1)
    assert parse_time(moment.isoformat(mark)) == moment


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1, None]), [1_000_000, None]),
        (pa.array([1.25, float("nan")]), [1_250_000, "bad"]),
        (pa.array([1_500, None], pa.timestamp("ms", "Europe/Berlin")), [1_500_000, None]),
        (pa.array([1_999, 2], pa.timestamp("ns")), [1, 0]),
        (pa.array([1], pa.date32()), [86_400_000_000]),
        (pa.array([86_400_000], pa.date64()), [86_400_000_000]),
        (pa.array([2**62, 2**58, None], pa.timestamp("s")), ["bad", "bad", None]),
        (pa.array([18_446_744_073_709_551], pa.timestamp("ms")), ["bad"]),  # wraps to 1970 in microseconds
        (pa.array([2**31 - 1], pa.date32()), ["bad"]),
        (pa.array([10**12, 10**15, 10**18 + 999]), [10**15, 10**15, 10**15]),
        (pa.array([2**63 - 1, -(2**62)]), [(2**63 - 1) // 1000, -(2**62) // 1000]),
        (pa.array([None, None]), [None, None]),
    ],
)
def test_columns_that_are_times_or_numbers_already_are_taken_as_they_are(
    column: object, expected: list[object]
) -> None:
    micro, bad = to_microseconds(pa.chunked_array([column]))

    found = [
        "bad" if wrong else None if one == NO_TIME else one
        for one, wrong in zip(micro.tolist(), bad, strict=True)
    ]
    assert found == expected


def test_an_empty_column_is_empty() -> None:
    micro, bad = to_microseconds(pa.chunked_array([], pa.large_string()))

    assert (micro.dtype, bad.dtype, len(micro)) == (np.int64, np.bool_, 0)


def test_a_time_beyond_every_calendar_in_a_parquet_file_is_one_line(tmp_path: Path) -> None:
    beyond = pa.array([2**61], pa.timestamp("us", "UTC"))
    path = tmp_path / "far.parquet"
    pq.write_table(
        pa.table({"user_id": ["a"], "post_id": ["p"], "interaction_type": ["like"], "created_at": beyond}),
        path,
    )

    with pytest.raises(FeedFileError, match="created_at"):
        read_feed(path, None, None, None)
