"""Makes a page of a ranked list: not one author's, and with a little room for what few have seen."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.ragged import cumulative_count
from app.domain.services.ranking_context import RankingContext
from app.domain.services.selector import Selection

_LOOK_AHEAD = 4  # pages: what stands deeper does not come up, however long one author's run is
_SEEN_BY_FEW = 3  # engagements
_HOUR = 3600.0
_GOLDEN = (
    0x9E3779B97F4A7C15  # 2 ** 64 over the golden ratio: multiples of it lie evenly (Knuth, TAOCP 3, 6.4)
)


@dataclass(frozen=True)
class PageSelector:
    """Spacing and exploration.

    The score of an author's n-th post on a page is multiplied by max(`repeat_factor` ** (n - 1), `repeat_floor`).
    `exploration` is the share of a page's places given to posts of few engagements that would not make the page; which
    ones changes by user and hour, and they stand in the page's second half, evenly apart, with the score of the post
    before them.
    """

    repeat_factor: float = 0.5
    repeat_floor: float = 0.25
    exploration: float = 0.04

    def __call__(
        self, context: RankingContext, rows: NDArray[np.intp], values: NDArray[np.float64], size: int
    ) -> Selection:
        """See `Selector`."""
        near, near_values = rows[: _LOOK_AHEAD * size], values[: _LOOK_AHEAD * size]
        author = context.state.author[near]
        repeat = np.minimum(cumulative_count(author), len(self._factors) - 1)
        repeat[author < 0] = 0
        spaced = near_values * self._factors[repeat]
        order = (-spaced).argsort(kind="stable")
        salt = ((context.user + 2) * 2_654_435_761 + int(context.now // _HOUR)) * _GOLDEN % 2**64
        # a page too short for a whole place has one now and then, so that the share holds
        slots = int(self.exploration * size + salt / 2**64)
        slots = min(slots, size // 2, max(len(near) - size, 0))
        explored = self._explored(context, near, order[size - slots :], slots, salt)
        if len(explored):
            drawn = np.zeros(len(near), np.bool_)
            drawn[explored] = True
            order = order[~drawn[order]]
        positions = order[: size - len(explored)]
        page_values = spaced[positions]
        if not len(explored):
            return Selection(positions, page_values, np.zeros(len(positions), np.bool_))
        count = len(explored)
        places = len(positions) - np.arange(count)[::-1] * (size // (2 * count))
        is_new = np.zeros(len(positions) + count, np.bool_)
        is_new[places + np.arange(count)] = True
        mixed, mixed_values = np.empty(len(is_new), np.intp), np.empty(len(is_new))
        mixed[is_new], mixed_values[is_new] = explored, page_values[places - 1]
        mixed[~is_new], mixed_values[~is_new] = positions, page_values
        return Selection(mixed, mixed_values, is_new)

    @cached_property
    def _factors(self) -> NDArray[np.float64]:
        """What an author's n-th post on a page is multiplied by; the last one stands for all further ones."""
        factors: NDArray[np.float64] = np.maximum(self.repeat_factor ** np.arange(64), self.repeat_floor)
        return factors

    @staticmethod
    def _explored(
        context: RankingContext,
        rows: NDArray[np.intp],
        below: NDArray[np.intp],
        count: int,
        salt: int,
    ) -> NDArray[np.intp]:
        """`count` of the positions `below` the page, drawn by a hash among those that few have engaged with."""
        if count <= 0:
            return below[:0]
        few = below[context.state.engagements[rows[below]] < _SEEN_BY_FEW]
        draw = (rows[few].astype(np.uint64) + np.uint64(salt)) * np.uint64(_GOLDEN)
        return few[np.argsort(draw, kind="stable")[:count]]
