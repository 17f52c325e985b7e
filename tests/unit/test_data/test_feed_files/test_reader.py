"""Feed files have the same meaning in every format."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.entities import INTERACTION_TYPES
from app.domain.entities.control import Control
from app.domain.feed.dataset import NO_TIME
from app.domain.ids import post_uuid, user_uuid
from data.feed_files.open_files import sibling
from data.feed_files.options import ReadOptions
from data.feed_files.reader import FeedFile, read_feed
from data.loading import complete, shifted
from tests.support.feed_writing import FORMATS, VIEW, write_rows

START = 1_700_000_000


def list_of(column: np.ndarray | None) -> list[Any]:
    assert column is not None
    return column.tolist()  # type: ignore[no-any-return]


def events_of(feed: FeedFile) -> list[tuple[str, str, str, float]]:
    history = feed.dataset
    return [
        (history.users.external_id[user], history.posts.external_id[post], INTERACTION_TYPES[kind], time)
        for user, post, kind, time in zip(
            history.events.user, history.events.post, history.events.kind, history.events.time, strict=True
        )
    ]


def event_ids_of(feed: FeedFile) -> list[bytes]:
    return list_of(complete(feed).events.event_id)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_feed(tmp_path: Path, form: str) -> None:
    interactions = write_rows(
        tmp_path / f"i.{form}",
        [
            {
                **VIEW,
                "interaction_type": "like",
                "created_at": "2026-01-02T03:04:07.5Z",
                "metadata": {"at": "top"},
            },
            {**VIEW, "metadata": None},
        ],
    )
    posts = write_rows(
        tmp_path / f"p.{form}",
        [
            {
                "id": "p1",
                "author_id": "bob",
                "content": 'two\nlines, "quoted"',
                "created_at": "2026-01-01",
                "visible": False,
                "like_count": 3,
                "tags": ["a", "b c"],
            },
            {"id": "p2", "author_id": None, "content": None, "created_at": "2026-01-01T00:00:01Z", "visible": None,
             "like_count": None, "tags": []},
        ],
        "posts",
    )  # fmt: skip
    users = write_rows(
        tmp_path / f"u.{form}", [{"id": "cid", "username": "Cid", "follower_count": 2}], "users"
    )
    follows = write_rows(tmp_path / f"f.{form}", [{"follower_id": "ann", "followee_id": "bob"}], "follows")

    feed = read_feed(interactions, posts, users, follows)

    history = feed.dataset
    assert events_of(feed) == [("ann", "p1", "view", 1767323045.0), ("ann", "p1", "like", 1767323047.5)]
    assert sorted(history.users.external_id) == ["ann", "bob", "cid"]
    assert history.posts.text == ['two\nlines, "quoted"', ""]
    assert history.posts.tags == [("a", "b c"), ()]
    assert history.posts.created.tolist() == [1767225600.0, 1767225601.0]
    assert history.posts.visible.tolist() == [False, True]
    assert [history.users.external_id[row] if row >= 0 else None for row in history.posts.author] == [
        "bob",
        None,
    ]
    assert np.isnan(history.follows.since).all()
    assert list_of(history.events.metadata) == ["{}", '{"at":"top"}']
    assert list_of(history.posts.like_count) == [3, -1]
    assert history.users.username is not None
    assert history.users.username[history.users.external_id.index("cid")] == "Cid"


def test_keys_are_the_uuids_of_the_given_ids(tmp_path: Path) -> None:
    given_uuid = "8D0E6F70-0B7E-4B0E-9D5C-0123456789AB"
    path = write_rows(
        tmp_path / "i.csv", [{**VIEW, "user_id": given_uuid}, {**VIEW, "user_id": given_uuid.lower()}]
    )

    history = read_feed(path).dataset

    assert [UUID(bytes=key.tobytes()) for key in history.users.key] == [user_uuid(given_uuid)]
    assert [UUID(bytes=key.tobytes()) for key in history.posts.key] == [post_uuid("p1")]
    assert history.users.external_id == [given_uuid]


def test_posts_only_named_in_interactions_date_from_the_first_and_have_no_author(tmp_path: Path) -> None:
    rows = [
        {**VIEW, "created_at": 1700000009},
        {**VIEW, "created_at": 1700000003.25},
        {**VIEW, "created_at": 1700000005},
    ]

    history = read_feed(write_rows(tmp_path / "i.ndjson", rows)).dataset

    assert history.posts.created.tolist() == [1700000003.25]
    assert history.posts.author.tolist() == [-1]


def test_events_come_by_time_and_ties_keep_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [{**VIEW, "user_id": f"u{at}", "created_at": 1700000000 + (at % 3)} for at in range(30)]

    found = events_of(read_feed(write_rows(tmp_path / "i.csv", rows)))

    expected = sorted(rows, key=lambda row: row["created_at"])
    assert [user for user, *_ in found] == [row["user_id"] for row in expected]


def test_other_event_names_are_mapped(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "i.csv", [{**VIEW, "interaction_type": name} for name in ("VIEW", "share", "BOOKMARK")]
    )

    found = events_of(read_feed(path, options=ReadOptions(event_map={"VIEW": "view", "BOOKMARK": "like"})))

    assert [kind for _, _, kind, _ in found] == ["view", "share", "like"]


def test_an_event_without_an_id_gets_one_of_its_original_time_and_number_among_equals(tmp_path: Path) -> None:
    given_id = "00000000-0000-4000-8000-000000000001"
    other = {**VIEW, "post_id": "p2", "event_id": given_id}
    feed = read_feed(
        write_rows(tmp_path / "i.csv", [VIEW, VIEW, other, other, {**VIEW, "created_at": "2026-01-02"}])
    )

    def made(microseconds: int, number: int) -> UUID:
        name = f"event:{user_uuid('ann')}|{post_uuid('p1')}|view|{microseconds}|{number}"
        return uuid5(NAMESPACE_URL, name)

    found = [UUID(bytes=key) for key in list_of(shifted(complete(feed), 99.5).events.event_id)]
    assert found == [
        made(1767312000_000000, 0),
        made(1767323045_000000, 0),
        made(1767323045_000000, 1),
        UUID(given_id),
    ]


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), max_size=40), st.randoms(use_true_random=False))
def test_event_ids_are_distinct_and_do_not_depend_on_the_order_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]], shuffle: object
) -> None:
    folder = tmp_path_factory.mktemp("ids")
    written = [
        {"user_id": f"u{u}", "post_id": f"p{p}", "interaction_type": "like", "created_at": START + t}
        for u, p, t in rows
    ]
    header = [{**VIEW, "user_id": "first"}]
    mixed = list(written)
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]

    ids = event_ids_of(read_feed(write_rows(folder / "a.csv", header + written)))
    again = event_ids_of(read_feed(write_rows(folder / "b.csv", header + mixed)))

    assert len(set(ids)) == len(rows) + 1
    assert set(again) == set(ids)


def test_moving_the_times_moves_all_of_them_and_leaves_the_event_ids(tmp_path: Path) -> None:
    interactions = write_rows(tmp_path / "i.csv", [VIEW])
    posts = write_rows(tmp_path / "p.csv", [{"id": "p1", "author_id": "bob", "created_at": "2026-01-01"}])
    users = write_rows(tmp_path / "u.csv", [{"id": "ann", "created_at": "2025-01-01"}])
    follows = write_rows(
        tmp_path / "f.csv",
        [
            {"follower_id": "ann", "followee_id": "bob", "created_at": "2025-06-01"},
            {"follower_id": "bob", "followee_id": "ann", "created_at": None},
        ],
    )
    feed = read_feed(interactions, posts, users, follows)

    here = complete(feed)
    there = shifted(here, 86400.5)

    for before, after in [
        (here.users.created_us, there.users.created_us),
        (here.posts.created_us, there.posts.created_us),
        (here.events.time_us, there.events.time_us),
        (here.follows.since_us, there.follows.since_us),
    ]:
        assert list_of(after) == [one if one == NO_TIME else one + 86_400_500_000 for one in list_of(before)]
    assert list_of(here.events.event_id) == list_of(there.events.event_id)
    assert np.isnan(there.follows.since).tolist() == [False, True]


def test_a_user_without_a_time_exists_from_their_first_occurrence(tmp_path: Path) -> None:
    interactions = write_rows(tmp_path / "i.csv", [{**VIEW, "created_at": START + 50}])
    posts = write_rows(tmp_path / "p.csv", [{"id": "p1", "author_id": "bob", "created_at": START + 40}])
    follows = write_rows(
        tmp_path / "f.csv", [{"follower_id": "ann", "followee_id": "cid", "created_at": START + 30}]
    )

    users = complete(read_feed(interactions, posts, None, follows)).users

    assert dict(zip(users.external_id, list_of(users.created_us), strict=True)) == {
        "bob": (START + 40) * 1_000_000,
        "ann": (START + 30) * 1_000_000,
        "cid": (START + 30) * 1_000_000,
    }


def test_duplicate_ids_and_users_who_follow_themselves_are_skipped_and_reported(
    tmp_path: Path,
) -> None:
    posts = write_rows(
        tmp_path / "p.csv",
        [
            {"id": "p1", "content": "one", "created_at": START + 1},
            {"id": "p1", "content": "two", "created_at": START + 2},
        ],
    )
    follows = write_rows(
        tmp_path / "f.csv",
        [
            {"follower_id": "ann", "followee_id": "ann", "created_at": START + 9},
            {"follower_id": "ann", "followee_id": "bob", "created_at": None},
            {"follower_id": "ann", "followee_id": "bob", "created_at": START + 7},
            {"follower_id": "ann", "followee_id": "bob", "created_at": START - 8},
        ],
    )

    feed = read_feed(write_rows(tmp_path / "i.csv", [VIEW]), posts, None, follows)

    history = feed.dataset
    assert (history.posts.text, history.posts.created.tolist()) == (["one"], [START + 1])
    assert history.follows.since.tolist() == [START - 8]
    assert [str(one) for one in feed.skipped_rows] == [
        f"1 of the posts ({posts}: line 3: column id: 'p1' is a duplicate id; the first row was kept)",
        f"1 of the follows ({follows}: line 2: column followee_id: 'ann' equals the follower)",
        (
            f"2 of the follows ({follows}: line 3: column followee_id: 'bob' is followed in another row too, "
            "of which the earliest counts)"
        ),
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_controls_are_sorted_by_time_and_may_mention_new_users(tmp_path: Path, form: str) -> None:
    names = ("user_id", "action", "post_id", "author_id", "word", "created_at", "until")
    values = [
        ("ann", "hide_post", "p1", None, None, START + 20, None),
        ("dan", "block_author", None, "eve", None, START + 10, START + 30),
        ("ann", "mute_author", None, "dan", None, None, None),
        ("ann", "mute_word", None, None, "Red  Fox", None, None),
    ]
    rows = [dict(zip(names, row, strict=True)) for row in values]
    controls = write_rows(tmp_path / f"c.{form}", rows, "controls")

    feed = read_feed(write_rows(tmp_path / "i.csv", [VIEW]), controls=controls)

    ann, dan, eve = map(user_uuid, ("ann", "dan", "eve"))
    second = [datetime.fromtimestamp(START + seconds, UTC) for seconds in range(40)]
    assert {"dan", "eve"} <= set(feed.dataset.users.external_id)
    assert feed.dataset.controls == [
        Control(ann, "mute_author", author_id=dan),
        Control(ann, "mute_word", word="red fox"),
        Control(dan, "block_author", author_id=eve, created_at=second[10], until=second[30]),
        Control(ann, "hide_post", post_uuid("p1"), created_at=second[20]),
    ]
    assert not feed.skipped_rows


def test_controls_of_oneself_and_of_unknown_posts_are_skipped_and_reported(tmp_path: Path) -> None:
    rows = [
        {"user_id": "ann", "action": "mute_author", "author_id": "ann"},
        {"user_id": "ann", "action": "hide_post", "post_id": "p9"},
    ]
    controls = write_rows(tmp_path / "c.csv", rows, "controls")

    feed = read_feed(write_rows(tmp_path / "i.csv", [VIEW]), controls=controls)

    assert not feed.dataset.controls
    assert feed.dataset.posts.external_id == ["p1"]
    assert [str(one) for one in feed.skipped_rows] == [
        f"1 of the controls ({controls}: line 2: column author_id: 'ann' equals the user)",
        f"1 of the controls ({controls}: line 3: column post_id: 'p9' is a post that no other row mentions)",
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_files_may_say_who_sees_a_post_and_what_it_answers(tmp_path: Path, form: str) -> None:
    posts = [
        {"id": "p1", "created_at": START, "visibility": "members", "audience_id": "choir", "language": "de",
         "sensitive": True, "reply_to": "p2", "root_id": "p0", "repost_of": None},
        {"id": "p2", "created_at": START, "visibility": None, "audience_id": None, "language": None, "sensitive": None,
         "reply_to": None, "root_id": None, "repost_of": "p1"},
    ]  # fmt: skip
    users = [
        {
            "id": "ann",
            "discoverable": False,
            "personalised": False,
            "languages": ["de", "en"],
            "show_sensitive": True,
        },
        {"id": "bob", "discoverable": None, "personalised": None, "languages": None, "show_sensitive": None},
    ]
    memberships = [{"user_id": name, "audience_id": "choir"} for name in ("cid", "ann", "cid")]

    feed = read_feed(
        write_rows(tmp_path / f"i.{form}", [VIEW]),
        write_rows(tmp_path / f"p.{form}", posts, "posts"),
        write_rows(tmp_path / f"u.{form}", users, "users"),
        memberships=write_rows(tmp_path / f"m.{form}", memberships, "memberships"),
    )

    read, people, members = feed.dataset.posts, feed.dataset.users, feed.dataset.memberships
    assert (read.visibility, read.audience_id) == (["members", "public"], ["choir", None])
    assert (read.language, list_of(read.sensitive)) == (["de", None], [True, False])
    assert read.reply_to == [post_uuid("p2"), None]
    assert read.root_id == [post_uuid("p0"), None]
    assert read.repost_of == [None, post_uuid("p1")]
    assert people.external_id == ["ann", "bob", "cid"]
    assert list_of(people.discoverable) == list_of(people.personalised) == [False, True, True]
    assert (people.languages, list_of(people.show_sensitive)) == (
        [("de", "en"), (), ()],
        [True, False, False],
    )
    assert [people.external_id[row] for row in members.user] == ["cid", "ann"]
    assert members.audience_id == ["choir", "choir"]
    assert [one.kind for one in feed.skipped_rows] == ["memberships"]


def test_a_parquet_file_named_alone_brings_its_siblings(tmp_path: Path) -> None:
    interactions = write_rows(tmp_path / "feed.parquet", [VIEW])
    write_rows(sibling(interactions, "posts"), [{"id": "p9", "created_at": START, "content": "beside"}])

    assert "p9" in read_feed(interactions).dataset.posts.external_id


HEADER = b"user_id,post_id,interaction_type,created_at"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("i.csv", HEADER + b"\n"),
        ("i.csv", HEADER),
        ("i.ndjson", b""),
        ("i.ndjson", b"\n\n"),
        ("i.json", b'{"interactions": []}'),
        ("i.json", b'\xef\xbb\xbf{"interactions": [], "posts": [], "users": [], "follows": []}'),
    ],
)
def test_a_file_without_rows_is_an_empty_feed(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    feed = read_feed(path)

    assert len(feed.dataset.events) == len(feed.dataset.users) == len(event_ids_of(feed)) == 0


def test_posts_alone_are_a_feed_in_which_nothing_has_happened_yet(tmp_path: Path) -> None:
    path = tmp_path / "feed.json"
    path.write_text(json.dumps({"interactions": [], "posts": [{"id": "p1", "created_at": START}]}))

    history = read_feed(path).dataset

    assert (history.posts.external_id, len(history.events)) == (["p1"], 0)


def test_a_csv_record_may_be_as_long_as_a_long_post(tmp_path: Path) -> None:
    content = "long " * 600_000
    posts = write_rows(tmp_path / "p.csv", [{"id": "p1", "created_at": START, "content": content}])

    assert read_feed(write_rows(tmp_path / "i.csv", [VIEW]), posts).dataset.posts.text == [content]


def test_parquet_columns_may_be_numbers_dictionaries_and_binary_uuids(tmp_path: Path) -> None:
    octets = [UUID(int=1).bytes, UUID(int=2).bytes]
    table = pa.table(
        {
            "user_id": pa.array([7, 8]),
            "post_id": pa.array(octets, pa.binary(16)),
            "interaction_type": pa.array(["like", "view"]).dictionary_encode(),
            "created_at": pa.array([START, START + 1], pa.timestamp("s")),
            "event_id": pa.ExtensionArray.from_storage(pa.uuid(), pa.array(octets, pa.binary(16))),
            "metadata": pa.array([{"a": 1, "b": None}, None]),
        }
    )
    pq.write_table(table, tmp_path / "i.parquet")

    feed = read_feed(tmp_path / "i.parquet")

    assert events_of(feed) == [
        ("7", str(UUID(int=1)), "like", START),
        ("8", str(UUID(int=2)), "view", START + 1),
    ]
    assert event_ids_of(feed) == octets
    assert list_of(feed.dataset.events.metadata) == ['{"a":1}', "{}"]


def test_parquet_columns_may_be_views_of_strings(tmp_path: Path) -> None:
    row = {name: pa.array([value], pa.string_view()) for name, value in VIEW.items()}
    pq.write_table(pa.table(row), tmp_path / "i.parquet")

    assert events_of(read_feed(tmp_path / "i.parquet"))[0][:3] == ("ann", "p1", "view")


def test_a_csv_file_may_begin_with_a_byte_order_mark_end_its_lines_as_windows_does_and_hold_more_columns(
    tmp_path: Path,
) -> None:
    path = tmp_path / "i.csv"
    path.write_bytes(
        b"\xef\xbb\xbfuser_id,extra,post_id,interaction_type,created_at\r\nann,1,p1,view,1700000005\r\n\r\nbob,2,p1,like,1700000006"
    )

    assert events_of(read_feed(path)) == [("ann", "p1", "view", START + 5), ("bob", "p1", "like", START + 6)]


def test_an_event_id_given_twice_counts_once(tmp_path: Path) -> None:
    row = {**VIEW, "event_id": str(UUID(int=0)), "metadata": {}}
    path = write_rows(tmp_path / "i.ndjson", [VIEW, row, {**row, "created_at": "2026-02-01"}, VIEW])

    feed = read_feed(path)

    assert len(feed.dataset.events) == 3
    assert [str(one) for one in feed.skipped_rows] == [
        (
            f"1 of the interactions ({path}: line 3: column event_id: '{UUID(int=0)}' comes more than once, "
            "of which the earliest counts)"
        )
    ]


def test_a_post_that_only_a_repeated_event_mentions_dates_from_that_event(tmp_path: Path) -> None:
    row = {**VIEW, "event_id": str(UUID(int=0)), "created_at": START + 5}
    path = write_rows(tmp_path / "i.ndjson", [row, {**row, "post_id": "p2", "created_at": START + 6}])

    posts = read_feed(path).dataset.posts

    assert dict(zip(posts.external_id, posts.created.tolist(), strict=True)) == {
        "p1": START + 5,
        "p2": START + 6,
    }


def test_a_parquet_file_without_rows_is_an_empty_feed_whatever_the_types_of_its_columns(
    tmp_path: Path,
) -> None:
    pq.write_table(pa.table({name: pa.array([], pa.float64()) for name in VIEW}), tmp_path / "i.parquet")

    assert len(read_feed(tmp_path / "i.parquet").dataset.events) == 0


@pytest.mark.parametrize("form", FORMATS)
def test_files_may_hold_the_pages_that_users_were_shown(tmp_path: Path, form: str) -> None:
    page = {
        "user_id": "ann",
        "request_id": "r1",
        "created_at": START + 100,
        "posts": ["p2", "p1"],
        "seen": ["p2"],
    }
    rows = [
        page,
        {**page, "user_id": "eve", "created_at": START, "posts": ["p9", "p1"], "seen": None},
        {**page, "posts": ["p1"], "seen": None},
        {**page, "request_id": "r2", "posts": ["p9"], "seen": None},
    ]
    path = write_rows(tmp_path / f"shown.{form}", rows, "impressions")
    views = [VIEW, {**VIEW, "post_id": "p2"}]

    feed = read_feed(write_rows(tmp_path / f"i.{form}", views), impressions=path)

    pages, users, posts = feed.dataset.pages, feed.dataset.users.external_id, feed.dataset.posts.external_id
    assert [users[row] for row in pages.user] == ["eve", "ann"]
    assert pages.time.tolist() == [START, START + 100]
    assert pages.request_id == ["r1", "r1"]
    assert [[posts[row] for row in pages.post[pages.places(page)]] for page in (0, 1)] == [
        ["p1"],
        ["p2", "p1"],
    ]
    assert pages.seen.tolist() == [False, True, False]
    assert [(one.kind, one.rows) for one in feed.skipped_rows] == [("impressions", 1)] * 2
    assert "are posts that no other row mentions" in str(feed.skipped_rows[1])


def test_ids_in_a_text_are_separated_like_tags(tmp_path: Path) -> None:
    path = tmp_path / "shown.csv"
    path.write_text("user_id,request_id,created_at,posts,seen\nann,r1,1700000100,p1|p2,p2\n")

    pages = read_feed(
        write_rows(tmp_path / "i.csv", [VIEW, {**VIEW, "post_id": "p2"}]), impressions=path
    ).dataset.pages

    assert (pages.length.tolist(), pages.seen.tolist()) == ([2], [False, True])
