"""Which rows of a team's table are published: columns of soft deletes, drafts, moderation and visibility.

The default views and `python -m data.adopt` both use it. A column of this family whose meaning is unknown hides all
rows: nothing that a team deleted or has not published may appear.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.infrastructure.database.adoption.catalogue import INTEGERS, Column
from app.infrastructure.database.adoption.names import literal, name_list, name_set, quoted, words
from app.infrastructure.database.adoption.showing_times import (
    is_of_time,
    is_period,
    is_range,
    showing_condition,
)

_HIDING: Final = name_set(
    "archive archived awaiting banned confidential dead internal invisible obsolete offline secret tombstone "
    "tombstoned void voided blacklisted blocked canceled cancelled deactivated deleted deletion destroyed "
    "disabled discarded draft erased excluded expired flagged hidden hide inactive pending private purged "
    "quarantined rejected removal removed retracted revoked scheduled embargoed embargo shadowbanned spam "
    "suspended takedown trashed unapproved unlisted unpublished withdrawn wip"
)
_SHOWING: Final = name_set(
    "accepted active approved available enabled listed live posted public published publish release released "
    "visible"
)
_STATES: Final = name_set(
    "access audience lifecycle moderation privacy publication review stage state status visibility workflow"
)
_WAITING: Final = name_set("awaiting awaits in needs pending requires under")
_GROUPS: Final = name_set(
    "admin followers friends internal members patrons paid premium staff subscribers team"
)
"""Those to whom a flag such as "members_only" restricts a row."""
_POSITIVE_STATES: Final = frozenset(["publication", "state", "status", "visibility"])
"""States that a boolean may have: true shows the row. "in_review" and "needs_moderation" hide it."""
_INTENTIONS: Final = name_set("allow allowed auto can may ready should to will")
"""Words of settings and plans: "auto_publish" does not say that the row is published."""
_EVENT_SUFFIXES: Final = frozenset({"at", "on", "time", "date", "from", "until", "till", "for", "ts"})
_PREFIXES: Final = frozenset(
    {"is", "was", "post", "feed", "by", "reason", "id", "flag", "of", "soft", "mod", "admin", "user"}
)
_UNCLEAR: Final = frozenset({"moderated", "reviewed"})  # the result may be either
_FEATURES: Final = name_set(
    "ad ads comment comments download downloads email like likes notification notifications reaction "
    "reactions replies reply share shares"
)
"""First words of switches that say nothing about the row itself: "comments_enabled"."""
_OTHER_MEANINGS: Final = name_set(
    "content count counts ids log note notes num number score text title total url version"
)
"""Last words of columns that are no flags: "public_url"."""
_TYPE_WORDS: Final = frozenset({"level", "type", "setting", "code", "aasm", "current", "value"})

SHOWN_STATES: Final = name_list(
    "published publish public active approved live visible posted open normal ok everyone anyone all "
    "accepted listed enabled released available online clean final publicly_visible public_visible publicly"
)
"""Values of a state that show a row to everyone."""
FOLLOWER_STATES: Final = ["followers", "follower", "followers_only", "followersonly", "followers-only"]
"""Values of a visibility that show a row to the followers of its author."""
_HIDDEN_STATES: Final = name_list(
    "draft drafts deleted pending removed archived hidden private rejected unpublished unlisted spam banned "
    "scheduled trash trashed inactive disabled queued review in_review flagged blocked expired suspended "
    "members paid only_me self direct friends closed withdrawn failed processing new"
)
_USER_STATES_HIDDEN: Final = name_list(
    "deleted banned suspended deactivated disabled blocked inactive removed shadowbanned spam closed erased"
)
_HIDDEN_USERS: Final = name_set(
    "archived banned blocked deactivated deleted destroyed disabled discarded erased inactive removed "
    "shadowbanned suspended trashed"
)
_FALSE: Final = "('', '0', 'n', 'no', 'f', 'false', 'off')"
_TRUE: Final = "('1', 'y', 'yes', 't', 'true', 'on')"


@dataclass(frozen=True, slots=True)
class Publication:
    """What the columns of a table say about its rows.

    known    SQL over a row `t`, never NULL: what the columns with a known meaning require
    columns  names of the columns of the family
    unknown  those whose meaning is unknown; no row is then published
    """

    known: str = "true"
    columns: tuple[str, ...] = ()
    unknown: tuple[Column, ...] = ()

    @property
    def condition(self) -> str:
        """The condition of published rows."""
        return "false" if self.unknown else self.known

    def with_known_columns(self) -> "Publication":
        """The condition of the other columns, where the user says what the unknown ones mean."""
        return Publication(self.known, self.columns)


def publication(columns: Iterable[Column], time_zone: str = "UTC", *, followers: bool = False) -> Publication:
    """Return the condition of published rows, from all columns of a table of posts, likes or comments.

    time_zone  of times without a zone
    followers  rows for followers only count as published; the view then restricts them to followers
    """
    shown = [*SHOWN_STATES, *FOLLOWER_STATES] if followers else SHOWN_STATES
    columns = list(columns)
    has_state = any(is_state(column) or _is_flag_of_publication(column) for column in columns)
    return _joined((column, _condition(column, time_zone, shown, has_state=has_state)) for column in columns)


def user_publication(columns: Iterable[Column], alias: str = "t") -> Publication:
    """Return the condition of users `alias` who are not deleted, banned or inactive."""
    return _joined((column, _user_condition(column, alias)) for column in columns)


def _joined(found: Iterable[tuple[Column, str | None]]) -> Publication:
    conditions, used, unknown = [], [], []
    for column, condition in found:
        if condition is None:
            continue
        used.append(column.name)
        if condition == "":
            unknown.append(column)
        else:
            conditions.append(condition)
    return Publication(" AND ".join(conditions) or "true", tuple(used), tuple(unknown))


def _condition(column: Column, time_zone: str, shown: Sequence[str], *, has_state: bool) -> str | None:
    """Return the SQL condition, "" if the meaning is unknown, None if the column is not of the family."""
    parts = words(column.name)
    core = [part for part in parts if part not in _PREFIXES and part not in _EVENT_SUFFIXES]
    name = f"t.{quoted(column.name)}"
    if is_of_time(column):
        return showing_condition(column, time_zone, has_state=has_state)
    if is_range(column):
        return "" if is_period(column) else None
    if not core or core[-1] in _OTHER_MEANINGS or (len(core) > 1 and core[0] in _FEATURES):
        return None
    if (
        core[-1] in _STATES
        or core[0] == "moderation"
        or (len(core) > 1 and core[-2] in _STATES and core[-1] in _TYPE_WORDS)
    ):
        return _state_condition(name, column, parts, shown)
    if core[-1] in _UNCLEAR:
        return ""
    hides = core[-1] in _HIDING or (column.type == "boolean" and bool(_HIDING & set(core)))
    hides = hides or (len(core) > 1 and core[-1] == "only" and core[-2] in _GROUPS)
    if not hides and (core[-1] not in _SHOWING or "id" in parts):
        return "" if is_period(column) else None
    if _INTENTIONS & set(parts):
        return ""
    is_negated = "not" in parts or "non" in parts
    return _flag_condition(name, column, parts, hides=hides != is_negated)


def _flag_condition(name: str, column: Column, parts: tuple[str, ...], *, hides: bool) -> str:
    """A boolean, a number or a text that says whether a row is hidden (`hides`) or shown."""
    if (
        "by" in parts or "id" in parts or "reason" in parts or column.reference
    ):  # who or why: set once it happened
        return f"{name} IS {'NULL' if hides else 'NOT NULL'}"
    if column.type == "boolean":
        return f"NOT coalesce({name}, false)" if hides else f"coalesce({name}, false)"
    if "at" in parts[1:] and not hides:
        return ""  # a time in words
    if column.type in INTEGERS:
        return f"coalesce({name}, 0) = 0" if hides else f"coalesce({name}, 0) > 0"
    if column.family == "text" and not column.labels:
        value = f"lower(btrim(coalesce({name}::text, '')))"
        return f"{value} IN {_FALSE}" if hides else f"{value} IN {_TRUE}"
    return f"coalesce({name}::integer, 0) = 0" if column.type == "bit" and hides else ""


def _state_condition(name: str, column: Column, parts: tuple[str, ...], shown: Sequence[str]) -> str:
    if column.type == "boolean":
        if _WAITING & set(parts):
            return f"NOT coalesce({name}, false)"
        return f"coalesce({name}, false)" if parts[-1] in _POSITIVE_STATES else ""
    if column.family != "text":
        return ""
    if column.labels:
        shown = [label.lower() for label in column.labels if label.lower() in shown]
        if not shown:
            return ""
    return f"coalesce(lower(btrim({name}::text)) IN ({', '.join(map(literal, shown))}), false)"


def _user_condition(column: Column, alias: str) -> str | None:
    core = [part for part in words(column.name) if part not in _PREFIXES and part not in _EVENT_SUFFIXES]
    name = f"{alias}.{quoted(column.name)}"
    if not core or (len(core) > 1 and core[0] != "account"):
        return None
    if core[-1] in _HIDDEN_USERS:
        if column.family == "time":
            ends = bool({"until", "till"} & set(words(column.name)))
            return f"coalesce({name} <= now(), true)" if ends else f"{name} IS NULL"
        return _flag_condition(name, column, words(column.name), hides=True)
    if core[-1] in {"active", "enabled"} and column.family != "time":
        return _flag_condition(name, column, words(column.name), hides=False)
    if core[-1] in {"status", "state"} and column.family == "text":
        hidden = ", ".join(map(literal, _USER_STATES_HIDDEN))
        return f"coalesce(lower(btrim({name}::text)) NOT IN ({hidden}), true)"
    return None


def _is_flag_of_publication(column: Column) -> bool:
    return column.type == "boolean" and bool({"draft", "live", "published"} & set(words(column.name)))


def is_state(column: Column) -> bool:
    """Return whether the column holds one of several states, in words."""
    return column.family == "text" and bool(_STATES & set(words(column.name)))


def known_state(value: str) -> bool:
    """Return whether the value of a state column is known to show or to hide a row."""
    return value.strip().lower() in {*SHOWN_STATES, *FOLLOWER_STATES, *_HIDDEN_STATES}
