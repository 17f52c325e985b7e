"""The controls of users in the feed state, as rows that the ranking reads."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.control import Control, ControlAction
from app.domain.words import tag_codes, word_codes

Rows = NDArray[np.intp]
_NONE = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True)
class ControlEntry:
    """One control, of a post, an author, a tag or a word. Times in seconds.

    post    UUID bytes, which the state may not know; empty for other controls
    author  user row; -1 for other controls
    codes   of the tag, or of the words in order (see `app.domain.words`); empty for other controls
    """

    action: ControlAction
    post: bytes
    author: int
    created: float
    until: float | None
    codes: tuple[int, ...] = ()

    @classmethod
    def of(cls, control: Control, user_rows: Mapping[bytes, int]) -> "ControlEntry":
        """The entry of a control whose author is in `user_rows` (row by UUID bytes)."""
        return cls(
            control.action,
            b"" if control.post_id is None else control.post_id.bytes,
            -1 if control.author_id is None else user_rows[control.author_id.bytes],
            0.0 if control.created_at is None else control.created_at.timestamp(),
            None if control.until is None else control.until.timestamp(),
            _codes(control),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ActiveControls:
    """What holds for one user at one time.

    posts           rows of hidden posts
    authors         rows of users whose posts and engagement the user does not see: muted, blocked, or blocking the user
    blocked         those of them that are blocked or blocking
    not_interested  (n,) rows of posts, and (n,) seconds since the user was not interested in each
    tags            (n,) uint32 codes of muted tags
    phrases         codes of each muted word, or of several words that follow each other
    """

    posts: Rows
    authors: Rows
    blocked: Rows
    not_interested: tuple[Rows, NDArray[np.float64]]
    tags: NDArray[np.uint32]
    phrases: Sequence[NDArray[np.uint32]]


_NO_CODES = np.empty(0, np.uint32)
NO_CONTROLS = ActiveControls(_NONE, _NONE, _NONE, (_NONE, np.empty(0)), _NO_CODES, ())


class FeedControls:
    """All controls by user row."""

    def __init__(self) -> None:
        self.changes: Counter[int] = Counter()  # user row -> how often what the user may see changed
        self._entries: dict[int, tuple[int, tuple[ControlEntry, ...]]] = {}  # user row -> seq, controls
        # author row -> rows of the users who block the author
        self._blocking: defaultdict[int, set[int]] = defaultdict(set)

    def replace(self, user: int, seq: int, entries: Sequence[ControlEntry]) -> None:
        """Make `entries` the controls of a user, unless later ones (by `seq`) are known."""
        known_seq, known = self._entries.get(user, (-1, ()))
        if seq < known_seq:
            return
        self._entries[user] = seq, tuple(entries)
        before, now = _blocked(known), _blocked(entries)
        for author in before:
            self._blocking[author].discard(user)
        for author in now:
            self._blocking[author].add(user)
        self.changes.update({user} | (before ^ now))

    def seq_of(self, user: int) -> int:
        """The number of the latest change of a user's controls that is known, else 0."""
        return self._entries.get(user, (0, ()))[0]

    def active(self, user: int, now: float, row_of_post: Callable[[bytes], int | None]) -> ActiveControls:
        """The controls of a user row (-1: unknown user) at `now` in seconds."""
        blocking = {
            other for other in self._blocking.get(user, ()) if user in _blocked(self._held(other, now))
        }
        if user not in self._entries and not blocking:
            return NO_CONTROLS
        entries = self._held(user, now)
        posts = [(row, entry) for entry in entries if (row := row_of_post(entry.post)) is not None]
        authors = {entry.author for entry in entries if entry.author >= 0} | blocking
        blocked = _blocked(entries) | blocking
        not_interested = [
            (row, now - entry.created) for row, entry in posts if entry.action == "not_interested"
        ]
        return ActiveControls(
            posts=np.array([row for row, _ in posts], np.intp),
            authors=np.array(sorted(authors), np.intp),
            blocked=np.array(sorted(blocked), np.intp),
            not_interested=(
                np.array([row for row, _ in not_interested], np.intp),
                np.array([age for _, age in not_interested], np.float64),
            ),
            tags=np.array([e.codes[0] for e in entries if e.action == "mute_tag"], np.uint32),
            phrases=[np.array(e.codes, np.uint32) for e in entries if e.action == "mute_word"],
        )

    def snapshot(self) -> list[Any]:
        """Plain data (see `from_snapshot`)."""
        return [
            (user, seq, [(e.action, e.post, e.author, e.created, e.until, e.codes) for e in entries])
            for user, (seq, entries) in self._entries.items()
        ]

    @classmethod
    def from_snapshot(cls, saved: Sequence[Any]) -> "FeedControls":
        """The inverse of `snapshot`."""
        controls = cls()
        for user, seq, entries in saved:
            controls.replace(user, seq, [ControlEntry(*entry) for entry in entries])
        return controls

    def _held(self, user: int, now: float) -> list[ControlEntry]:
        """The controls of a user row that have not ended at `now`."""
        _, entries = self._entries.get(user, (0, ()))
        return [entry for entry in entries if entry.until is None or now < entry.until]


def _codes(control: Control) -> tuple[int, ...]:
    if control.tag is not None:
        return tuple(tag_codes((control.tag,)).tolist())
    return () if control.word is None else tuple(word_codes(control.word).tolist())


def _blocked(entries: Sequence[ControlEntry]) -> set[int]:
    """User rows of the blocked authors."""
    return {entry.author for entry in entries if entry.action == "block_author"}
