"""Columns of other programs are found in the header of a file, or an error shows the header as read."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.entities import INTERACTION_TYPES
from data.feed_arguments import column_names
from data.feed_files.headers import SYNONYMS, match_header
from data.feed_files.options import DROP, ReadOptions
from data.feed_files.reader import FeedFile, read_feed
from data.schemas import ROWS, FeedFileError
from tests.support.feed_writing import FORMATS, VIEW, write_rows

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
LIKE = ReadOptions(interaction_type="like", created_at=JUNE)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def events_of(feed: FeedFile) -> list[tuple[str, str, str, float]]:
    dataset = feed.dataset
    return [
        (
            dataset.users.external_id[user],
            dataset.posts.external_id[post],
            INTERACTION_TYPES[kind],
            float(time),
        )
        for user, post, kind, time in zip(
            dataset.events.user, dataset.events.post, dataset.events.kind, dataset.events.time, strict=True
        )
    ]


@pytest.mark.parametrize(
    "header",
    [
        "userId,postId,type,createdAt",
        "USER_ID,POST_ID,INTERACTION_TYPE,CREATED_AT",
        "User Id,Post-ID,InteractionType,Created at",
        "user,item_id,event_type,timestamp",
        "UserId,ItemId,FeedbackType,time_stamp",
    ],
)
def test_usual_names_of_columns_are_read(tmp_path: Path, header: str) -> None:
    feed = read_feed(written(tmp_path / "i.csv", f"{header}\n17,p1,like,2025-06-01\n"))

    assert events_of(feed) == [("17", "p1", "like", JUNE.timestamp())]
    assert header.split(",")[0] in feed.notes[0]
    assert feed.notes[0].startswith("i.csv: read ")


@pytest.mark.parametrize("form", FORMATS)
def test_the_user_names_columns_in_any_case(tmp_path: Path, form: str) -> None:
    row = {"Wer": "ann", "Was": "p1", "ART": "view", "wann": "2025-06-01", "id": 3}
    path = write_rows(tmp_path / f"i.{form}", [row])
    names = column_names("user_id=wer,post_id=was,interaction_type=art,created_at=WANN")

    feed = read_feed(path, options=ReadOptions(columns=names))

    assert events_of(feed) == [("ann", "p1", "view", JUNE.timestamp())]
    assert feed.notes == (
        f"i.{form}: read 'Wer' as user_id, 'Was' as post_id, 'ART' as interaction_type, 'wann' as created_at",
        f"i.{form}: did not read 'id'",
    )


def test_files_without_a_type_or_a_time_get_those_of_the_options(tmp_path: Path) -> None:
    path = written(tmp_path / "likes.csv", "user_id,post_id,action\n1,2,share\n1,3,share\n")

    feed = read_feed(path, options=LIKE)

    time = JUNE.timestamp()
    assert events_of(feed) == [("1", "2", "like", time), ("1", "3", "like", time)]
    assert feed.notes == ("likes.csv: did not read 'action'",)


def test_a_post_without_any_time_gets_that_of_the_options(tmp_path: Path) -> None:
    posts = written(tmp_path / "movies.csv", "movieId,title,genres\n1,Toy Story,Animation|Comedy\n")
    options = ReadOptions(columns=column_names("id=movieId,content=title"), created_at=JUNE)

    found = read_feed(None, posts, options=options).dataset.posts

    assert (found.external_id, found.text, found.tags) == (["1"], ["Toy Story"], [("Animation", "Comedy")])
    assert found.created_us.tolist() == [int(JUNE.timestamp() * 1e6)]


def test_a_type_that_is_mapped_to_nothing_is_dropped_and_counted(tmp_path: Path) -> None:
    rows = [
        VIEW,
        {**VIEW, "interaction_type": "OPEN", "user_id": "eve"},
        {**VIEW, "interaction_type": "Like"},
    ]
    path = write_rows(tmp_path / "i.csv", rows)

    feed = read_feed(path, options=ReadOptions(event_map={"OPEN": DROP}))

    assert [kind for _, _, kind, _ in events_of(feed)] == ["view", "like"]
    assert feed.dataset.users.external_id == ["ann"]
    assert feed.notes == ("i.csv: dropped 1 interactions by --event-map",)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (
            "favori,UserId,ItemId,Timestamp\nfavori,3,1,2022-06-24\n",
            ReadOptions(),
            "or give the type of all rows with --type (header as read: 'favori', 'UserId', 'ItemId', 'Timestamp')",
        ),
        (
            "user_id,post_id,type,created_at\na,b,like,2025-01-01,more\n",
            ReadOptions(),
            "line 2: has 5 values where the header has 4 (header as read: 'user_id', 'post_id', 'type', 'created_at')",
        ),
        ("1,2,like,5\n", ReadOptions(), "has no column 'user_id' for interactions"),
        ("user_id,post_id,type,created_at\n", ReadOptions({"user_id": "uid"}), "has no column 'uid', which --columns"),
        ("user_id,post_id,interaction_type\n", LIKE, "has a column 'interaction_type'; leave out --type"),
        ("user,uid,post_id,type,created_at\n", ReadOptions(), "may hold user_id in 'user' and 'uid'; name one with"),
        ("userId,USER_ID,post_id,type,created_at\n", ReadOptions(), "may hold user_id in 'userId' and 'USER_ID'"),
        ("post_id,user_id,user_id\n", LIKE, "has two columns 'user_id'"),
    ],
)  # fmt: skip
def test_a_header_that_does_not_fit_is_shown_as_read(
    tmp_path: Path, text: str, options: ReadOptions, said: str
) -> None:
    path = written(tmp_path / "i.csv", text)

    with pytest.raises(FeedFileError) as caught:
        read_feed(path, options=options)

    assert said in str(caught.value)
    assert "header as read: " in str(caught.value) or options is LIKE
    assert str(caught.value).isprintable()


def test_a_column_with_an_empty_name_is_not_read(tmp_path: Path) -> None:
    posts = written(tmp_path / "p.csv", "id,topic,category,created_at\np1,a,b,2025-01-01\n")
    with pytest.raises(FeedFileError, match="may hold tags in 'topic' and 'category'"):
        read_feed(None, posts)

    assert read_feed(None, posts, options=ReadOptions({"tags": ""})).dataset.posts.tags == [()]


def test_keys_that_come_late_in_a_file_of_objects_are_read(tmp_path: Path) -> None:
    rows = [{"id": "p1", "createdAt": "2025-01-01"}, {"id": "p2", "createdAt": "2025-01-01", "tag": "cats"}]
    path = written(tmp_path / "p.ndjson", "".join(json.dumps(row) + "\n" for row in rows))

    assert read_feed(None, path).dataset.posts.tags == [(), ("cats",)]


def test_a_list_of_objects_is_a_file(tmp_path: Path) -> None:
    path = written(tmp_path / "i.json", json.dumps([VIEW, {**VIEW, "user_id": 2**53 + 1}]))

    assert read_feed(path).dataset.users.external_id == ["ann", "9007199254740993"]


@given(kind=st.sampled_from(sorted(ROWS)), data=st.data())
def test_each_synonym_is_read_as_its_column_and_no_own_name_is_taken(kind: str, data: st.DataObject) -> None:
    columns = list(ROWS[kind].model_fields)  # type: ignore[index]
    column = data.draw(st.sampled_from(sorted(SYNONYMS[kind])))  # type: ignore[index]
    synonym = data.draw(st.sampled_from(SYNONYMS[kind][column].split(", ")))  # type: ignore[index]
    others = [name for name in columns if name != column]
    if synonym in others:
        return

    header = match_header(Path("f.csv"), kind, [*others, synonym], ReadOptions())  # type: ignore[arg-type]

    assert header.names == {name: synonym if name == column else name for name in columns}
