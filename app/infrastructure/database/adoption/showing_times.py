"""Times from which, or until which, a row is shown: "published_at", "pub_date", "goLiveAt", "expires_on".

Names are recognised by the stems of their words, whatever the words around them.
"""

import re
from typing import Final

from app.infrastructure.database.adoption.catalogue import Column
from app.infrastructure.database.adoption.moments import moment
from app.infrastructure.database.adoption.names import name_set, quoted, words


def _stems(pattern: str) -> re.Pattern[str]:
    return re.compile(f"(?:{pattern})$")


_DELETED: Final = _stems(
    "archived|banned|blacklisted|blocked|cancell?ed|deactivated|deleted|deletion|destroyed|disabled|discarded|erased|"
    "excluded|flagged|hidden|purged|quarantined|rejected|removed|removal|retracted|retired|revoked|shadowbanned|"
    "suspended|taken|takedown|trashed|unapproved|undone|unfollowed|unliked|unlisted|unpublished|unsubscribed|withdrawn"
)
"""Set once the row is hidden."""
_ENDS: Final = _stems(
    "archive|deactivate|delete|destroy|disable|discard|erase|expir(?:e|es|ed|y|ation|ing)|hide|purge|remove|"
    "retire|sunset|takeoff|trash|unlist|unpublish|unpublishing|withdraw"
)
"""Shown until then."""
_WAITS: Final = _stems("defer(?:red)?|delay(?:ed)?|embargo(?:ed)?|schedul(?:e|ed|ing)|snooze[ds]?")
"""Hidden until then; no such time: shown."""
_PUBLISHED: Final = _stems(
    "accepted|activated|approv(?:ed|al)|launch(?:ed)?|listed|live|posted|pub|publication|publish(?:es|ed|ing)?|release[ds]?"
)
"""Shown from then on; no such time: a draft."""
_SHOWN: Final = _stems(
    "active|activate|activation|appears?|availab(?:le|ility)|display(?:ed)?|effective|goes|live|online|public|"
    "show[ns]?|valid|validity|visib(?:le|ility)"
)
"""Shown from then on; no such time: shown."""
_END_WORDS: Final = name_set("before down end ending ends stop through till to until")
_PERIOD_WORDS: Final = name_set("begin begins end ends start starts")
_OTHER_EVENTS: Final = name_set(
    "activity changed checked comment comments edited last like likes modified notified previous reply saved "
    "seen sent synced updated viewed"
)
"""Words of times that are not those of publication: "last_active_at", "visibility_changed_at"."""
_TIME_WORDS: Final = name_set(
    "after at before date datetime epoch for from millis ms on time timestamp ts until till utc gmt"
)
_NUMBER_WORDS: Final = _TIME_WORDS - {"after", "before", "for", "from"}  # "valid_for", in days
_UNCLEAR: Final = frozenset({"moderated", "reviewed"})  # the result may be either


def is_of_time(column: Column) -> bool:
    """Return whether the column holds a time, or a number that its name calls one: "published_at bigint"."""
    numbers = ("integer", "bigint", "numeric", "double precision")
    return column.family == "time" or (
        column.type in numbers and not _NUMBER_WORDS.isdisjoint(words(column.name)[1:])
    )


def is_range(column: Column) -> bool:
    """Return whether the column holds a range of times, or a duration."""
    return column.type in ("tstzrange", "tsrange", "daterange", "interval")


def is_period(column: Column) -> bool:
    """Return whether a range, a duration or a number may limit the time in which a row is shown: "expires_in"."""
    stems = (_ENDS, _WAITS, _SHOWN, _PUBLISHED) if is_range(column) else (_ENDS,)
    is_number = column.family == "integer" or column.type in ("numeric", "double precision")
    return (is_range(column) or is_number) and any(
        stem.match(word) or word == "ttl" for word in words(column.name) for stem in stems
    )


def showing_condition(column: Column, time_zone: str, *, has_state: bool) -> str | None:
    """Return the SQL condition on `t` of rows that are shown, "" if the meaning is unknown, None for other times.

    has_state  another column says which rows are drafts, so that no time of publication means "at once"
    """
    parts = words(column.name)
    core = [word for word in parts if word not in _TIME_WORDS]
    is_publication = any(_PUBLISHED.match(word) for word in core)
    if _OTHER_EVENTS & set(core) and not (is_publication and core[0] == "last"):
        return None
    name = f"t.{quoted(column.name)}"
    time = moment(name, column.type, time_zone)
    until, after = f"coalesce({time} > now(), true)", f"coalesce({time} <= now(), true)"
    ends = bool(_END_WORDS & set(parts))
    if _UNCLEAR & set(core):
        return ""
    if core == ["not"]:  # "not_before"
        return after if "before" in parts else until
    if any(_WAITS.match(word) for word in core):
        return until if any(_DELETED.match(word) or _ENDS.match(word) for word in core) else after
    if any(_DELETED.match(word) for word in core):
        unset = f"{name} IS NULL" if column.family == "time" else f"coalesce({name}, 0) = 0"
        return after if ends else unset
    if any(_ENDS.match(word) for word in core):
        return after if {"until", "till"} & set(parts) and "expir" not in column.name.lower() else until
    if is_publication or any(_SHOWN.match(word) for word in core):
        if ends:
            return until
        is_plan = any(_SHOWN.match(word) for word in core) and core[:1] != ["live"]
        is_planned = "publish" in core or _PERIOD_WORDS & set(core)
        return after if is_plan or (is_planned and has_state) else f"coalesce({time} <= now(), false)"
    return "" if column.family == "time" and core and set(core) <= _PERIOD_WORDS else None
