"""What people in a synthetic feed choose, by the law of its world.

A visit is (user, post, time). Its post is drawn from one list: of everybody's posts, of a community's, or of
a followed author's, either by quality alone or at an age that falls off exponentially with the life of a post.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from data.synthetic.population import TASTE_SHARES, Follows, People, Posts, Quality, Span, draw

_ROUNDS: Final = 16


@dataclass(frozen=True, slots=True)
class Scenario:
    """Shares of visits by where the post comes from, and whether age and quality matter."""

    fresh: float = 0.0  # anybody's new posts
    timeless: float = 0.0  # anybody's posts of any age
    taste: float = 0.0  # posts of the user's communities
    followed: float = 0.0  # posts of followed authors
    taste_ages: bool = True
    quality: Quality = "flat"
    posted_within: float = 1.0  # the part of the span in which posts appear, from its start
    replies: float = 0.0  # share of comments that the author answers under his own post

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """In the order of the channels below."""
        return self.fresh, self.timeless, self.taste, self.followed


SCENARIOS: Final = {
    "mixed": Scenario(fresh=0.2, timeless=0.05, taste=0.5, followed=0.25, quality="heavy", replies=0.12),
    "popularity": Scenario(
        timeless=1.0, quality="zipf", posted_within=0.1
    ),  # late posts would be favourites unknown
    "taste": Scenario(taste=1.0, taste_ages=False),
    "recency": Scenario(fresh=1.0),
    "follows": Scenario(followed=1.0),
}
FRESH, TIMELESS, TASTE, FOLLOWED = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Impressions:
    """(n,) first meetings of a user with a post, in random order."""

    user: NDArray[np.int64]
    post: NDArray[np.int64]
    time: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "Impressions":
        return Impressions(self.user[rows], self.post[rows], self.time[rows])


class _Lists:
    """Posts listed by everybody, community and author, each list by age, with quality summed along it."""

    def __init__(self, people: People, posts: Posts, span: Span) -> None:
        self._span = span
        self._width = 2 * (span.until - span.start)
        self.first_author = 1 + len(people.topic_of)
        row = np.arange(len(posts.author))
        of = np.concatenate([np.zeros_like(row), 1 + posts.community, self.first_author + posts.author])
        row = np.tile(row, 3)
        key = of * self._width + posts.created[row] - span.start
        order = np.argsort(key, kind="stable")
        self._key, self._post = key[order], row[order]
        self._sum = np.concatenate([[0.0], np.cumsum(posts.quality[self._post])])

    def before(self, of: NDArray[np.int64], time: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where a list stands at a time: the place after its last post created earlier."""
        offset = np.clip(time - self._span.start, 0, self._width - 1)
        return np.searchsorted(self._key, of * self._width + offset).astype(np.int64)

    def pick(
        self, rng: np.random.Generator, low: NDArray[np.int64], high: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """A post from each [low, high) by quality; -1 where that is empty."""
        at = self._sum[low] + rng.random(len(low)) * (self._sum[high] - self._sum[low])
        place = np.searchsorted(self._sum, at, side="right") - 1
        return np.where(
            high > low, self._post[np.clip(place, low, np.maximum(high - 1, low)) % len(self._post)], -1
        )


class BehaviourSimulator:
    """Draws visits; deterministic in its generator."""

    def __init__(
        self,
        rng: np.random.Generator,
        scenario: Scenario,
        people: People,
        posts: Posts,
        follows: Follows,
        span: Span,
        post_half_life: int,
    ) -> None:
        self._rng, self._scenario, self._span, self._post_half_life = rng, scenario, span, post_half_life
        self._people, self._posts, self._follows = people, posts, follows
        self._lists = _Lists(people, posts, span)
        self._first_follow = np.searchsorted(follows.follower, np.arange(len(people.activity) + 1))
        self._seen = np.empty(0, dtype=np.int64)

    def impressions(self, n: int) -> Impressions:
        """`n` more visits; nobody visits a post twice, or his own, as long as the feed is large enough."""
        found: list[Impressions] = []
        missing, rounds = n, 0
        while missing > 0 and rounds < _ROUNDS:
            fresh = self._unseen(self._draw(int(missing * 1.4) + 64))[:missing]
            self._seen = np.union1d(self._seen, fresh.user * len(self._posts.author) + fresh.post)
            found.append(fresh)
            missing -= len(fresh)
            rounds += 1
        if missing > 0:
            found.append(self._anything(missing))
        return Impressions(
            *(np.concatenate([getattr(one, name) for one in found]) for name in ("user", "post", "time"))
        )

    def _draw(self, n: int) -> Impressions:
        rng, people = self._rng, self._people
        user = draw(rng, people.activity, n)
        time = self._span.moments(rng, people.zone_hours[user])
        channel = draw(rng, np.array(self._scenario.shares), n)
        of = np.zeros(n, dtype=np.int64)
        circle = people.communities[user, draw(rng, np.array(TASTE_SHARES), n)]
        of = np.where(channel == TASTE, 1 + circle, of)
        followed, since = self._followee(user)
        of = np.where(channel == FOLLOWED, self._lists.first_author + followed, of)
        ages = (channel == FRESH) | (channel == FOLLOWED) | ((channel == TASTE) & self._scenario.taste_ages)
        post = self._post(of, time, ages)
        possible = (post >= 0) & (people.joined[user] <= time) & ((channel != FOLLOWED) | (since < time))
        return Impressions(user, post, time)[possible & (self._posts.author[post] != user)]

    def _followee(self, user: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        low, high = self._first_follow[user], self._first_follow[user + 1]
        edge = low + np.floor(self._rng.random(len(user)) * (high - low)).astype(np.int64)
        if not len(self._follows.follower):
            return np.zeros(len(user), dtype=np.int64), np.full(len(user), self._span.until)
        edge = np.minimum(edge, len(self._follows.follower) - 1)
        since = np.where(high > low, self._follows.since[edge], self._span.until)
        return self._follows.followee[edge], since

    def _post(
        self, of: NDArray[np.int64], time: NDArray[np.int64], ages: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """The post for each list and time.

        With `ages`, its age is exponential with the median life, cut off where the feed begins, and give or take
        a half, so that quality has something to choose from.
        """
        start, end = (
            self._lists.before(of, np.full_like(time, self._span.start)),
            self._lists.before(of, time),
        )
        scale = self._post_half_life / np.log(2)
        longest = -np.expm1(-(time - self._span.start) / scale)
        age = -scale * np.log1p(-self._rng.random(len(time)) * longest)
        low = self._lists.before(of, time - (1.5 * age).astype(np.int64))
        high = np.minimum(self._lists.before(of, time - (0.5 * age).astype(np.int64)), end)
        empty = high <= low  # then the post next to that age, the newer one first
        high = np.where(empty, np.minimum(low + 1, end), high)
        low = np.where(empty, np.maximum(high - 1, start), low)
        return self._lists.pick(self._rng, np.where(ages, low, start), np.where(ages, high, end))

    def _unseen(self, impressions: Impressions) -> Impressions:
        pair = impressions.user * len(self._posts.author) + impressions.post
        _, first = np.unique(pair, return_index=True)
        first = np.sort(first)
        return impressions[first[~np.isin(pair[first], self._seen)]]

    def _anything(self, n: int) -> Impressions:
        """Where a feed is too small for its wishes: any post, any later time, again if need be."""
        rng, people = self._rng, self._people
        post = rng.integers(0, len(self._posts.author), n)
        author = self._posts.author[post]
        user = (author + rng.integers(1, max(2, len(people.activity)), n)) % len(people.activity)
        created = self._posts.created[post]
        time = created + 1 + (rng.random(n) * (self._span.until - 1 - created)).astype(np.int64)
        np.minimum.at(people.joined, user, time)
        return Impressions(user, post, time)
