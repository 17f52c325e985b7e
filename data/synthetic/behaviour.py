"""Simulates which posts the users of a synthetic feed see, and what they do with them, by the rules of its scenario.

An impression is (user, post, time). Its post is drawn from one list: the posts of all users, of a community or of a
followed author. The draw is by quality alone, or at an age that is distributed exponentially.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import EventColumns, FollowColumns
from data.synthetic.population import COMMUNITY_SHARES, MS_PER_HOUR, People, Posts, Quality, Span, draw

_MAX_ROUNDS: Final = 16
VIEW, CLICK, LIKE, COMMENT, SHARE = range(len(INTERACTION_TYPES))
# The share of views that lead to a click, and of clicks that lead to each other type. All events of a visit have the
# same time, as if a client reported the visit at its end. If the view came before the like, a view would reveal the
# post that the user likes next, and a replay would learn nothing else.
_CLICKED: Final = 0.42
_AFTER_CLICK: Final = {LIKE: 0.5, COMMENT: 0.22, SHARE: 0.1}


@dataclass(frozen=True, slots=True)
class Scenario:
    """Shares of impressions by the list that the post is drawn from, and whether age and quality matter."""

    recent: float = 0.0  # new posts of all users
    any_age: float = 0.0  # posts of all users, of any age
    community: float = 0.0  # posts of the user's communities
    followed: float = 0.0  # posts of followed authors
    community_posts_age: bool = True  # whether posts of communities are drawn by age as well
    quality: Quality = "flat"
    posted_within: float = 1.0  # posts are created in this first part of the span
    replies: float = 0.0  # share of comments that the author answers under the post
    later: "Scenario | None" = None  # whose shares hold from `changes_at` on
    changes_at: float = 0.5  # share of the span

    @property
    def shares(self) -> NDArray[np.float64]:
        """(4,) shares of impressions by list: RECENT, ANY_AGE, COMMUNITY, FOLLOWED."""
        return np.array([self.recent, self.any_age, self.community, self.followed])


SCENARIOS: Final = {
    "mixed": Scenario(recent=0.2, any_age=0.05, community=0.5, followed=0.25, quality="heavy", replies=0.12),
    # All posts are early, because no signal shows that a late post of high quality will be popular.
    "popularity": Scenario(any_age=1.0, quality="zipf", posted_within=0.1),
    "taste": Scenario(community=1.0, community_posts_age=False),
    "recency": Scenario(recent=1.0),
    "follows": Scenario(followed=1.0),
    # Users read what is new; from the middle of the span on, they read what the authors that they follow post.
    "changing": Scenario(
        recent=0.7, community=0.2, followed=0.1, later=Scenario(recent=0.1, community=0.2, followed=0.7)
    ),
}
RECENT, ANY_AGE, COMMUNITY, FOLLOWED = range(4)
"""The list that the post of an impression is drawn from."""


class _PostLists:
    """The posts of all users (list 0), of each community and of each author, each list by time of creation.

    Cumulative sums of quality along the lists make a weighted draw from any range a binary search.
    """

    def __init__(self, people: People, posts: Posts, span: Span) -> None:
        self._span = span
        self._width = 2 * (span.until - span.start)
        self.first_author = 1 + len(people.subject_of)
        row = np.arange(len(posts.author))
        lists = np.concatenate([np.zeros_like(row), 1 + posts.community, self.first_author + posts.author])
        row = np.tile(row, 3)
        key = lists * self._width + posts.created[row] - span.start
        order = np.argsort(key, kind="stable")
        self._key, self._post = key[order], row[order]
        self._sum = np.concatenate([[0.0], np.cumsum(posts.quality[self._post])])

    def position(self, lists: NDArray[np.int64], time: NDArray[np.int64]) -> NDArray[np.int64]:
        """The position after the last post of each list that was created before a time."""
        offset = np.clip(time - self._span.start, 0, self._width - 1)
        return np.searchsorted(self._key, lists * self._width + offset).astype(np.int64)

    def pick(
        self, rng: np.random.Generator, low: NDArray[np.int64], high: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """A post from each range of positions [low, high), drawn by quality; -1 for an empty range."""
        target = self._sum[low] + rng.random(len(low)) * (self._sum[high] - self._sum[low])
        position = np.searchsorted(self._sum, target, side="right") - 1
        within = np.clip(position, low, np.maximum(high - 1, low)) % len(self._post)
        return np.where(high > low, self._post[within], -1)


class BehaviourSimulator:
    """Draws impressions and events; the same generator state gives the same ones."""

    def __init__(
        self,
        rng: np.random.Generator,
        scenario: Scenario,
        people: People,
        posts: Posts,
        follows: FollowColumns,
        span: Span,
        post_half_life: int,
    ) -> None:
        self._rng, self._scenario, self._span, self._post_half_life = rng, scenario, span, post_half_life
        self._people, self._posts, self._follows = people, posts, follows
        self._lists = _PostLists(people, posts, span)
        self._first_follow = np.searchsorted(follows.follower, np.arange(len(people.activity) + 1))
        self._seen = np.empty(0, dtype=np.int64)

    def events(self, n: int) -> EventColumns:
        """`n` events by time; those of one visit are in order."""
        parts = [np.empty((4, 0), dtype=np.int64)]
        missing = n
        while missing > 0:
            visits = self._visits(self.impressions(int(missing / 1.7) + 16))
            parts.append(visits[:, :missing])
            missing -= parts[-1].shape[1]
        user, post, kind, time = np.concatenate(parts, axis=1)
        codes = user.astype(np.int32), post.astype(np.int32), kind.astype(np.uint8)
        events = EventColumns(*codes, time * 1000, np.zeros_like(time))
        return events[np.argsort(time, kind="stable")]

    def _visits(self, impressions: NDArray[np.int64]) -> NDArray[np.int64]:
        """(4, n) events of the impressions: user, post, kind and time; those of one visit are adjacent and in order."""
        user, post, time = impressions
        rng, reply_share = self._rng, self._scenario.replies
        rows = [np.stack([np.arange(len(user)), user, post, np.full(len(user), VIEW), time])]

        def follow_up(source: NDArray[np.int64], kind: int, share: float) -> NDArray[np.int64]:
            events = source[:, rng.random(source.shape[1]) < share].copy()
            events[3] = kind
            rows.append(events)
            return events

        clicks = follow_up(rows[0], CLICK, _CLICKED)
        after_click = {kind: follow_up(clicks, kind, share) for kind, share in _AFTER_CLICK.items()}
        if reply_share:
            answers = follow_up(after_click[COMMENT], COMMENT, reply_share)
            answers[1] = self._posts.author[answers[2]]
            delay = np.square(rng.random(answers.shape[1])) * 2 * MS_PER_HOUR
            answers[4] += 60_000 + np.floor(delay).astype(np.int64)
        events = np.concatenate(rows, axis=1)
        events[4] = np.minimum(events[4], self._span.until - 1)
        grouped: NDArray[np.int64] = events[1:, np.argsort(events[0], kind="stable")]
        return grouped

    def impressions(self, n: int) -> NDArray[np.int64]:
        """(3, n) user, post and time in milliseconds of `n` more impressions, in random order.

        They are of unseen posts of other authors, as long as the feed has enough of them.
        """
        found = []
        for _ in range(_MAX_ROUNDS):
            drawn = self._draw(int(n * 1.4) + 64)
            pair = drawn[0] * len(self._posts.author) + drawn[1]
            first = np.sort(np.unique(pair, return_index=True)[1])
            first = first[~np.isin(pair[first], self._seen)][:n]
            self._seen = np.union1d(self._seen, pair[first])
            found.append(drawn[:, first])
            n -= len(first)
            if n == 0:
                break
        else:
            found.append(self._draw_unconstrained(n))
        return np.concatenate(found, axis=1)

    def _draw(self, n: int) -> NDArray[np.int64]:
        rng, people = self._rng, self._people
        user = draw(rng, people.activity, n)
        time = self._span.draw_times(rng, people.zone_hours[user])
        scenario = self._scenario
        channel = draw(rng, scenario.shares, n)
        if scenario.later is not None:
            change = self._span.start + scenario.changes_at * (self._span.until - self._span.start)
            channel = np.where(time < change, channel, draw(rng, scenario.later.shares, n))
        community = people.communities[user, draw(rng, np.array(COMMUNITY_SHARES), n)]
        lists = np.where(channel == COMMUNITY, 1 + community, 0)
        followed, since = self._followee(user)
        lists = np.where(channel == FOLLOWED, self._lists.first_author + followed, lists)
        by_age = (channel == RECENT) | (channel == FOLLOWED)
        by_age |= (channel == COMMUNITY) & scenario.community_posts_age
        post = self._post(lists, time, by_age)
        possible = (post >= 0) & (people.joined[user] <= time) & ((channel != FOLLOWED) | (since < time))
        possible &= self._posts.author[post] != user
        return np.stack([user, post, time])[:, possible]

    def _followee(self, user: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        low, high = self._first_follow[user], self._first_follow[user + 1]
        edge = low + np.floor(self._rng.random(len(user)) * (high - low)).astype(np.int64)
        if not len(self._follows.follower):
            return np.zeros(len(user), dtype=np.int64), np.full(len(user), self._span.until)
        edge = np.minimum(edge, len(self._follows.follower) - 1)
        since = np.where(high > low, self._follows.since_us[edge] // 1000, self._span.until)
        return self._follows.followee[edge].astype(np.int64), since

    def _post(
        self, lists: NDArray[np.int64], time: NDArray[np.int64], by_age: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """A post of each list that exists at a time.

        With `by_age`, an age is drawn from an exponential distribution that is cut off at the start of the feed. The
        post is then drawn by quality among those of half to one and a half times this age.
        """
        position = self._lists.position
        start, end = position(lists, np.full_like(time, self._span.start)), position(lists, time)
        scale = self._post_half_life / np.log(2)
        max_probability = -np.expm1(-(time - self._span.start) / scale)
        age = -scale * np.log1p(-self._rng.random(len(time)) * max_probability)
        low = position(lists, time - (1.5 * age).astype(np.int64))
        high = np.minimum(position(lists, time - (0.5 * age).astype(np.int64)), end)
        empty = high <= low  # then take the post nearest to that age, preferably a newer one
        high = np.where(empty, np.minimum(low + 1, end), high)
        low = np.where(empty, np.maximum(high - 1, start), low)
        return self._lists.pick(self._rng, np.where(by_age, low, start), np.where(by_age, high, end))

    def _draw_unconstrained(self, n: int) -> NDArray[np.int64]:
        """Impressions of any post at any later time, repeats included: for a feed with too few posts."""
        rng, people = self._rng, self._people
        post = rng.integers(0, len(self._posts.author), n)
        author = self._posts.author[post]
        user = (author + rng.integers(1, max(2, len(people.activity)), n)) % len(people.activity)
        created = self._posts.created[post]
        time = created + 1 + (rng.random(n) * (self._span.until - 1 - created)).astype(np.int64)
        np.minimum.at(people.joined, user, time)
        return np.stack([user, post, time])
