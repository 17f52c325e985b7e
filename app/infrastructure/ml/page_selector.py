"""Makes a page of a ranked list: not one author's, and with a little room for what few have seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.ragged import occurrence
from app.domain.services.ranking_context import RankingContext
from app.domain.services.selector import Selection

_LOOK_AHEAD = 10  # pages: what stands deeper does not come up, however long one author's run is
_SEEN_BY_FEW = 3  # engagements
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
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
        author = context.state.author[near].astype(np.intp)
        repeat = np.where(author >= 0, occurrence(author), 0)
        spaced = near_values * np.maximum(self.repeat_factor**repeat, self.repeat_floor)
        order = np.argsort(-spaced, kind="stable")
        slots = min(int(self.exploration * size), max(len(near) - size, 0))
        explored = self._explored(context, near, order[size - slots :], slots)
        positions = order[: size - len(explored)]
        page_values = spaced[positions]
        if not len(explored):
            return Selection(positions, page_values, np.zeros(len(positions), np.bool_))
        places = len(positions) - np.arange(len(explored))[::-1] * (size // (2 * len(explored)))
        positions = np.insert(positions, places, explored)
        page_values = np.insert(page_values, places, page_values[places - 1])
        return Selection(positions, page_values, np.isin(positions, explored))

    @staticmethod
    def _explored(
        context: RankingContext, rows: NDArray[np.intp], below: NDArray[np.intp], count: int
    ) -> NDArray[np.intp]:
        """`count` of the positions `below` the page, drawn by a hash among those that few have engaged with."""
        if count <= 0:
            return below[:0]
        few = below[context.state.engagements[rows[below]] < _SEEN_BY_FEW]
        salt = np.uint64((context.user + 2) * 2_654_435_761 + int(context.now // _HOUR))
        with np.errstate(over="ignore"):
            draw = (rows[few].astype(np.uint64) + salt) * np.uint64(0x9E3779B97F4A7C15)
        return few[np.argsort(draw, kind="stable")[:count]]
