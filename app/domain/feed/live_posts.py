"""Which posts memory holds: the newest, the strongest and the recently engaged ones. Storage holds the others."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.time_units import DAY


@dataclass(frozen=True, slots=True)
class LivePostLimits:
    """A post is live if one of these holds.

    newest        it is one of so many newest posts
    strongest     it is one of so many posts with the largest decayed engagement at one of the half-lives
    engaged_days  its last event happened within this time before the last event of the feed
    """

    newest: int = 1_000_000
    strongest: int = 20_000
    engaged_days: float = 90.0


DEFAULT_LIMITS: Final = LivePostLimits()


def live_posts(
    limits: LivePostLimits,
    created: NDArray[np.float64],
    seq: NDArray[np.int64],
    last_engaged: NDArray[np.float64],
    log2_counts: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """(n,) true for the live ones of n posts. It is a function of the log: neither order nor rows of posts matter.

    created       (n,) seconds
    seq           (n,) distinct numbers; of equal posts, the one with the larger number is newer or stronger
    last_engaged  (n,) time of the last event in seconds, -inf before the first
    log2_counts   (n_half_lives, n) as in DecayedCounters; -inf before the first event
    """
    is_live = largest(created, seq, limits.newest)
    for of_half_life in log2_counts:
        is_live |= largest(of_half_life, seq, limits.strongest) & (of_half_life > -np.inf)
    since = last_engaged.max(initial=-np.inf) - limits.engaged_days * DAY
    is_live |= (last_engaged >= since) & (last_engaged > -np.inf)
    return is_live


def largest(values: NDArray[Any], seq: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """(n,) true for the `count` largest `values` (n,), or for all of fewer; of equal values the larger `seq` first."""
    if len(values) <= count:
        return np.ones(len(values), np.bool_)
    if not count:
        return np.zeros(len(values), np.bool_)
    cut = np.partition(values, -count)[-count]
    among: NDArray[np.bool_] = values > cut
    equal = np.flatnonzero(values == cut)
    newest_first = equal[np.argsort(-seq[equal], kind="stable")]
    among[newest_first[: count - np.count_nonzero(among)]] = True
    return among
