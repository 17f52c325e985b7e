"""How far a list has come with a page: the state of the cursor that continues it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.cursor import CursorState, pack_set
from app.application.dto.recommendation_request import Mode
from app.domain.feed.state import FeedState
from app.domain.feed.time_position import TimePosition
from app.domain.repositories.stored_posts import StoredPost

MAX_SHOWN_BYTES: Final = 1024
"""Of the packed set of shown posts, with which a list may still show any other post. Further pages are listed by time.
A web application needs the rest of its 4 KiB for a set of its own."""
_MAX_CURSOR_SET_BYTES: Final = 2900
"""A cursor with such a set has at most 4 KiB."""
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ListProgress:
    """The posts that a list has shown, with those in memory of a page.

    position  the list by time was continued after it; None if any post could be shown
    start     the position that all posts by time of this list are after
    last      the last post in memory that is listed by time; None if there is none
    shown     (n,) int64 numbers of the posts, ascending, without repeats
    variant_ids  as in CursorState
    known     numbers and creation times (seconds) of those in memory, in equal order
    """

    user_id: UUID
    mode: Mode
    now: datetime
    started_at: datetime
    position: TimePosition | None
    start: TimePosition
    last: TimePosition | None
    shown: NDArray[np.int64]
    known: tuple[NDArray[np.int64], NDArray[np.float64]]
    variant_ids: bytes = b""

    def cursor_state(
        self, stored: Sequence[StoredPost] = (), reached: TimePosition | None = None
    ) -> CursorState:
        """The state after a page with these posts from storage.

        With `reached`, storage was read up to this position, and no post before it is left to show.
        """
        shown = np.union1d(self.shown, np.array([post.position.seq for post in stored], np.int64))
        position = None
        is_by_time = self.mode != "ranked" and len(stored) > 0  # storage is not read again from the start
        if self.position is not None or reached is not None or is_by_time:
            position = reached or self._last(stored)
        elif (size := len(pack_set(shown))) > MAX_SHOWN_BYTES:
            position = self.start if size <= _MAX_CURSOR_SET_BYTES else self._last(stored)
        if position is not None:
            stored_before = [post.position.seq for post in stored if post.position >= position]
            shown = np.setdiff1d(shown, np.concatenate([self._known_before(position), stored_before]))
        return CursorState(
            self.user_id,
            self.mode,
            self.now,
            self.started_at,
            shown.astype(np.int64),
            position,
            self.variant_ids,
        )

    def _last(self, stored: Sequence[StoredPost]) -> TimePosition:
        """The position of the last post that is listed by time, else that of the list before."""
        return min([post.position for post in stored], default=self.last or self.start)

    def _known_before(self, position: TimePosition) -> NDArray[np.int64]:
        """Numbers of the shown posts in memory that are not after a position."""
        seq, created = self.known
        is_before = created > position.created
        is_before |= (created == position.created) & (seq >= position.seq)
        numbers: NDArray[np.int64] = seq[is_before]
        return numbers


def last_by_time(state: FeedState, rows: NDArray[np.intp]) -> TimePosition | None:
    """The last of the positions of posts; None without posts."""
    if not len(rows):
        return None
    last = rows[np.lexsort((state.seq[rows], state.created[rows]))[0]]
    return TimePosition.of(state.created.item(last), state.seq.item(last))
