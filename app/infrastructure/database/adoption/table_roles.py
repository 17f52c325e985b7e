"""What the name of a table says about its rows: "post_likes", "articlelike", "UserFollow", "saved_posts"."""

from typing import Final

from app.infrastructure.database.adoption import vocabulary
from app.infrastructure.database.adoption.catalogue import Table
from app.infrastructure.database.adoption.names import by_name, name_set, singular
from app.infrastructure.database.adoption.proposal import last_noun, noun

EVENTS: Final = "events"
"""Tables of events of several types, with a column for the type."""
_RECORDS: Final = name_set("entry event history item join log record relation tracking")
"""Last words that say nothing: "post_view_logs"."""
_PARTICIPLES: Final = by_name(
    like="bookmarked favorited favourited hearted liked loved saved starred upvoted",
    share="shared reposted retweeted",
    view="read seen viewed visited",
    click="clicked opened",
    feed_follows="followed following",
    block_author="blocked",
    mute_author="muted",
)
_ENTITIES: Final = frozenset().union(*vocabulary.POSTS, *vocabulary.USERS)


_MARKS: Final = name_set(
    "archived deleted draft drafted favorite featured hidden pinned popular related reported scheduled trending"
)


def marks_posts(table: Table) -> bool:
    """Return whether the rows say something about posts of another table: "saved_posts", "deleted_articles"."""
    before = noun(table).split("_")[-2:-1]
    return bool((_PARTICIPLES.keys() | _MARKS) & set(before))


def is_of_deletions(table: Table) -> bool:
    """Return whether the rows may say which posts are deleted or removed: "deleted_posts", "post_removals"."""
    deletions = name_set("archived banned deleted deletion moderation quarantine removal removed takedown")
    return not deletions.isdisjoint(noun(table).split("_"))


def role_of(table: Table, posts: Table) -> str | None:
    """Return the role of a table by its name: a view, an action, a type of interaction, EVENTS, or None."""
    parts = noun(table).split("_")
    while len(parts) > 1 and parts[-1] in _RECORDS and "_".join(parts[-2:]) not in vocabulary.RELATIONS:
        parts = [*parts[:-2], singular(parts[-2])]
    entities = _ENTITIES | {noun(posts), last_noun(posts)}
    for name in ("_".join(parts), "_".join(parts[-2:])):
        if found := vocabulary.RELATIONS.get(name):
            return found
    if parts[-1] in entities:
        return _PARTICIPLES.get(parts[-2]) if len(parts) > 1 else None
    last, found = _split(parts[-1], entities)
    before = last or (parts[-2] if len(parts) > 1 else "")
    of_other = {"comment", "reply", "message", "answer"} - entities
    if found in vocabulary.EVENT_TYPES and singular(before) in of_other:
        return None  # likes of comments
    return found


def _split(word: str, entities: frozenset[str]) -> tuple[str, str | None]:
    """Split "articlelike" into the entity and the role; the entity is "" for "like"."""
    if found := vocabulary.RELATIONS.get(word):
        return "", found
    for entity in sorted(entities, key=len, reverse=True):
        rest = word.removeprefix(entity).lstrip("s") if word.startswith(entity) else ""
        found = vocabulary.RELATIONS.get(rest) or vocabulary.RELATIONS.get(word.removeprefix(entity))
        if word.startswith(entity) and found:
            return entity, found
    return "", None
