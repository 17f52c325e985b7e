"""Names of columns and events in the files of other recommender systems and public data sets.

A name includes all of its spellings (`headers`), and several names are separated by commas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.domain.entities import InteractionType
from data.schemas import FileKind


@dataclass(frozen=True, slots=True)
class Preset:
    """A format.

    source          where the format is described
    columns         kind -> column of the feed -> names in the files
    event_map       name of an event in lower case -> interaction type
    author_pattern  the author in the id of a post, for files without a column for it: a regular expression of Arrow
                    (RE2) with one group `author`
    """

    source: str
    columns: Mapping[FileKind, Mapping[str, str]]
    event_map: Mapping[str, InteractionType] = field(default_factory=dict)
    author_pattern: str | None = None


_RATINGS: Final[Mapping[str, InteractionType]] = {
    text: "like" if stars >= 4 else "view"
    for stars in (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5)
    for text in {str(stars), f"{stars:g}", f"{stars:.1f}"}
}
PRESETS: Final[Mapping[str, Preset]] = {
    "movielens": Preset(
        "https://grouplens.org/datasets/movielens/ (README of ml-latest: ratings.csv, movies.csv)",
        {
            "interactions": {"post_id": "movie_id", "interaction_type": "rating"},
            "posts": {"id": "movie_id", "content": "title", "tags": "genres"},
        },
        _RATINGS,
    ),
    "bluesky": Preset(
        "https://atproto.com/lexicons/app-bsky-feed (records of posts, likes and follows as tables)",
        {
            "interactions": {
                "user_id": "did, author, repo",
                "post_id": "subject_uri, subject, post_uri, uri",
                "interaction_type": "type, collection",
                "created_at": "created_at, indexed_at",
            },
            "posts": {
                "id": "uri, post_uri",
                "author_id": "author, did, repo, author_did",
                "content": "text",
                "created_at": "created_at, posted_at, indexed_at",
                "reply_to": "reply_to, reply_parent",
                "root_id": "reply_root",
                "language": "lang",
            },
            "follows": {"follower_id": "did, author, repo", "followee_id": "subject, subject_did"},
            "users": {"id": "did", "username": "handle"},
        },
        {
            "app.bsky.feed.like": "like",
            "app.bsky.feed.repost": "share",
            "app.bsky.feed.post": "comment",
            "repost": "share",
            "quote": "share",
            "reply": "comment",
        },
        r"^at://(?P<author>did:[^/]+)/",
    ),
    "amazon-personalize": Preset(
        "https://docs.aws.amazon.com/personalize/latest/dg/interactions-datasets.html",
        {
            "interactions": {
                "post_id": "item_id",
                "interaction_type": "event_type",
                "created_at": "timestamp",
            },
            "posts": {
                "id": "item_id",
                "created_at": "creation_timestamp",
                "content": "description, product_description, title",
                "tags": "genres, category_l1",
            },
            "users": {"id": "user_id"},
        },
        {
            "watch": "view",
            "detailpageview": "view",
            "addtocart": "like",
            "add_to_cart": "like",
            "purchase": "like",
        },
    ),
    "gorse": Preset(
        "https://gorse.io/docs/ (dashboard: import and export of feedback, items and users)",
        {
            "interactions": {
                "post_id": "item_id",
                "interaction_type": "feedback_type",
                "created_at": "time_stamp",
            },
            "posts": {
                "id": "item_id",
                "created_at": "time_stamp",
                "content": "comment, description",
                "tags": "categories",
                "hidden": "is_hidden",
            },
            "users": {"id": "user_id"},
        },
        {"read": "view", "star": "like", "favorite": "like", "fork": "share"},
    ),
}
