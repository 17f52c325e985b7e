"""What the users of an experiment did: one value a user and metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

PAGES: Final = "page"
"""The metric that counts the pages of a user."""
POSTS: Final = "post"
"""The metric that counts the posts on a user's pages."""
DEGRADED_PAGES: Final = "degraded_page"
"""The metric that counts pages that lacked a part (model, database), or on which the variant failed."""
SLOW_PAGES: Final = "slow_page"
"""The metric that counts pages that took longer than SLOW_PAGE_MS."""
GUARDRAIL_BASES: Final[Mapping[str | None, str]] = {DEGRADED_PAGES: PAGES, SLOW_PAGES: PAGES, None: POSTS}
"""What a guardrail is divided by: pages, or posts for the actions of users (None)."""
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class UserCounts:
    """What users did in `window_days` from their first page on, in order of their first day.

    variants  (n,) names
    first     (n,) datetime64[D]: day of the first page in the experiment
    before    (n,) counts of the primary metric in as many days before; NaN for users without any earlier event
    counts    by metric (n,) counts in the window
    mixed     number of other users, who had more than one variant
    """

    window_days: int
    variants: NDArray[np.str_]
    first: NDArray[np.datetime64]
    before: Values
    counts: Mapping[str, Values]
    mixed: int


@dataclass(frozen=True, slots=True)
class DaySum:
    """Sum and sum of squares of what the users of a variant did on a day; users who did nothing add 0."""

    day: date
    variant: str
    total: int
    squares: int


@dataclass(frozen=True, slots=True)
class PlaceCount:
    """Posts that were shown at a place of pages (from 1) for a reason, and their events of the primary metric.

    reason  None if it is unknown
    """

    variant: str
    place: int
    reason: str | None
    shown: int
    events: int


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """What an experiment is read out from, at one time.

    counts, first_day  what its users did in the window of the experiment, and in its first day
    sums               of the primary metric
    places             of the newest pages
    """

    counts: UserCounts
    first_day: UserCounts
    sums: Sequence[DaySum]
    places: Sequence[PlaceCount]
