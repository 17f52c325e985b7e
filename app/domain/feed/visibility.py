"""Who may see which post: visibility, audiences, languages and sensitive posts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.post import VISIBILITIES
from app.domain.entities.user import User
from app.domain.feed.array_tree import (
    ArrayTree,
    array_of,
    check,
    check_range,
    group_of,
    known_texts_from_arrays,
    text_arrays,
)
from app.domain.feed.post_settings import PostSettings
from app.domain.feed.ragged import grow
from app.domain.feed.row_set import RowSet

PUBLIC, FOLLOWERS, MEMBERS, NOBODY = range(len(VISIBILITIES) + 1)
"""Codes of visibility: positions in VISIBILITIES; NOBODY for any other value, and for MEMBERS without an audience."""
NO_ID: Final = -1

Rows = NDArray[np.integer[Any]]
_NONE = np.empty(0, np.int32)
# arrays by post, and the value of a new post
_POST_ARRAYS: Final = {
    "visibility": PUBLIC,
    "audience": NO_ID,
    "language": NO_ID,
    "sensitive": False,
}


@dataclass(frozen=True, slots=True, eq=False)
class Viewer:
    """The user of a request.

    user         row, -1 for an unknown user
    followed     the users whom they follow
    public_only  they get public posts only, because the other rules are unknown or outdated
    """

    user: int
    followed: RowSet
    public_only: bool = False


class FeedVisibility:
    """Arrays by post row, and the settings of users by user row. Codes of texts are positions of first use.

    visibility   PUBLIC, FOLLOWERS, MEMBERS or NOBODY
    audience     code of the audience, NO_ID for none; so is `language`
    restricts    False while everybody may see every post: nothing needs to be looked up
    """

    def __init__(self) -> None:
        self.visibility = np.zeros(0, np.uint8)
        self.audience = np.zeros(0, np.int32)
        self.language = np.zeros(0, np.int32)
        self.sensitive = np.zeros(0, np.bool_)
        self._for_everybody = np.ones(0, np.bool_)  # by post: public and not sensitive
        self.discoverable = np.ones(1, np.bool_)  # by user; the last one is read for unknown authors, -1
        self.not_personalised: set[int] = set()
        self.show_sensitive: set[int] = set()
        self.languages: dict[int, NDArray[np.int32]] = {}  # only of users who chose some
        self.audiences: dict[int, NDArray[np.int32]] = {}
        self.changes: Counter[int] = Counter()  # user row -> how often the user's settings changed
        self.restricts = False
        self._audience_codes: dict[str, int] = {}
        self._language_codes: dict[str, int] = {}

    def ensure_rows(self, users: int, posts: int) -> None:
        """Make user rows and post rows addressable; new ones have the defaults."""
        self.discoverable = grow(self.discoverable, users + 1, fill=True)
        self._for_everybody = grow(self._for_everybody, posts, fill=True)
        if posts > len(self.visibility):
            for name, default in _POST_ARRAYS.items():
                setattr(self, name, grow(getattr(self, name), posts, default))

    def set_posts(self, rows: Rows, settings: PostSettings) -> None:
        """Set the settings of the posts `rows`."""
        codes = [
            _visibility_code(*pair) for pair in zip(settings.visibility, settings.audience_id, strict=True)
        ]
        self.visibility[rows] = codes
        self.audience[rows] = _codes(self._audience_codes, settings.audience_id)
        self.language[rows] = _codes(self._language_codes, map(_primary_subtag, settings.language))
        self.sensitive[rows] = settings.sensitive
        self._for_everybody[rows] = (self.visibility[rows] == PUBLIC) & ~self.sensitive[rows]
        self.restricts = self.restricts or bool(
            (self.language[rows] != NO_ID).any() or not self._for_everybody[rows].all()
        )

    def clear_posts(self, rows: Rows) -> None:
        """Give the posts `rows` the values of new ones."""
        for name, default in _POST_ARRAYS.items():
            getattr(self, name)[rows] = default

    def set_user(self, row: int, user: User) -> None:
        """Set the settings and audiences of the user with this row."""
        self.discoverable[row] = user.discoverable
        self.restricts = self.restricts or not user.discoverable
        _put(self.not_personalised, row, not user.personalised)
        _put(self.show_sensitive, row, user.show_sensitive)
        languages = _codes(self._language_codes, filter(None, map(_primary_subtag, user.languages)))
        _put_array(self.languages, row, languages)
        self.set_audiences(row, user.audiences)

    def set_audiences(self, row: int, audiences: Iterable[str]) -> None:
        """Make these the audiences of the user with this row."""
        _put_array(self.audiences, row, _codes(self._audience_codes, audiences))
        self.changes[row] += 1

    def visible_to(self, viewer: Viewer, rows: Rows, authors: Rows) -> NDArray[np.bool_]:
        """Whether the viewer may see each of the posts `rows`, in the shape of `rows`; `authors` are their user rows.

        Authors may see their own posts.
        """
        if not self.restricts:
            return np.ones(rows.shape, np.bool_)
        allowed = self._for_everybody.take(rows) & self.discoverable.take(authors)
        others = (~allowed).nonzero()  # few, and only these need all rules
        if len(others[0]):
            allowed[others] = self._other_posts_visible_to(viewer, rows[others], authors[others])
        if viewer.user in self.languages:
            allowed &= self._in_languages_of(viewer.user, rows) | (authors == viewer.user)
        return allowed

    def _other_posts_visible_to(self, viewer: Viewer, rows: Rows, authors: Rows) -> NDArray[np.bool_]:
        visibility = self.visibility[rows]
        follows = viewer.followed.contains(authors)
        allowed: NDArray[np.bool_] = visibility == PUBLIC
        if not viewer.public_only:
            allowed |= (visibility == FOLLOWERS) & follows
            if viewer.user in self.audiences:
                audiences = RowSet(self.audiences[viewer.user], len(self._audience_codes))
                allowed |= (visibility == MEMBERS) & audiences.contains(self.audience[rows])
        allowed &= follows | self.discoverable[authors]
        if viewer.user not in self.show_sensitive:
            allowed &= ~self.sensitive[rows]
        if viewer.user >= 0:
            allowed |= authors == viewer.user
        return allowed

    def _in_languages_of(self, user: int, rows: Rows) -> NDArray[np.bool_]:
        accepted = np.zeros(len(self._language_codes) + 1, np.bool_)
        accepted[self.languages[user]] = accepted[NO_ID] = True
        return accepted.take(self.language.take(rows))

    def is_personalised(self, user: int) -> bool:
        """False for a user row whose own events must not rank the user's feed."""
        return user not in self.not_personalised

    def languages_of(self, user: int) -> list[str]:
        """The languages that a user row reads, without regions; empty for all."""
        codes = set(self.languages.get(user, _NONE).tolist())
        return sorted(name for name, code in self._language_codes.items() if code in codes)

    # -- snapshot ------------------------------------------------------------------------------------------------

    def array_tree(self, users: int, posts: int) -> ArrayTree:
        """Arrays of the first `users` and `posts` rows, and the codes (see `from_tree`)."""
        ragged: dict[str, ArrayTree] = {}
        for name in ("languages", "audiences"):
            of_users: dict[int, NDArray[np.int32]] = getattr(self, name)
            ragged[name] = {
                "user": np.array(list(of_users), np.int64),
                "length": np.array([len(codes) for codes in of_users.values()], np.int64),
                "code": np.concatenate([_NONE, *of_users.values()]),
            }
        return {
            "posts": {name: getattr(self, name)[:posts] for name in _POST_ARRAYS},
            "discoverable": self.discoverable[:users],
            "not_personalised": np.array(sorted(self.not_personalised), np.int64),
            "show_sensitive": np.array(sorted(self.show_sensitive), np.int64),
            **ragged,
            "restricts": np.array(self.restricts),
            "audience_codes": partial(text_arrays, list(self._audience_codes)),
            "language_codes": partial(text_arrays, list(self._language_codes)),
        }

    @classmethod
    def from_tree(cls, tree: ArrayTree, users: int, posts: int) -> "FeedVisibility":
        """The inverse of `array_tree`, for so many rows. Raises ValueError."""
        made = cls()
        of_posts = group_of(tree, "posts")
        for name in _POST_ARRAYS:
            array = array_of(of_posts, name, getattr(made, name).dtype)
            check(len(array) >= posts, f"{name}: values of posts are missing")
            setattr(made, name, array)
        check_range(made.visibility, PUBLIC, NOBODY + 1, "visibility")
        made._for_everybody = (made.visibility == PUBLIC) & ~made.sensitive
        discoverable = array_of(tree, "discoverable", np.bool_)
        check(len(discoverable) == users, "discoverable: values of users are missing")
        made.discoverable = grow(discoverable, users + 1, fill=True)
        for name in ("not_personalised", "show_sensitive"):
            rows = array_of(tree, name, np.int64)
            check_range(rows, 0, users, name)
            setattr(made, name, set(rows.tolist()))
        for name in ("audience", "language"):
            texts = known_texts_from_arrays(group_of(tree, f"{name}_codes"))
            setattr(made, f"_{name}_codes", {text: code for code, text in enumerate(texts)})
            check_range(getattr(made, name), NO_ID, len(texts), name)
            setattr(made, f"{name}s", _codes_by_user(group_of(tree, f"{name}s"), users, len(texts)))
        made.restricts = bool(array_of(tree, "restricts", np.bool_, 0))
        return made


def _codes_by_user(tree: ArrayTree, users: int, n_codes: int) -> dict[int, NDArray[np.int32]]:
    """The codes of each user row of one group in the tree of FeedVisibility. Raises ValueError."""
    rows, length = array_of(tree, "user", np.int64), array_of(tree, "length", np.int64)
    codes = array_of(tree, "code", np.int32)
    check(bool((length >= 0).all()) and int(length.sum()) == len(codes), "codes of users are missing")
    check_range(rows, 0, users, "users with codes")
    check_range(codes, 0, n_codes, "codes of users")
    parts = np.split(codes, length.cumsum()[:-1]) if len(rows) else []
    return dict(zip(rows.tolist(), parts, strict=True))


def _visibility_code(visibility: str, audience_id: str | None) -> int:
    if visibility not in VISIBILITIES or (visibility == "members" and audience_id is None):
        return NOBODY
    return VISIBILITIES.index(visibility)


def _primary_subtag(language: str | None) -> str | None:
    """The language without region and script, in lower case: "de" for "de-AT"."""
    return language.partition("-")[0].lower() or None if language else None


def _codes(codes: dict[Any, int], values: Iterable[Any]) -> NDArray[np.int32]:
    """The code of each value, NO_ID for None. A new value gets the next code."""
    return np.array(
        [NO_ID if value is None else codes.setdefault(value, len(codes)) for value in values], np.int32
    )


def _put(rows: set[int], row: int, is_member: bool) -> None:
    if is_member:
        rows.add(row)
    else:
        rows.discard(row)


def _put_array(by_row: dict[int, NDArray[np.int32]], row: int, codes: NDArray[np.int32]) -> None:
    if len(codes):
        by_row[row] = codes
    else:
        by_row.pop(row, None)
