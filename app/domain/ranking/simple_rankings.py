"""The names of the rankings that need no learned model. Training publishes the best one of a feed."""

from collections.abc import Mapping
from typing import Final

from app.domain.feed.time_units import DAY, HOUR

FORMULA: Final = "formula"
NEWEST: Final = "newest"
TRENDING_HALF_LIVES: Final[Mapping[str, float | None]] = {
    "trending_1h": HOUR,
    "trending_6h": 6 * HOUR,
    "trending_1d": DAY,
    "trending_3d": 3 * DAY,
    "trending_7d": 7 * DAY,
    "popular": None,
}
"""Name of a ranking by engagement -> its half-life in seconds, None without decay."""
SIMPLE_RANKINGS: Final = (FORMULA, *TRENDING_HALF_LIVES, NEWEST)
"""In order of preference for a feed without any evidence: the formula is the default."""
LEARNED: Final = "learned"
