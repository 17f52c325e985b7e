"""Generates a whole feed: users, posts, follows, and what users do with the posts that they see."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import (
    EventColumns,
    FeedDataset,
    FollowColumns,
    PostColumns,
    UserColumns,
    uuid_keys,
)
from app.domain.ids import post_uuid, user_uuid
from data.synthetic.behaviour import SCENARIOS, BehaviourSimulator, Scenario
from data.synthetic.population import (
    MS_PER_DAY,
    MS_PER_HOUR,
    People,
    Posts,
    Span,
    make_follows,
    make_people,
    make_posts,
    texts_and_tags,
    usernames,
)

VIEW, CLICK, LIKE, COMMENT, SHARE = range(len(INTERACTION_TYPES))
# The share of views that lead to a click, and of clicks that lead to each other type. All events of a visit have the
# same time, as if a client reported the visit at its end. If the view came before the like, a view would reveal the
# post that the user likes next, and a replay would learn nothing else.
_CLICKED: Final = 0.42
_AFTER_CLICK: Final = {LIKE: 0.5, COMMENT: 0.22, SHARE: 0.1}


@dataclass(frozen=True, slots=True)
class FeedSize:
    """The arguments of the generator. The feed covers the `days` before `until`, in milliseconds since the epoch."""

    users: int
    posts: int
    interactions: int
    seed: int
    until: int
    days: float = 30.0
    post_half_life_hours: float = 24.0
    scenario: str = "mixed"


def make_feed(size: FeedSize) -> FeedDataset:
    """The feed of these arguments; the same arguments always give the same feed."""
    rng = np.random.Generator(np.random.PCG64(size.seed))
    span = Span(size.until - int(size.days * MS_PER_DAY), size.until)
    scenario = SCENARIOS[size.scenario]
    people = make_people(rng, size.users, size.posts, span)
    posts = make_posts(rng, size.posts, people, span, scenario.quality, scenario.posted_within)
    follows = make_follows(rng, people, posts, span)
    names = usernames(people, rng)
    texts, tags = texts_and_tags(rng, people, posts)
    half_life = int(size.post_half_life_hours * MS_PER_HOUR)
    simulator = BehaviourSimulator(rng, scenario, people, posts, follows, span, half_life)
    events = _events(rng, simulator, scenario, posts, size)
    return FeedDataset(
        _user_columns(people, names, follows), _post_columns(posts, texts, tags, events), follows, events
    )


def _user_columns(people: People, names: list[str], follows: FollowColumns) -> UserColumns:
    ids = [f"user_{number}" for number in range(1, len(names) + 1)]
    followers = np.bincount(follows.followee, minlength=len(names))
    return UserColumns(uuid_keys(map(user_uuid, ids)), ids, names, followers, people.joined * 1000)


def _post_columns(
    posts: Posts, texts: list[str], tags: list[tuple[str, ...]], events: EventColumns
) -> PostColumns:
    n = len(texts)
    ids = [f"post_{number}" for number in range(1, n + 1)]
    return PostColumns(
        uuid_keys(map(post_uuid, ids)),
        ids,
        posts.author.astype(np.int32),
        posts.created * 1000,
        np.ones(n, np.bool_),
        np.arange(n, dtype=np.int64),
        texts,
        tags,
        np.bincount(events.post[events.kind == LIKE], minlength=n),
        np.bincount(events.post[events.kind == COMMENT], minlength=n),
    )


def _events(
    rng: np.random.Generator, simulator: BehaviourSimulator, scenario: Scenario, posts: Posts, size: FeedSize
) -> EventColumns:
    """`size.interactions` events by time; those of one visit are in order."""
    parts = [np.empty((4, 0), dtype=np.int64)]
    missing = size.interactions
    while missing > 0:
        impressions = simulator.impressions(int(missing / 1.7) + 16)
        parts.append(_funnel(rng, impressions, scenario, posts, size.until)[:, :missing])
        missing -= parts[-1].shape[1]
    user, post, kind, time = np.concatenate(parts, axis=1)
    events = EventColumns(
        user.astype(np.int32),
        post.astype(np.int32),
        kind.astype(np.uint8),
        time * 1000,
        np.zeros_like(time),
    )
    return events[np.argsort(time, kind="stable")]


def _funnel(
    rng: np.random.Generator, impressions: NDArray[np.int64], scenario: Scenario, posts: Posts, until: int
) -> NDArray[np.int64]:
    """(4, n) events of the impressions: user, post, kind and time; those of one visit are adjacent and in order."""
    user, post, time = impressions
    rows = [np.stack([np.arange(len(user)), user, post, np.full(len(user), VIEW), time])]

    def follow_up(source: NDArray[np.int64], kind: int, share: float) -> NDArray[np.int64]:
        events = source[:, rng.random(source.shape[1]) < share].copy()
        events[3] = kind
        rows.append(events)
        return events

    clicks = follow_up(rows[0], CLICK, _CLICKED)
    comments = [follow_up(clicks, kind, share) for kind, share in _AFTER_CLICK.items()][COMMENT - LIKE]
    if scenario.replies:
        answers = follow_up(comments, COMMENT, scenario.replies)
        answers[1] = posts.author[answers[2]]
        answers[4] += 60_000 + np.floor(np.square(rng.random(answers.shape[1])) * 2 * MS_PER_HOUR).astype(
            np.int64
        )
    events = np.concatenate(rows, axis=1)
    events[4] = np.minimum(events[4], until - 1)
    grouped: NDArray[np.int64] = events[1:, np.argsort(events[0], kind="stable")]
    return grouped
