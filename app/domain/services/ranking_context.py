"""One ranking question: this user, this feed, this moment, and what its pieces have found out together."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.row_set import RowSet
from app.domain.feed.state import FeedState
from app.domain.feed.visibility import Viewer

T = TypeVar("T")
_RECENT_EVENTS = 256
_NONE = np.empty(0, np.intp)


class RankingContext:
    """The input of sources, filters and scorers for one request."""

    def __init__(
        self,
        state: FeedState,
        user: int,
        now: float,
        excluded: NDArray[np.integer[Any]] = _NONE,
        *,
        sinks_shown: bool = True,
        shown_before: float = np.inf,
        public_only: bool = False,
    ) -> None:
        """`user` is a row of `state`, or -1 for an unknown user; `now` is in seconds since the Unix epoch.

        `excluded` are rows of posts that must not be returned: seen posts, excluded posts and posts of earlier pages.
        The posts that the user's controls hide are added to them. `sinks_shown`: posts that were shown without any
        engagement rank lower; pages at or after `shown_before` (seconds) do not count. `public_only`: posts for
        followers or members are visible to nobody.
        """
        self.state = state
        self.user = user
        self.now = now
        self.sinks_shown = sinks_shown
        self.shown_before = shown_before
        self.public_only = public_only
        self.controls = state.controls.active(user, now, state.post_rows)
        self.excluded = excluded
        if len(self.controls.posts) or len(self.controls.authors):
            authors = self.controls.authors
            _, (by_author,) = state.posts_by_author.gather(authors, state.n_posts)
            self.excluded = np.concatenate([excluded, self.controls.posts, by_author])
        self.interests = state.interests.of(user)
        self._found: dict[object, Any] = {}

    @cached_property
    def history_user(self) -> int:
        """The row of the user whose own events rank; -1 for an unknown user, and for one who does not want that."""
        return self.user if self.user >= 0 and self.state.visibility.is_personalised(self.user) else -1

    @cached_property
    def recent_events(self) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.uint8]]:
        """The user's newest events, oldest first: post rows, times, kinds."""
        if self.history_user < 0:
            return np.empty(0, np.int32), np.empty(0), np.empty(0, np.uint8)
        newest = min(_RECENT_EVENTS, self.state.limits.events_per_user)
        posts, times, kinds, *_ = self.state.events_by_user.row(self.history_user, newest)
        return posts, times, kinds

    @cached_property
    def event_count(self) -> int:
        """All events of the user that rank."""
        return 0 if self.history_user < 0 else self.state.event_count(self.history_user)

    @cached_property
    def followed(self) -> NDArray[np.intp]:
        """Rows of the users whom the user follows; empty for an unknown user."""
        return _NONE if self.user < 0 else self.state.follows.row(self.user)[0].astype(np.intp)

    def by_followed(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """(n,) true for the posts of authors whom the user follows."""
        return self._followed_set.contains(self.state.author[rows])

    def excluded_as_neighbours(self, users: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """(n,) true for the user of the request, and for users who block them or whom they block."""
        excluded: NDArray[np.bool_] = users == self.user
        for blocked in self.controls.blocked.tolist():
            excluded |= users == blocked
        return excluded

    def visible(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Whether the user may see each of `rows`, in the shape of `rows` (see FeedVisibility)."""
        return self.state.visibility.visible_to(self._viewer, rows, self.state.author[rows])

    def not_excluded(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Whether each of `rows` is not excluded, in the shape of `rows`."""
        return ~self._excluded_set.contains(rows)

    def allowed(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Whether each of `rows` is visible to the user and not excluded, in the shape of `rows`."""
        if not self.state.visibility.restricts:
            return self.not_excluded(rows)
        return self.not_excluded(rows) & self.visible(rows)

    def look_ahead(self, limit: int) -> int:
        """How many posts a source considers in order to find `limit` allowed ones."""
        return (4 * limit if self.state.visibility.restricts else limit) + len(self.excluded)

    @cached_property
    def _viewer(self) -> Viewer:
        return Viewer(self.user, self._followed_set, self.public_only)

    @cached_property
    def _followed_set(self) -> RowSet:
        return RowSet(self.followed, self.state.n_users)

    @cached_property
    def _excluded_set(self) -> RowSet:
        return RowSet(self.excluded, self.state.n_posts)

    def memoise(self, key: object, compute: Callable[[], T]) -> T:
        """`compute()`, at most once per question: for what several pieces need."""
        if key not in self._found:
            self._found[key] = compute()
        return cast(T, self._found[key])
