"""The controls of users in the feed state, as rows that the ranking reads."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.control import CONTROL_ACTIONS, Control, ControlAction
from app.domain.feed.array_tree import ArrayTree, array_of, check, check_range, key_array
from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.uuid_index import UuidIndex
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

    def active(self, user: int, now: float, post_rows: UuidIndex) -> ActiveControls:
        """The controls of a user row (-1: unknown user) at `now` in seconds."""
        blocking = {
            other for other in self._blocking.get(user, ()) if user in _blocked(self._held(other, now))
        }
        if user not in self._entries and not blocking:
            return NO_CONTROLS
        entries = self._held(user, now)
        of_posts = [entry for entry in entries if entry.post]
        rows = post_rows.rows(key_array(entry.post for entry in of_posts)).tolist()
        posts = [(row, entry) for row, entry in zip(rows, of_posts, strict=True) if row >= 0]
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

    def copy(self) -> "FeedControls":
        """Another one with the same controls, which later changes do not alter. It knows no changes."""
        copied = FeedControls()
        copied._entries = self._entries.copy()
        return copied

    def array_tree(self) -> ArrayTree:
        """The users with the numbers of their latest changes, and the columns of all controls (see `from_tree`)."""
        of_users = self._entries
        entries = [entry for _, of_user in of_users.values() for entry in of_user]
        return {
            "user": np.array(list(of_users), np.int64),
            "seq": np.array([seq for seq, _ in of_users.values()], np.int64),
            "length": np.array([len(of_user) for _, of_user in of_users.values()], np.int64),
            "action": np.array([CONTROL_ACTIONS.index(entry.action) for entry in entries], np.uint8),
            "has_post": np.array([bool(entry.post) for entry in entries], np.bool_),
            "post": key_array(entry.post or bytes(16) for entry in entries),
            "author": np.array([entry.author for entry in entries], np.int64),
            "created": np.array([entry.created for entry in entries], np.float64),
            "until": np.array([np.nan if e.until is None else e.until for e in entries], np.float64),
            "n_codes": np.array([len(entry.codes) for entry in entries], np.int64),
            "codes": np.array([code for entry in entries for code in entry.codes], np.uint32),
        }

    @classmethod
    def from_tree(cls, tree: ArrayTree, users: int) -> "FeedControls":
        """The inverse of `array_tree`, for so many user rows. Raises ValueError."""
        rows, seqs, lengths = (array_of(tree, name, np.int64) for name in ("user", "seq", "length"))
        actions, authors = array_of(tree, "action", np.uint8), array_of(tree, "author", np.int64)
        untils = array_of(tree, "until", np.float64)
        codes = iter(array_of(tree, "codes", np.uint32).tolist())
        check_range(rows, 0, users, "users with controls")
        check_range(actions, 0, len(CONTROL_ACTIONS), "actions of controls")
        check_range(authors, -1, users, "authors of controls")
        columns = zip(
            actions.tolist(),
            array_of(tree, "has_post", np.bool_).tolist(),
            array_of(tree, "post", KEY_DTYPE).tolist(),
            authors.tolist(),
            array_of(tree, "created", np.float64).tolist(),
            untils.tolist(),
            array_of(tree, "n_codes", np.int64).tolist(),
            strict=True,
        )
        entries = iter(
            [
                ControlEntry(
                    CONTROL_ACTIONS[action],
                    post if has_post else b"",
                    author,
                    created,
                    None if np.isnan(until) else until,
                    tuple(islice(codes, n_codes)),
                )
                for action, has_post, post, author, created, until, n_codes in columns
            ]
        )
        check(int(lengths.sum()) == len(actions), "the controls do not belong to the users")
        controls = cls()
        for user, seq, length in zip(rows.tolist(), seqs.tolist(), lengths.tolist(), strict=True):
            controls.replace(user, seq, tuple(islice(entries, length)))
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
