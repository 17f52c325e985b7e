"""Pages that are drawn at random, so that other rankings can be evaluated on them."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from app.domain.ranking.pipeline import Page
from app.domain.ranking.plackett_luce import draw_order, log_worths, place_probabilities


@dataclass(frozen=True, slots=True, eq=False)
class RandomisedPages:
    """Draws the first page of a share of the lists from the posts of their first two pages.

    temperature  see `plackett_luce`
    rng          is used under the lock of the feed
    """

    share: float
    temperature: float
    rng: np.random.Generator

    def of_next_list(self) -> Self | None:
        """What draws the first page of the next list; None if it is not random."""
        return self if self.rng.random() < self.share else None

    def draw(self, pages: Page, size: int) -> Page:
        """`size` posts of the first two pages of a list in random order. The scores stay with the places."""
        worths = log_worths(pages.values, self.temperature)
        order = draw_order(worths, self.rng)
        probabilities = place_probabilities(worths[order])
        return pages.reordered(order, probabilities).places(0, size)
