"""The controls of users in the feed state, as rows that the ranking reads."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.control import Control, ControlAction

Rows = NDArray[np.intp]
_NONE = np.empty(0, np.intp)
_HIDES_POST: frozenset[ControlAction] = frozenset({"hide_post", "not_interested", "report_post"})


@dataclass(frozen=True, slots=True)
class ControlEntry:
    """One control. `post` is a UUID key and may be unknown to the state; `author` is a user row. Times in seconds."""

    action: ControlAction
    post: bytes | None
    author: int | None
    created: float
    until: float | None

    @classmethod
    def of(cls, control: Control, user_rows: Mapping[bytes, int]) -> "ControlEntry":
        """The entry of a control whose author is in `user_rows` (row by UUID bytes)."""
        return cls(
            control.action,
            None if control.post_id is None else control.post_id.bytes,
            None if control.author_id is None else user_rows[control.author_id.bytes],
            0.0 if control.created_at is None else control.created_at.timestamp(),
            None if control.until is None else control.until.timestamp(),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ActiveControls:
    """What holds for one user at one time.

    posts           rows of hidden posts
    authors         rows of users whose posts and engagement the user does not see: muted, blocked, or blocking the user
    blocked         those of them that are blocked or blocking
    not_interested  (n,) rows of posts, and (n,) seconds since the user was not interested in each
    """

    posts: Rows
    authors: Rows
    blocked: Rows
    not_interested: tuple[Rows, NDArray[np.float64]]


NO_CONTROLS = ActiveControls(_NONE, _NONE, _NONE, (_NONE, np.empty(0)))


class FeedControls:
    """All controls by user row. `version` changes with every change."""

    def __init__(self) -> None:
        self.version = 0
        self._entries: dict[int, tuple[int, tuple[ControlEntry, ...]]] = {}  # user row -> seq, controls
        self._blocking: defaultdict[int, set[int]] = defaultdict(
            set
        )  # author row -> rows of users who block them

    def replace(self, user: int, seq: int, entries: Sequence[ControlEntry]) -> None:
        """Make `entries` the controls of a user, unless later ones (by `seq`) are known."""
        known_seq, known = self._entries.get(user, (-1, ()))
        if seq < known_seq:
            return
        for entry in known:
            if entry.action == "block_author" and entry.author is not None:
                self._blocking[entry.author].discard(user)
        self._entries[user] = seq, tuple(entries)
        for entry in entries:
            if entry.action == "block_author" and entry.author is not None:
                self._blocking[entry.author].add(user)
        self.version += 1

    def active(self, user: int, now: float, row_of_post: Callable[[bytes], int | None]) -> ActiveControls:
        """The controls of a user row (-1: unknown user) at `now` in seconds."""
        blocking = {other for other in self._blocking.get(user, ()) if self._blocks(other, user, now)}
        if user not in self._entries and not blocking:
            return NO_CONTROLS
        entries = [entry for entry in self._entries.get(user, (0, ()))[1] if _holds(entry, now)]
        posts = [
            (row, entry)
            for entry in entries
            if entry.action in _HIDES_POST
            and entry.post is not None
            and (row := row_of_post(entry.post)) is not None
        ]
        muted = {entry.author for entry in entries if entry.action == "mute_author"}
        blocked = {entry.author for entry in entries if entry.action == "block_author"} | blocking
        not_interested = [
            (row, now - entry.created) for row, entry in posts if entry.action == "not_interested"
        ]
        return ActiveControls(
            posts=np.array([row for row, _ in posts], np.intp),
            authors=np.array(sorted(muted | blocked), np.intp),  # type: ignore[type-var]
            blocked=np.array(sorted(blocked), np.intp),  # type: ignore[type-var]
            not_interested=(
                np.array([row for row, _ in not_interested], np.intp),
                np.array([age for _, age in not_interested], np.float64),
            ),
        )

    def snapshot(self) -> list[Any]:
        """Plain data (see `from_snapshot`)."""
        return [
            (user, seq, [(e.action, e.post, e.author, e.created, e.until) for e in entries])
            for user, (seq, entries) in self._entries.items()
        ]

    @classmethod
    def from_snapshot(cls, saved: Sequence[Any]) -> "FeedControls":
        """The inverse of `snapshot`."""
        controls = cls()
        for user, seq, entries in saved:
            controls.replace(user, seq, [ControlEntry(*entry) for entry in entries])
        return controls

    def _blocks(self, user: int, author: int, now: float) -> bool:
        return any(
            entry.action == "block_author" and entry.author == author and _holds(entry, now)
            for entry in self._entries[user][1]
        )


def _holds(entry: ControlEntry, now: float) -> bool:
    return entry.until is None or now < entry.until
