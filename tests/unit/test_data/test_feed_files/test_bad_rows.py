"""Bad rows are written to a file, and the other rows are read."""

import csv
from pathlib import Path
from typing import Any

import pytest

from data.feed_files.bad_rows import BadRowFile
from data.feed_files.options import DROP, ReadOptions
from data.feed_files.reader import FeedFile, read_feed
from data.schemas import FeedFileError
from tests.support.feed_writing import FORMATS, VIEW, write_rows

PLACES = {"csv": "line {}", "ndjson": "line {}", "json": "interactions[{}]", "parquet": "row {}"}
FIRST = {"csv": 2, "ndjson": 1, "json": 0, "parquet": 1}


def read_skipping(path: Path, bad: Path, **files: Path) -> tuple[FeedFile, list[dict[str, str]]]:
    with BadRowFile(bad) as bad_rows:
        feed = read_feed(path, options=ReadOptions(event_map={"OPEN": DROP}, bad_rows=bad_rows), **files)
    with bad.open(newline="", encoding="utf-8") as file:
        return feed, list(csv.DictReader(file))


@pytest.mark.parametrize("form", FORMATS)
def test_bad_rows_are_listed_with_place_column_value_and_problem(tmp_path: Path, form: str) -> None:
    rows: list[dict[str, Any]] = [
        {**VIEW, "user_id": "NULL"},
        {**VIEW, "interaction_type": "OPEN"},
        VIEW,
        {**VIEW, "created_at": "2099-01-01"},
        {**VIEW, "user_id": "101.0", "created_at": "never"},
        {**VIEW, "user_id": "102.0"},
        {**VIEW, "user_id": "bob"},
        {**VIEW, "post_id": None},
    ]
    path = write_rows(tmp_path / f"i.{form}", rows)

    feed, bad = read_skipping(path, tmp_path / "bad.csv")

    assert feed.dataset.users.external_id == ["ann", "bob"]
    assert len(feed.dataset.events) == 2
    place = PLACES[form]
    assert sorted((row["place"], row["column"], row["value"], row["problem"]) for row in bad) == sorted(
        (place.format(FIRST[form] + at), column, value, problem)
        for at, column, value, problem in [
            (0, "user_id", "NULL", "stands for a missing value"),
            (3, "created_at", "2099-01-01", "is in the future"),
            (4, "user_id", "101.0", "is a number that a program formatted; export ids as text"),
            (5, "user_id", "102.0", "is a number that a program formatted; export ids as text"),
            (7, "post_id", "", "is empty"),
        ]
    )
    assert {row["file"] for row in bad} == {str(path)}
    assert '"post_id":"p1"' in bad[1]["row"]


@pytest.mark.parametrize(
    ("name", "lines", "places"),
    [
        ("i.csv", ["u,p,view,1700000000,more", "u,p", "u,p,view,never"], ["line 3", "line 4", "line 5"]),
        ("i.ndjson", ["{", "[1]", '{"user_id": 1.5}', ""], ["line 3", "line 4", "line 5"]),
    ],
)
def test_rows_that_cannot_be_parsed_are_bad_rows(
    tmp_path: Path, name: str, lines: list[str], places: list[str]
) -> None:
    good = (
        write_rows(tmp_path / f"good{Path(name).suffix}", [VIEW, {**VIEW, "user_id": "bob"}])
        .read_text()
        .split("\n")
    )
    at = 2 if name == "i.csv" else 1
    blank = [] if name == "i.csv" else [""]
    path = tmp_path / name
    path.write_text("\n".join([*good[:at], *blank, *lines, *good[at:]]))

    feed, bad = read_skipping(path, tmp_path / "bad.csv")

    assert feed.dataset.users.external_id == ["ann", "bob"]
    assert [row["place"] for row in bad] == places


def test_a_file_without_a_good_row_is_an_error_and_its_rows_are_listed(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "i.csv", [{**VIEW, "created_at": "never"}, {**VIEW, "user_id": "1.0"}])

    with pytest.raises(FeedFileError, match=r"i\.csv: has no row without an error; .*bad\.csv lists them"):
        read_skipping(path, tmp_path / "bad.csv")

    assert len((tmp_path / "bad.csv").read_text().splitlines()) == 3


def test_bad_rows_of_other_files_are_skipped_as_well(tmp_path: Path) -> None:
    posts = write_rows(
        tmp_path / "p.csv", [{"id": "p1", "tags": "[x"}, {"id": "p1", "tags": "x"}, {"id": "p1", "tags": ""}]
    )
    controls = write_rows(
        tmp_path / "c.csv",
        [{"user_id": "ann", "action": action, "word": "x"} for action in ("mute_word", "mute_tag")],
    )

    feed, bad = read_skipping(
        write_rows(tmp_path / "i.csv", [VIEW]), tmp_path / "bad.csv", posts=posts, controls=controls
    )

    assert feed.dataset.posts.external_id == ["p1"]
    assert len(feed.dataset.controls) == 1
    assert sorted((Path(row["file"]).name, row["place"], row["column"]) for row in bad) == [
        ("c.csv", "line 3", "action"),
        ("p.csv", "line 2", "tags"),
    ]
