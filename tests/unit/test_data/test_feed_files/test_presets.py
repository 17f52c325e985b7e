"""Files of other recommender systems are read with one flag."""

from pathlib import Path

import pytest

from app.domain.entities import INTERACTION_TYPES
from data.feed_files.options import ReadOptions
from data.feed_files.presets import PRESETS
from data.feed_files.reader import FeedFile, read_feed
from data.schemas import ROWS


def events_of(feed: FeedFile) -> list[tuple[str, str, str]]:
    dataset = feed.dataset
    return [
        (dataset.users.external_id[user], dataset.posts.external_id[post], INTERACTION_TYPES[kind])
        for user, post, kind in zip(
            dataset.events.user, dataset.events.post, dataset.events.kind, strict=True
        )
    ]


@pytest.mark.parametrize(
    ("name", "text", "events"),
    [
        (
            "movielens",
            "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n1,32,4.0,1260759145\n1,33,5,1260759146\n",
            [("1", "31", "view"), ("1", "32", "like"), ("1", "33", "like")],
        ),
        (
            "amazon-personalize",
            "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n196,242,881250949,watch\n196,243,881250950,Purchase\n",
            [("196", "242", "view"), ("196", "243", "like")],
        ),
        (
            "gorse",
            "feedback_type,user_id,item_id,time_stamp\nread,u,i,2022-06-24 21:20:11\nstar,u,i,2022-06-25 21:20:11\n",
            [("u", "i", "view"), ("u", "i", "like")],
        ),
        (
            "bluesky",
            "did,collection,subject,createdAt,indexedAt\ndid:plc:a,app.bsky.feed.like,at://b/1,2026-09-03,2026-09-04\n",
            [("did:plc:a", "at://b/1", "like")],
        ),
    ],
)  # fmt: skip
def test_interactions_of_each_format_are_read(
    tmp_path: Path, name: str, text: str, events: list[tuple[str, str, str]]
) -> None:
    path = tmp_path / "i.csv"
    path.write_text(text)

    assert events_of(read_feed(path, options=ReadOptions(preset=PRESETS[name]))) == events


def test_the_author_of_a_bluesky_post_is_read_from_its_uri(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    uri = "at://did:plc:aaa/app.bsky.feed.post/3k"
    path.write_text(f'post_uri,posted_at,text\n{uri},2026-09-03T02:57:46.321Z,"words, words"\n')

    feed = read_feed(None, path, options=ReadOptions(preset=PRESETS["bluesky"]))

    posts, users = feed.dataset.posts, feed.dataset.users
    assert (posts.external_id, posts.text, users.external_id) == ([uri], ["words, words"], ["did:plc:aaa"])
    assert posts.author.tolist() == [0]
    assert "p.csv: read the author of each post from its id" in feed.notes


def test_hidden_items_of_gorse_are_hidden_posts(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(
        "item_id,is_hidden,categories,time_stamp,comment\n1,true,a|b,2022-06-24,x\n2,false,,2022-06-24,y\n"
    )

    posts = read_feed(None, path, options=ReadOptions(preset=PRESETS["gorse"])).dataset.posts

    assert (posts.visible.tolist(), posts.tags, posts.text) == ([False, True], [("a", "b"), ()], ["x", "y"])


def test_the_event_map_and_the_type_of_the_user_come_before_the_preset(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    path.write_text("userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n")
    movielens = PRESETS["movielens"]

    mapped = read_feed(path, options=ReadOptions(event_map={"2.5": "share"}, preset=movielens))
    typed = read_feed(path, options=ReadOptions(interaction_type="click", preset=movielens))

    assert events_of(mapped) == [("1", "31", "share")]
    assert events_of(typed) == [("1", "31", "click")]


def test_presets_name_their_source_and_only_known_columns_and_types() -> None:
    for preset in PRESETS.values():
        assert preset.source.startswith("https://")
        assert set(preset.event_map.values()) <= set(INTERACTION_TYPES)
        for kind, columns in preset.columns.items():
            assert set(columns) <= set(ROWS[kind].model_fields)


@pytest.mark.parametrize(
    ("column", "values", "visible"),
    [
        ("deleted_at", ["", "2026-01-02", "2026-01-02 03:04:05+00", "NULL"], [True, False, False, True]),
        ("isDeleted", ["", "t", "false", "1"], [True, False, True, False]),
        ("draft", ["0", "1", "yes", "no"], [True, False, False, True]),
        ("status", ["published", "Draft", "deleted", "pending"], [True, False, False, False]),
        ("is_published", ["true", "false", "1", "0"], [True, False, True, False]),
    ],
)
def test_deleted_posts_and_drafts_are_hidden(
    tmp_path: Path, column: str, values: list[str], visible: list[bool]
) -> None:
    path = tmp_path / "p.csv"
    rows = [f"p{number},2026-01-01,{value}\n" for number, value in enumerate(values)]
    path.write_text(f"id,created_at,{column}\n" + "".join(rows))

    assert read_feed(None, path).dataset.posts.visible.tolist() == visible
