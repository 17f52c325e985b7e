"""The population of a synthetic feed: users with interests, their posts, and who follows whom.

All distributions are heavy-tailed: a few users act, post and are followed far more than the rest. Times are int64
milliseconds since the Unix epoch, UTC.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import FollowColumns

MS_PER_HOUR: Final = 3_600_000
MS_PER_DAY: Final = 24 * MS_PER_HOUR
COMMUNITY_SHARES: Final = (0.7, 0.2, 0.1)
"""Shares of a user's interest in the first, second and third of their communities."""
# Relative activity in each hour of the local day: low before dawn, with peaks at noon and in the evening.
_HOURLY_ACTIVITY: Final = np.array(
    [30, 18, 10, 7, 6, 8, 18, 40, 60, 66, 68, 74, 84, 76, 66, 64, 66, 72, 80, 92, 100, 96, 78, 52],
    dtype=np.float64,
)
_ZONE_HOURS: Final = np.array([[-5, 0], [1, 1], [1, -3], [1, 1]])  # two offsets from UTC for each region
GERMAN: Final = 1
"""The region of the German communities."""
Quality = Literal["flat", "heavy", "zipf"]


@dataclass(frozen=True, slots=True)
class Span:
    """The time a feed covers, [start, until)."""

    start: int
    until: int

    def draw_times(self, rng: np.random.Generator, zone_hours: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) times by the hourly activity of the local day, for (n,) offsets from UTC in hours."""
        n = len(zone_hours)
        local = (draw(rng, _HOURLY_ACTIVITY, n) - zone_hours) * MS_PER_HOUR + rng.integers(0, MS_PER_HOUR, n)
        days = max(1, -(-(self.until - self.start) // MS_PER_DAY))
        time = self.start - self.start % MS_PER_DAY + rng.integers(0, days, n) * MS_PER_DAY + local
        return self.start + (time - self.start) % (self.until - self.start)


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """(n,) users. `communities` (n, 3) are those that a user is interested in, the strongest interest first."""

    communities: NDArray[np.int64]
    activity: NDArray[np.float64]
    authorship: NDArray[np.float64]
    zone_hours: NDArray[np.int64]
    joined: NDArray[np.int64]
    subject_of: NDArray[np.int64]  # (n_communities,) a permutation; the number of what a community is about
    region_of: NDArray[np.int64]  # (n_communities,) row of the time zones of its members


@dataclass(frozen=True, slots=True, eq=False)
class Posts:
    """(n,) posts, oldest first; `quality` is the relative frequency with which a post is chosen from a list."""

    author: NDArray[np.int64]
    community: NDArray[np.int64]
    created: NDArray[np.int64]
    quality: NDArray[np.float64]


def draw(rng: np.random.Generator, weight: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """`n` rows drawn by weight, with replacement."""
    return rng.choice(len(weight), n, p=weight / weight.sum())


def _zipf(rng: np.random.Generator, n: int, exponent: float, flat: float) -> NDArray[np.float64]:
    """Weights (rank + flat)^-exponent in random order."""
    weights: NDArray[np.float64] = np.power(rng.permutation(n) + flat, -exponent)
    return weights


def make_people(rng: np.random.Generator, n: int, n_posts: int, span: Span) -> People:
    """Users in communities of about 40; a quarter of the users joins during the span."""
    n_communities = int(np.clip(min(n // 40, n_posts // 15), 4, 240))
    size = np.power(np.arange(n_communities) + 3.0, -0.6).astype(np.float64)
    region = rng.choice(len(_ZONE_HOURS), n_communities, p=[0.55, 0.15, 0.15, 0.15])
    communities = draw(rng, size, 3 * n).reshape(n, 3)
    zone = _ZONE_HOURS[region[communities[:, 0]], rng.integers(0, 2, n)]
    before = span.start - rng.integers(MS_PER_DAY, 700 * MS_PER_DAY, n)
    during = span.start + (rng.random(n) * 0.95 * (span.until - span.start)).astype(np.int64)
    authors = rng.random(n) < 0.35
    return People(
        communities=communities,
        activity=_zipf(rng, n, 0.9, 2 + n / 50),
        authorship=_zipf(rng, n, 0.9, 3.0) * np.where(authors, 1.0, 1e-3),
        zone_hours=zone,
        joined=np.where(rng.random(n) < 0.75, before, during),
        subject_of=rng.permutation(n_communities),
        region_of=region,
    )


def make_posts(
    rng: np.random.Generator, n: int, people: People, span: Span, quality: Quality, within: float
) -> Posts:
    """Posts in the first part of the span (`within` is its share), mostly for the first community of their authors.

    No user posts before they joined.
    """
    author = draw(rng, people.authorship, n)
    created = np.sort(span.draw_times(rng, people.zone_hours[author]))
    created = span.start + np.floor((created - span.start) * within).astype(np.int64)
    late = people.joined[author] > created
    early_authors = np.where(people.joined <= span.start, people.authorship, 0.0)
    if early_authors.any():
        author[late] = draw(rng, early_authors, int(late.sum()))
    else:
        np.minimum.at(people.joined, author, created)
    rank = (rng.random(n) < 0.15).astype(np.int64)
    weights = {
        "flat": np.ones(n),
        "heavy": (1 - rng.random(n)) ** (-1 / 1.4),
        "zipf": _zipf(rng, n, 1.1, 1.0),
    }
    return Posts(author, people.communities[author, rank], created, weights[quality])


def make_follows(rng: np.random.Generator, people: People, posts: Posts, span: Span) -> FollowColumns:
    """Each user follows a few authors; two thirds of these are of the user's first community.

    The edges are sorted by follower; no edge occurs twice, and no user follows themselves.
    """
    n = len(people.activity)
    popularity = np.bincount(posts.author, minlength=n).astype(np.float64) + 1e-4
    wanted = np.minimum(2 + np.floor(4 * (1 - rng.random(n)) ** (-1 / 1.5)), min(200, n)).astype(np.int64)
    follower = np.repeat(np.arange(n), wanted)
    followee = draw(rng, popularity, len(follower))
    # The same draw within one community: its part of the cumulative sum over the authors, sorted by community.
    order = np.argsort(people.communities[:, 0], kind="stable")
    edge = np.concatenate([[0.0], np.cumsum(popularity[order])])
    first = np.searchsorted(people.communities[order, 0], np.arange(people.communities.max() + 2))
    home = people.communities[follower, 0]
    low, high = edge[first[home]], edge[first[home + 1]]
    near = order[
        np.searchsorted(edge, low + rng.random(len(home)) * (high - low), side="right").clip(1, n) - 1
    ]
    followee = np.where(rng.random(len(home)) < 0.67, near, followee)
    pair = np.unique((follower * n + followee)[follower != followee])
    follower, followee = pair // n, pair % n
    earliest = np.maximum(people.joined[follower], people.joined[followee])
    earliest = np.maximum(earliest, span.start - 60 * MS_PER_DAY)
    since = earliest + (rng.random(len(pair)) ** 2 * (span.until - earliest)).astype(np.int64)
    return FollowColumns(follower.astype(np.int32), followee.astype(np.int32), since * 1000)


def skip_draws_of_words(rng: np.random.Generator, people: People, posts: Posts) -> None:
    """Advance `rng` past the draws of an earlier way to write texts, so that the events of a seed stay the same."""
    rng.random(len(people.activity))
    rng.integers(0, 16, (len(people.subject_of), 6, 3))
    words = np.clip(rng.lognormal(2.4, 0.6, len(posts.author)), 3, 80).astype(np.int64)
    rng.random(2 * int(words.sum()) + len(posts.author))
