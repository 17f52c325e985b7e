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
    return _dataset(people, names, posts, texts, tags, follows, events)


def _dataset(
    people: People,
    names: list[str],
    posts: Posts,
    texts: list[str],
    tags: list[list[str]],
    follows: FollowColumns,
    events: NDArray[np.int64],
) -> FeedDataset:
    """The columns of the feed; times become microseconds, and events are sorted by time."""
    user, post, kind, time = events[:, np.argsort(events[3], kind="stable")]
    user_ids = [f"user_{number}" for number in range(1, len(names) + 1)]
    post_ids = [f"post_{number}" for number in range(1, len(texts) + 1)]
    return FeedDataset(
        UserColumns(
            uuid_keys(map(user_uuid, user_ids)),
            user_ids,
            names,
            np.bincount(follows.followee, minlength=len(names)),
            people.joined * 1000,
        ),
        PostColumns(
            uuid_keys(map(post_uuid, post_ids)),
            post_ids,
            posts.author.astype(np.int32),
            posts.created * 1000,
            np.ones(len(texts), np.bool_),
            np.arange(len(texts), dtype=np.int64),
            texts,
            [tuple(one) for one in tags],
            np.bincount(post[kind == LIKE], minlength=len(texts)),
            np.bincount(post[kind == COMMENT], minlength=len(texts)),
        ),
        follows,
        EventColumns(
            user.astype(np.int32),
            post.astype(np.int32),
            kind.astype(np.uint8),
            time * 1000,
            np.zeros_like(time),
        ),
    )


def _events(
    rng: np.random.Generator, simulator: BehaviourSimulator, scenario: Scenario, posts: Posts, size: FeedSize
) -> NDArray[np.int64]:
    """(4, `size.interactions`) user, post, kind and time in milliseconds, grouped by visit."""
    parts = [np.empty((4, 0), dtype=np.int64)]
    missing = size.interactions
    while missing > 0:
        impressions = simulator.impressions(int(missing / 1.7) + 16)
        parts.append(_funnel(rng, impressions, scenario, posts, size.until)[:, :missing])
        missing -= parts[-1].shape[1]
    return np.concatenate(parts, axis=1)


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
