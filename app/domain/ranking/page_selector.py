"""Selects a page from a ranked list: one post of a thread, few of an author, some with little engagement."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.post_groups import NO_GROUP, PostGroups
from app.domain.feed.ragged import cumulative_count
from app.domain.feed.row_set import RowSet
from app.domain.feed.time_units import HOUR
from app.domain.services.ranking_context import RankingContext
from app.domain.services.selector import Selection

LOOK_AHEAD_PAGES: Final = 4
"""A page is made of the first posts of the list, this number of pages."""
_UNDEREXPOSED = 3  # engagements; a post with fewer can be drawn for exploration
_GOLDEN = (
    0x9E3779B97F4A7C15  # 2 ** 64 / golden ratio: spreads consecutive numbers evenly (Knuth, TAOCP 3, 6.4)
)
_NO_ROWS = np.empty(0, np.intp)

Positions = NDArray[np.intp]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PageSelector:
    """Makes a page in five steps: one post of each thread, spacing of authors, number of slots, draw, interleaving.

    repeat_factor, repeat_floor  see `spaced_values`: for authors, and for threads that earlier pages showed
    exploration                  share of the places of a page for posts with little engagement, see `slot_count`
    """

    repeat_factor: float = 0.5
    repeat_floor: float = 0.25
    exploration: float = 0.04

    def __call__(
        self,
        context: RankingContext,
        rows: NDArray[np.intp],
        values: Values,
        size: int,
        earlier: NDArray[np.intp],
    ) -> Selection:
        """See `Selector`. Returns fewer posts if fewer threads are left."""
        state = context.state
        chosen = one_per_thread(state.groups, rows).nonzero()[0][: LOOK_AHEAD_PAGES * size]
        rows, spaced = rows[chosen], values[chosen]
        groups = (state.author, *state.groups.arrays) if len(earlier) else (state.author,)
        for group in groups:  # `rows` have one post of each thread, so only earlier pages repeat a thread
            spaced = spaced_values(spaced, group[rows], group[earlier], self.repeat_factor, self.repeat_floor)
        order = (-spaced).argsort(kind="stable")
        has_events = context.user >= 0 and state.events_by_user.length(context.user)
        seed = exploration_seed(state.user_key(context.user) if has_events else b"", context.now)
        slots = min(slot_count(self.exploration, size, seed / 2**64), max(len(rows) - size, 0))
        below = order[size - slots :] if slots else order[:0]
        drawn = draw_underexposed(state.created[rows], state.engagements[rows], below, slots, seed)
        if len(drawn):
            order = order[~RowSet(drawn, len(rows)).contains(order)]
        kept = order[: size - len(drawn)]
        page = interleave(kept, spaced[kept], drawn)
        return Selection(chosen[page.positions], page.values, page.explored)


def one_per_thread(
    groups: PostGroups, rows: NDArray[np.intp], page: NDArray[np.intp] = _NO_ROWS
) -> NDArray[np.bool_]:
    """(n,) true for the first of the posts `rows` of each thread, and of each original with its reposts.

    Posts of a thread, or reposts of an original, that the posts `page` contain are false.
    """
    keep = np.ones(len(rows), np.bool_)
    for group in groups.arrays:
        grouped = (keep & (group[rows] != NO_GROUP)).nonzero()[0]
        if len(grouped):
            codes = group[rows[grouped]]
            repeats = cumulative_count(codes) > 0
            if len(page):
                repeats |= np.isin(codes, group[page])
            keep[grouped[repeats]] = False
    return keep


def spaced_values(
    values: Values,
    groups: NDArray[np.integer],
    earlier_groups: NDArray[np.integer],
    repeat_factor: float,
    repeat_floor: float,
) -> Values:
    """Scores times max(repeat_factor ** (n - 1), repeat_floor) for the n-th post of a group; group -1 never repeats.

    `values` (n,) are sorted, best first; `groups` (n,) are authors (user rows), threads or originals; `earlier_groups`
    are those of the posts on earlier pages of the list, which count as well.
    """
    if (groups < 0).all():
        return values
    repeats = cumulative_count(np.concatenate([earlier_groups, groups]))[len(earlier_groups) :]
    repeats[groups < 0] = 0
    spaced: Values = values * np.maximum(repeat_factor**repeats, repeat_floor)
    return spaced


def exploration_seed(user_key: bytes, now: float) -> int:
    """A 64-bit hash of the user (UUID bytes; none without events) and the hour of `now`, in seconds.

    Not of a row: rows of users and posts differ between processes, which would then show other posts.
    """
    return (int.from_bytes(user_key[-8:]) * 2_654_435_761 + int(now // HOUR)) * _GOLDEN % 2**64


def slot_count(share: float, size: int, uniform: float) -> int:
    """The number of exploration slots on a page of `size` posts, at most half of them.

    share x size, rounded up with the probability of its fraction: `uniform` is a random number in [0, 1).
    """
    return min(int(share * size + uniform), size // 2)


def draw_underexposed(
    created: NDArray[np.float64],
    engagements: NDArray[np.integer],
    below: Positions,
    slots: int,
    seed: int,
) -> Positions:
    """Draw `slots` of the positions `below` among posts with fewer than 3 engagements, in random order of a hash.

    `created` (seconds) and `engagements` (n,) are of the list that `below` points into. Fewer if there are not enough.
    """
    underexposed = below[engagements[below] < _UNDEREXPOSED]
    draw = (created[underexposed].view(np.uint64) + np.uint64(seed)) * np.uint64(_GOLDEN)
    return underexposed[np.argsort(draw, kind="stable")[:slots]]


def interleave(kept: Positions, values: Values, drawn: Positions) -> Selection:
    """The page of the positions `kept`, with `drawn` spread evenly over its second half, the last one at the end.

    `values` (len(kept),) never rise. A drawn post gets the score of the post before it.
    """
    is_drawn = np.zeros(len(kept) + len(drawn), np.bool_)
    if not len(drawn):
        return Selection(kept, values, is_drawn)
    gap = len(is_drawn) // (2 * len(drawn))
    kept_before = len(kept) - np.arange(len(drawn))[::-1] * gap
    is_drawn[kept_before + np.arange(len(drawn))] = True
    positions, scores = np.empty(len(is_drawn), np.intp), np.empty(len(is_drawn))
    positions[is_drawn], positions[~is_drawn] = drawn, kept
    scores[is_drawn], scores[~is_drawn] = values[kept_before - 1], values
    return Selection(positions, scores, is_drawn)
