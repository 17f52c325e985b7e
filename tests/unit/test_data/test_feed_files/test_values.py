"""Values that other programs write are read as they are meant, or refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.feed_files.reader import read_feed
from data.placeholders import PLACEHOLDERS
from data.schemas import FeedFileError
from data.values import parse_count, parse_flag, parse_ids, parse_tags
from tests.support.feed_writing import FORMATS, VIEW, write_rows


@pytest.mark.parametrize("form", FORMATS)
def test_words_for_a_missing_value_are_read_as_none_and_counted(tmp_path: Path, form: str) -> None:
    rows = [
        {"id": f"p{number}", "author_id": word, "created_at": "2026-01-01", "like_count": word, "tags": word}
        for number, word in enumerate(sorted(PLACEHOLDERS))
    ]
    posts = write_rows(tmp_path / f"p.{form}", [*rows, {**rows[0], "id": "p", "author_id": "ann"}], "posts")

    feed = read_feed(None, posts)

    assert feed.dataset.users.external_id == ["ann"]
    assert set(feed.dataset.posts.author.tolist()) == {-1, 0}
    assert feed.dataset.posts.tags == [()] * len(feed.dataset.posts)
    assert f"p.{form}: read {len(rows)} words for a missing value as an empty author_id" in feed.notes


def test_a_user_may_mute_a_word_that_stands_for_a_missing_value_elsewhere(tmp_path: Path) -> None:
    controls = write_rows(
        tmp_path / "c.csv", [{"user_id": "ann", "action": "mute_word", "word": "null"}], "controls"
    )

    assert [one.word for one in read_feed(None, controls=controls).dataset.controls] == ["null"]


@pytest.mark.parametrize(
    "given", ["v1.0", "007", "1.5", "1e5", "12e4", "1E18", "-5", "=", "na", "Nan", "1,23", "O'Neil", "1.0.0"]
)
def test_ids_that_only_resemble_a_formatted_number_are_kept(tmp_path: Path, given: str) -> None:
    path = write_rows(tmp_path / "i.csv", [{**VIEW, "user_id": given}])

    assert read_feed(path).dataset.users.external_id == [given]


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (pa.array([101.0, 2.0**53 - 1]), ["101", "9007199254740991"]),
        (pa.array([101.0, 2.0], pa.float32()), ["101", "2"]),
        (pa.array([Decimal(101), Decimal(10) ** 30]), ["101", "1" + "0" * 30]),
        (pa.array([Decimal("101.00"), Decimal("2.00")]), ["101", "2"]),
        (pa.array([2**63, 2**53 + 1], pa.uint64()), ["9223372036854775808", "9007199254740993"]),
    ],
)
def test_exact_whole_numbers_of_parquet_are_ids(tmp_path: Path, values: Any, ids: list[str]) -> None:
    table = {name: [value] * 2 for name, value in VIEW.items()} | {"user_id": values}
    pq.write_table(pa.table(table), tmp_path / "i.parquet")

    assert read_feed(tmp_path / "i.parquet").dataset.users.external_id == ids


@pytest.mark.parametrize(
    "value",
    [
        pa.array([1.5]),
        pa.array([2.0**53]),
        pa.array([2.0**24], pa.float32()),
        pa.array([Decimal("1.50")]),
        pa.array([float("inf")]),
    ],
)
def test_numbers_of_parquet_that_are_not_exact_are_no_ids(tmp_path: Path, value: Any) -> None:
    table = {name: [value] for name, value in VIEW.items()} | {"post_id": value}
    pq.write_table(pa.table(table), tmp_path / "i.parquet")

    with pytest.raises(FeedFileError, match=r"row 1: column post_id: .* is not an exact whole number"):
        read_feed(tmp_path / "i.parquet")


def test_nan_in_a_column_of_parquet_is_a_missing_value(tmp_path: Path) -> None:
    nan = float("nan")
    columns = {
        "id": ["p1", "p2"],
        "author_id": [7.0, nan],
        "created_at": [1.7e9, 1.7e9],
        "like_count": [nan, 3.0],
    }
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")

    posts = read_feed(None, tmp_path / "p.parquet").dataset.posts

    assert posts.author.tolist() == [0, -1]
    assert posts.like_count is not None
    assert posts.like_count.tolist() == [-1, 3]


def test_a_decimal_number_of_json_is_no_id(tmp_path: Path) -> None:
    path = tmp_path / "i.ndjson"
    path.write_text(
        '{"user_id": 101.0, "post_id": "p", "interaction_type": "like", "created_at": 1700000000}\n'
    )

    with pytest.raises(FeedFileError, match=r"line 1: column user_id: 101\.0 is not a string or int"):
        read_feed(path)


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        ('{cats,"big dogs"}', ("cats", "big dogs")),
        (r'{"a \"b\"",c,NULL,"NULL"}', ('a "b"', "c", "NULL")),
        ("{}", ()),
        ('["cats", "big dogs"]', ("cats", "big dogs")),
        ("['cats', 'big dogs']", ("cats", "big dogs")),
        ("""['cats', "dog's"]""", ("cats", "dog's")),
        ("[]", ()),
        ("cats, dogs", ("cats", "dogs")),
        ("cats; dogs, too", ("cats", "dogs, too")),
        ("cats|dogs", ("cats", "dogs")),
    ],
)
def test_lists_are_read_in_the_spelling_of_each_program(given: str, tags: tuple[str, ...]) -> None:
    assert parse_tags(given) == tags


@pytest.mark.parametrize("given", ["['a' 'b']", "['a'", "[1, 2]", "['a', 2]"])
def test_lists_of_something_else_are_rejected(given: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_tags(given)


@pytest.mark.parametrize("given", ["{1,2}", "[1, 2]", "1|2", [1, 2], '["1", 2]'])
def test_lists_of_ids_may_hold_numbers(given: object) -> None:
    assert parse_ids(given) == ("1", "2")


@pytest.mark.parametrize(
    ("given", "flag"),
    [("t", True), ("F", False), ("1", True), ("0.0", False), ("yes", True), ("No", False), (" TRUE ", True), (1, True)],
)  # fmt: skip
def test_flags_are_read_in_the_spelling_of_each_program(given: object, flag: bool) -> None:
    assert parse_flag(given) is flag


def test_counts_may_have_thousand_separators() -> None:
    assert parse_count("1,234,567") == 1_234_567
    with pytest.raises(ValueError, match="is not a whole number"):
        parse_count("1,23")


def test_a_post_may_be_dated_ahead_within_a_year_and_an_event_within_a_day(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    posts = [{"id": "p1", "created_at": (now + timedelta(days=300)).isoformat()}]
    views = [{**VIEW, "created_at": (now + timedelta(hours=13)).isoformat()}]

    feed = read_feed(write_rows(tmp_path / "i.csv", views), write_rows(tmp_path / "p.csv", posts, "posts"))

    assert len(feed.dataset.events) == 1
    for row, path in (
        ({**VIEW, "created_at": (now + timedelta(days=2)).isoformat()}, tmp_path / "late.csv"),
        ({**VIEW, "created_at": "2106-02-07T06:28:15Z"}, tmp_path / "max32.csv"),
    ):
        with pytest.raises(FeedFileError, match=r"line 2: column created_at: .* is in the future"):
            read_feed(write_rows(path, [row]))


def test_ids_with_several_spellings_are_reported(tmp_path: Path) -> None:
    names = ["Ann", "ann", "007", "7", "zoe\u0308", "zo\u00eb", " bob", "bob", "x y", "xy", "eve"]
    path = write_rows(tmp_path / "i.csv", [{**VIEW, "user_id": name} for name in names])

    feed = read_feed(path)

    assert len(feed.dataset.users) == 9
    assert feed.notes == (
        "2 ids of users are other spellings of an id, such as 'zo\u00eb' of 'zoe\u0308'",
        (
            "3 ids of users differ from another only in case, spaces, leading zeros or Unicode form, "
            "such as 'Ann' and 'ann'"
        ),
    )
