"""What is wrong with a feed file is said in one line that names the file, the place, the column and the value."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.domain.entities import INTERACTION_TYPES
from app.domain.entities.post import VISIBILITIES
from data.feed_files.reader import read_feed
from data.schemas import ROWS, FeedFileError, FileKind
from tests.support.feed_writing import FORMATS, VIEW, write_rows

PLACES = {"csv": "line 4", "ndjson": "line 3", "json": "{kind}[2]", "parquet": "row 3"}
GOOD: Mapping[FileKind, Mapping[str, Any]] = {
    "interactions": VIEW,
    "posts": {"id": "p1", "author_id": "ann", "created_at": "2026-01-01"},
    "users": {"id": "ann", "created_at": "2026-01-01"},
    "follows": {"follower_id": "ann", "followee_id": "bob", "created_at": "2026-01-01"},
    "memberships": {"user_id": "ann", "audience_id": "choir"},
    "impressions": {"user_id": "ann", "request_id": "r1", "created_at": "2026-01-01", "posts": "p1"},
    "controls": {"user_id": "ann", "action": "hide_post", "post_id": "p1", "created_at": "2026-01-01"},
}
BAD: list[tuple[FileKind, str, Any, str]] = [
    ("interactions", "user_id", None, "is empty"),
    ("interactions", "user_id", "x" * 129, "is not an id: it needs 1 to 128 printable characters"),
    ("interactions", "post_id", "a\tb", "is not an id: it needs 1 to 128 printable characters"),
    ("interactions", "post_id", "a\x00b", "is not an id: it needs 1 to 128 printable characters"),
    ("interactions", "interaction_type", "BOOKMARK", "is not one of view, click, like, comment, share"),
    ("interactions", "interaction_type", None, "is empty"),
    ("interactions", "created_at", None, "is empty"),
    ("interactions", "created_at", "yesterday", "is not a time (ISO 8601 or Unix seconds)"),
    ("interactions", "created_at", "now", "is not a time"),
    ("interactions", "created_at", "2026-02-30T00:00:00Z", "is not a time"),
    ("interactions", "created_at", "2026-01-01T25:00:00Z", "is not a time"),
    ("interactions", "created_at", "2026-01-01T00:00:00Z extra", "is not a time"),
    ("interactions", "created_at", "1e9", "is not a time"),
    ("interactions", "created_at", "NaN", "is not a time"),
    ("interactions", "created_at", "9999-12-31", "is not a time"),  # the tables end a day before
    ("interactions", "event_id", "17", "is not a UUID"),
    ("interactions", "metadata", "{", "is not JSON"),
    ("interactions", "metadata", "[1]", "is not a JSON object"),
    ("interactions", "metadata", '{"a": "\\u0000"}', "contains a NUL character"),
    ("interactions", "metadata", '{"a": "%s"}' % ("x" * 4096), "is larger than 4096 bytes"),
    ("interactions", "metadata", '{"a": NaN}', "is not JSON"),
    ("posts", "id", None, "is empty"),
    ("posts", "author_id", "\u202e", "is not an id"),
    ("posts", "created_at", "soon", "is not a time"),
    ("posts", "content", "a\x00b", "contains a NUL character"),
    ("posts", "visible", "perhaps", "is not true or false"),
    ("posts", "like_count", "-1", "is not a whole number from 0 to 2147483647"),
    ("posts", "like_count", "2.5", "is not a whole number"),
    ("posts", "comment_count", "2147483648", "is not a whole number"),
    ("posts", "tags", "[1]", "is not a list of tags"),
    ("posts", "tags", "[x", "is not a JSON array of tags"),
    ("posts", "language", "deutsch!", 'is not a language tag such as "de" or "de-AT"'),
    ("users", "languages", "de|?", "is not a language tag"),
    ("users", "follower_count", "many", "is not a whole number"),
    ("users", "username", "\x00", "contains a NUL character"),
    ("follows", "followee_id", None, "is empty"),
    ("follows", "created_at", "x", "is not a time"),
    ("posts", "visibility", "friends", "is not one of public, followers, members"),
    ("posts", "visibility", "members", "needs an audience_id, because only members of that audience see"),
    ("posts", "audience_id", "\x00", "contains a NUL character"),
    ("posts", "sensitive", "perhaps", "is not true or false"),
    ("posts", "repost_of", "a\tb", "is not an id"),
    ("users", "languages", "[1]", "is not a list of tags"),
    ("users", "discoverable", "perhaps", "is not true or false"),
    ("memberships", "audience_id", None, "is empty"),
    ("impressions", "request_id", None, "is empty"),
    ("impressions", "posts", None, "is empty"),
    ("impressions", "posts", "[1", "is not a JSON array of ids"),
    ("impressions", "posts", "a\tb", "is not an id"),
    ("impressions", "seen", ["p1", "p2"], "holds a post that is not in the column posts of the same row"),
    ("controls", "user_id", None, "is empty"),
    ("controls", "action", None, "is empty"),
    ("controls", "action", "ignore", "action must be one of"),
    ("controls", "action", "mute_author", "mute_author needs author_id and no other target"),
    ("controls", "post_id", "a\tb", "is not an id"),
    ("controls", "until", "soon", "is not a time"),
]
CHANGED_BY_PROGRAMS: list[tuple[FileKind, str, Any, str]] = [
    ("interactions", "created_at", "46346.4166667", "is before 1990: a date number of a table program"),
    ("interactions", "created_at", "0", "is before 1990"),
    ("interactions", "created_at", "0001-01-01T00:00:00Z", "is not a time"),  # the zero of Go and .NET
    ("interactions", "created_at", "1899-12-30", "is before 1990"),  # the zero of table programs
    ("interactions", "created_at", "2099-01-01", "is in the future"),
    ("interactions", "created_at", "4070908800000", "is in the future"),
    ("interactions", "created_at", "20/11/2026 10:00", "may be a date with the day or the month first"),
    ("interactions", "created_at", "3.4.26", "may be a date with the day or the month first"),
    ("interactions", "created_at", "NULL", "is not a time"),
    ("interactions", "user_id", "101.0", "is a number that a program formatted"),
    ("interactions", "user_id", "1.57E+18", "is a number that a program formatted"),
    ("interactions", "user_id", "101.", "is a number that a program formatted"),
    ("interactions", "user_id", " -101.0 ", "is a number that a program formatted"),
    ("interactions", "user_id", "1.57E18", "is a number that a program formatted"),
    ("interactions", "user_id", '="0042"', "is a number that a program formatted"),
    ("interactions", "user_id", " NULL ", "stands for a missing value"),
    ("interactions", "post_id", "1e+21", "is a number that a program formatted"),
    ("interactions", "post_id", "1,57E+18", "is a number that a program formatted"),
    ("interactions", "post_id", "1,234,567", "is a number that a program formatted"),
    ("interactions", "post_id", "'0042", "is a number that a program formatted"),
    ("interactions", "user_id", "NULL", "stands for a missing value"),
    ("interactions", "user_id", "nan", "stands for a missing value"),
    ("interactions", "post_id", "\\N", "stands for a missing value"),
    ("posts", "id", "[deleted]", "stands for a missing value"),
    ("posts", "author_id", "102.00", "is a number that a program formatted"),
    ("posts", "created_at", "2099-01-01", "is in the future"),
    ("posts", "repost_of", "7.0", "is a number that a program formatted"),
    ("follows", "followee_id", "<NA>", "stands for a missing value"),
    ("follows", "created_at", "45000", "is before 1990"),
    ("memberships", "audience_id", "(null)", "stands for a missing value"),
    ("users", "created_at", "2099-01-01", "is in the future"),
    ("impressions", "posts", "p1|2.0", "is a number that a program formatted"),
]


@pytest.mark.parametrize(
    ("kind", "column", "value", "why", "form"),
    [
        *((*case, form) for case in BAD for form in FORMATS),
        *((*case, "csv") for case in CHANGED_BY_PROGRAMS),
    ],
)
def test_a_bad_value_is_named_with_its_file_place_and_column(
    tmp_path: Path, form: str, kind: FileKind, column: str, value: object, why: str
) -> None:
    good = GOOD[kind]
    rows = [{**good, column: good.get(column)}, good, {**good, column: value}]
    path = write_rows(tmp_path / f"{kind}.{form}", rows, kind)
    files = {"interactions": write_rows(tmp_path / "other.csv", [VIEW]), kind: path}

    with pytest.raises(FeedFileError) as caught:
        read_feed(**files)

    said = str(caught.value)
    assert said.startswith(f"{path}: {PLACES[form].format(kind=kind)}: column {column}: ")
    assert why in said
    assert said.isprintable()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("i.csv", b"", "is empty: the first line must contain the names of the columns"),
        ("i.csv", b"user_id,post_id,created_at\na,b,1\n", "has no column 'interaction_type' for interactions"),
        ("i.csv", b"user_id,user_id,post_id,created_at,interaction_type\n", "line 1: has two columns 'user_id'"),
        (
            "i.csv",
            b'user_id,post_id,interaction_type,created_at\n\na,b,view,"1\n2"\na,b,view\n',
            "line 5: has 3 values where the header has 4",
        ),
        (
            "i.csv",
            "user_id,post_id,interaction_type,created_at\né,b,view,1700000000\na,".encode() + b"\xff,view,1\n",
            "line 3: is not UTF-8; save the file as UTF-8",
        ),
        ("i.ndjson", b'{"user_id": "a"}\n\n{"user_id": \n', "line 3: is not JSON"),
        ("i.ndjson", b"[1]\n", "line 1: is not a JSON object"),
        ("i.ndjson", b'{"user_id": "a", "post_id": "b", "interaction_type": "view", "created_at": NaN}\n', "line 1"),
        ("i.ndjson", b'{"user_id": "\\ud800"}\n', "line 1: is not JSON"),
        ("i.ndjson", b'{"user_id": true, "post_id": "b"}\n', "line 1: column user_id: True is not a string"),
        ("i.ndjson", b'{"post_id": "b", "interaction_type": "view", "created_at": 1}\n', "has no column 'user_id'"),
        ("i.json", b"{}{}", "line 1: is not JSON"),
        ("i.json", b"17", "is neither a list of rows nor an object with lists"),
        ("i.json", b'{"interactions": 1}', "has no list 'interactions'"),
        ("i.json", b'{"interactions": [1]}', "interactions[0]: is not a JSON object"),
        ("i.json", b'{"posts": []}', "has no list 'interactions'"),
        ("i.parquet", b"PAR1 not at all", "is not a Parquet file"),
        ("i.txt", b"", "has the unknown suffix '.txt': the format is known by one of"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_reported_with_its_line(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(FeedFileError) as caught:
        read_feed(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_csv_record_that_is_too_long_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id,created_at,content\np1,1,short\np2,1," + "x" * (33 * 1024**2) + "\np3,1,short\n")

    with pytest.raises(
        FeedFileError, match=r"p\.csv: line 3: is longer than the 16 MiB that a record may have"
    ):
        read_feed(write_rows(tmp_path / "i.csv", [VIEW]), path)


def test_a_parquet_column_that_is_there_twice_is_rejected(tmp_path: Path) -> None:
    names = [*VIEW, "user_id"]
    path = tmp_path / "i.parquet"
    pq.write_table(pa.table([pa.array([VIEW[name]]) for name in names], names=names), path)

    with pytest.raises(FeedFileError, match=r"i\.parquet: has two columns 'user_id'"):
        read_feed(path)


def test_a_missing_file_and_a_folder_cannot_be_read(tmp_path: Path) -> None:
    for path in (
        tmp_path / "none.csv",
        tmp_path / "none.parquet",
        tmp_path / "none.ndjson",
        tmp_path / "none.json",
    ):
        with pytest.raises(OSError, match=path.name):
            read_feed(path)


def test_lines_are_counted_over_quoted_line_breaks_and_empty_lines(tmp_path: Path) -> None:
    posts = tmp_path / "p.csv"
    posts.write_text('id,content,created_at\n\n"p1","two\nlines",1\n\np2,x,never\n')

    with pytest.raises(FeedFileError, match=r"p\.csv: line 6: column created_at: 'never' is not a time"):
        read_feed(write_rows(tmp_path / "i.csv", [VIEW]), posts)


def test_a_post_without_any_time_is_rejected(tmp_path: Path) -> None:
    posts = write_rows(tmp_path / "p.csv", [{"id": "p1", "content": ""}, {"id": "p2", "content": ""}])

    with pytest.raises(FeedFileError, match="line 3: column id: 'p2' has no created_at, no interaction"):
        read_feed(write_rows(tmp_path / "i.csv", [VIEW]), posts)


@pytest.mark.parametrize(
    ("column", "array"),
    [
        ("user_id", pa.array([True])),
        ("created_at", pa.array([True])),
        ("interaction_type", pa.array([True])),
    ],
)
def test_a_column_of_the_wrong_type_is_rejected(tmp_path: Path, column: str, array: Any) -> None:
    path = tmp_path / "i.parquet"
    pq.write_table(
        pa.table({name: pa.array([value]) for name, value in VIEW.items()} | {column: array}), path
    )

    with pytest.raises(FeedFileError, match=f"row 1: column {column}: .* is of type {array.type}"):
        read_feed(path)


TEXTS = st.one_of(
    st.text(max_size=12).filter(lambda text: text.isprintable() and text.strip() == text),
    st.sampled_from(
        [
            "2026-01-02",
            "2026-13-02",
            "17",
            "1.5",
            "+5",
            "{}",
            "yes",
            "[]",
            "a|b",
            *INTERACTION_TYPES,
            *VISIBILITIES,
        ]
    ),
    st.datetimes().map(str),
    st.uuids().map(str),
    st.from_regex(r"\A[-+0-9T:. ]{1,25}\Z").filter(lambda text: text.strip() == text),
)
CELLS: Mapping[FileKind, tuple[str, ...]] = {
    "interactions": ("user_id", "post_id", "interaction_type", "created_at", "event_id", "metadata"),
    "posts": (
        "id",
        "author_id",
        "content",
        "created_at",
        "visible",
        "like_count",
        "tags",
        "visibility",
        "audience_id",
        "sensitive",
        "language",
        "root_id",
    ),
    "memberships": ("user_id", "audience_id"),
    "controls": ("user_id", "created_at", "until"),
    "impressions": ("user_id", "request_id", "created_at"),
}


@pytest.mark.parametrize("kind", CELLS)
@given(data=st.data())
def test_whole_columns_and_single_rows_are_held_to_the_same_rules(
    tmp_path_factory: pytest.TempPathFactory, kind: FileKind, data: st.DataObject
) -> None:
    column, value = data.draw(st.sampled_from(CELLS[kind])), data.draw(TEXTS)
    row = {**GOOD[kind], column: value or None}
    folder = tmp_path_factory.mktemp("agree")
    files = {
        "interactions": write_rows(folder / "good.csv", [VIEW]),
        kind: write_rows(folder / "one.csv", [row]),
    }

    try:
        ROWS[kind].model_validate(row)
        invalid_in_row = None
    except ValidationError as error:
        invalid_in_row = error.errors()[0]["loc"][0]
    try:
        read_feed(**files)
        invalid_in_file = None
    except FeedFileError as error:
        invalid_in_file = error.column

    assert invalid_in_row == invalid_in_file
    assert invalid_in_row in (None, column)
