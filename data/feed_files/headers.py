"""Finds the columns of a feed in the header of a file.

A column is found by the name that the user gives, else by a name of the preset, else by its own name, else by its own
name in another spelling (`userId`, `USER_ID`, `User Id`), else by a usual other name (SYNONYMS). Two columns that fit
equally well are an error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

from app.shared.command_line import preview
from data.feed_files.options import ReadOptions
from data.schemas import ROWS, FeedFileError, FileKind

_TIME_NAMES: Final = (
    "timestamp, time, ts, date, datetime, created, created_on, creation_date, creation_timestamp, inserted_at, "
    "occurred_at, event_time, event_timestamp, posted_at, published_at"
)
_USER_NAMES: Final = "user, uid, account_id, member_id, profile_id, customer_id"
_POST_NAMES: Final = "post, post_uri, item, item_id, content_id, article_id"
SYNONYMS: Final[Mapping[FileKind, Mapping[str, str]]] = {
    "interactions": {
        "user_id": _USER_NAMES,
        "post_id": _POST_NAMES,
        "interaction_type": "type, event, event_type, event_name, action, interaction, feedback_type",
        "created_at": _TIME_NAMES,
    },
    "posts": {
        "id": f"post_id, uri, {_POST_NAMES}",
        "author_id": "author, user, user_id, creator, creator_id, owner, owner_id, created_by, posted_by",
        "content": "text, body, message, caption",
        "created_at": _TIME_NAMES,
        "visible": "is_visible, published, is_published, status, post_status",
        "hidden": "is_hidden, hidden_at, deleted, is_deleted, deleted_at, removed, is_removed, removed_at, archived, "
        "is_archived, archived_at, discarded_at, draft, is_draft, banned, is_banned, unpublished_at",
        "like_count": "likes, likes_count, favorite_count, favourites_count",
        "comment_count": "comments, comments_count, reply_count, replies_count",
        "tags": "tag, topic, topics, category, categories, hashtags, genres",
        "language": "lang",
        "sensitive": "is_sensitive, nsfw",
        "reply_to": "in_reply_to, in_reply_to_id, reply_to_id, parent_id",
        "root_id": "thread_id, conversation_id",
    },
    "users": {
        "id": f"user_id, {_USER_NAMES}",
        "username": "handle, login, screen_name",
        "follower_count": "followers, followers_count",
        "created_at": f"{_TIME_NAMES}, joined_at, registered_at",
    },
    "follows": {
        "follower_id": "follower",
        "followee_id": "followee, followed, followed_id, following, following_id",
        "created_at": _TIME_NAMES,
    },
    "controls": {"user_id": _USER_NAMES, "created_at": _TIME_NAMES},
    "memberships": {"user_id": _USER_NAMES, "audience_id": "audience, group_id, community_id"},
    "impressions": {"user_id": _USER_NAMES, "created_at": _TIME_NAMES},
}
"""Kind -> column -> other names for it, in any spelling."""
_REMEDIES: Final = {
    "interaction_type": ", or give the type of all rows with --type",
    "created_at": ", or give the time of all rows with --created-at",
}


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file. `names` maps a column of the feed to its name in the file."""

    path: Path
    kind: FileKind
    given: tuple[str, ...]
    names: Mapping[str, str]

    def notes(self) -> list[str]:
        """What the user should know: columns that are read by another name, and those that are not read."""
        renamed = [f"{preview(name)} as {column}" for column, name in self.names.items() if name != column]
        unread = [preview(name) for name in self.given if name and name not in self.names.values()]
        return [
            f"{did} {', '.join(what)}" for did, what in (("read", renamed), ("did not read", unread)) if what
        ]

    def require(self, columns: Sequence[str]) -> None:
        """Raise FeedFileError unless the file has these columns."""
        for column in columns:
            if column not in self.names:
                remedy = f"name it with --columns {column}=NAME{_REMEDIES.get(column, '')}"
                problem = f"has no column {column!r} for {self.kind}; {remedy} ({header_as_read(self.given)})"
                raise FeedFileError(self.path, problem)


def match_header(
    path: Path, kind: FileKind, given: Sequence[str], options: ReadOptions, place: str | None = None
) -> Header:
    """The columns of a file with the header `given`. Raises FeedFileError if two of them fit one column."""
    columns = [name for name in ROWS[kind].model_fields if options.columns.get(name) != ""]
    names: dict[str, str] = {}
    for wanted in (
        _names_of_user(options),
        *_names_of_preset(kind, options),
        _own_names,
        _own_names_in_any_spelling,
        _other_names(SYNONYMS[kind], options),
    ):
        for column in columns:
            if column not in names and (accepts := wanted(column)):
                found = [name for name in given if name not in names.values() and accepts(name)]
                if len(found) > 1:
                    raise FeedFileError(path, _ambiguous(column, found, given), place=place)
                if found:
                    names[column] = found[0]
    return Header(path, kind, tuple(given), {column: names[column] for column in columns if column in names})


def header_as_read(given: Sequence[str]) -> str:
    """The header of a file in one line, for messages."""
    return f"header as read: {', '.join(map(preview, given)) or 'empty'}"


_Accepts = Callable[[str], bool]


def _names_of_user(options: ReadOptions) -> Callable[[str], _Accepts | None]:
    def wanted(column: str) -> _Accepts | None:
        name = options.columns.get(column)
        return None if name is None else lambda given: given.strip().casefold() == name.casefold()

    return wanted


def _own_names(column: str) -> _Accepts:
    return lambda given: given == column


def _own_names_in_any_spelling(column: str) -> _Accepts:
    return lambda given: _spelling(given) == _spelling(column)


def _other_names(names: Mapping[str, str], options: ReadOptions) -> Callable[[str], _Accepts | None]:
    def wanted(column: str) -> _Accepts | None:
        if column == "interaction_type" and options.interaction_type is not None:
            return None  # the user decided the type of all rows
        spellings = {_spelling(name) for name in names.get(column, "").split(", ") if name}
        return lambda given: _spelling(given) in spellings

    return wanted


def _names_of_preset(kind: FileKind, options: ReadOptions) -> list[Callable[[str], _Accepts | None]]:
    """One step for each name of a column: the first name that the file has counts."""
    columns = options.preset.columns.get(kind, {}) if options.preset else {}
    steps = zip_longest(*(names.split(", ") for names in columns.values()), fillvalue="")
    return [_other_names(dict(zip(columns, step, strict=True)), options) for step in steps]


def _spelling(name: str) -> str:
    """A name without case, spaces and punctuation, so that USER_ID and userId are equal."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _ambiguous(column: str, found: Sequence[str], given: Sequence[str]) -> str:
    if len(set(found)) == 1:
        return f"has two columns {found[0]!r}; the header must name each once ({header_as_read(given)})"
    remedy = f"name one with --columns {column}=NAME, or none with --columns {column}="
    return f"may hold {column} in {' and '.join(map(repr, found))}; {remedy} ({header_as_read(given)})"
