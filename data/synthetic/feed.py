"""A whole synthetic feed: people, posts, follows, and the funnel of what they do with what they meet."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from data.synthetic.behaviour import SCENARIOS, BehaviourSimulator, Impressions, Scenario
from data.synthetic.population import (
    DAY,
    HOUR,
    Follows,
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
# How often a view leads to a click, and a click to each of the others. All of a visit carries one time, as clients
# report it when it ends. Were the view told earlier than the like, then "he has just opened it" would say which
# post a replay is about to ask for, and nothing else in the feed would matter.
_CLICKED: Final = 0.42
_AFTER_CLICK: Final = {LIKE: 0.5, COMMENT: 0.22, SHARE: 0.1}


@dataclass(frozen=True, slots=True)
class FeedSize:
    """What is asked of the generator; `until` in milliseconds since the epoch, the feed covers `days` before it."""

    users: int
    posts: int
    interactions: int
    seed: int
    until: int
    days: float = 30.0
    post_half_life_hours: float = 24.0
    scenario: str = "mixed"


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticFeed:
    """Everything in columns; times in milliseconds, events by time."""

    people: People
    usernames: list[str]
    posts: Posts
    texts: list[str]
    tags: list[list[str]]
    follows: Follows
    event_user: NDArray[np.int64]
    event_post: NDArray[np.int64]
    event_kind: NDArray[np.int64]
    event_time: NDArray[np.int64]


def make_feed(size: FeedSize) -> SyntheticFeed:
    """The feed of these arguments, always the same one."""
    rng = np.random.Generator(np.random.PCG64(size.seed))
    span = Span(size.until - int(size.days * DAY), size.until)
    world = SCENARIOS[size.scenario]
    people = make_people(rng, size.users, size.posts, span)
    posts = make_posts(rng, size.posts, people, span, world.quality, world.posted_within)
    follows = make_follows(rng, people, posts, span)
    names = usernames(people, rng)
    texts, tags = texts_and_tags(rng, people, posts)
    choices = BehaviourSimulator(
        rng, world, people, posts, follows, span, int(size.post_half_life_hours * HOUR)
    )
    events = _events(rng, choices, world, posts, size)
    order = np.argsort(events[3], kind="stable")
    user, post, kind, time = (column[order] for column in events)
    return SyntheticFeed(people, names, posts, texts, tags, follows, user, post, kind, time)


def _events(
    rng: np.random.Generator, choices: BehaviourSimulator, scenario: Scenario, posts: Posts, size: FeedSize
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(user, post, kind, time) of exactly the wanted number of events, grouped by visit."""
    parts: list[NDArray[np.int64]] = []
    missing = size.interactions
    while missing > 0:
        rows = _funnel(rng, choices.impressions(int(missing / 1.7) + 16), scenario, posts, size.until)[
            :, :missing
        ]
        missing -= rows.shape[1]
        parts.append(rows)
    user, post, kind, time = np.concatenate(parts, axis=1) if parts else np.empty((4, 0), dtype=np.int64)
    return user, post, kind, time


def _funnel(
    rng: np.random.Generator, impressions: Impressions, scenario: Scenario, posts: Posts, until: int
) -> NDArray[np.int64]:
    """(4, n) events of the visits: user, post, kind, time; those of one visit stand together, in order."""
    n = len(impressions)
    visit = np.arange(n)
    rows = [np.stack([visit, impressions.user, impressions.post, np.full(n, VIEW), impressions.time])]

    def follow_up(source: NDArray[np.int64], kind: int, share: float) -> NDArray[np.int64]:
        came = source[:, rng.random(source.shape[1]) < share].copy()
        came[3] = kind
        rows.append(came)
        return came

    clicks = follow_up(rows[0], CLICK, _CLICKED)
    comments = [follow_up(clicks, kind, share) for kind, share in _AFTER_CLICK.items()][COMMENT - LIKE]
    if scenario.replies:
        answers = follow_up(comments, COMMENT, scenario.replies)
        answers[1] = posts.author[answers[2]]
        answers[4] += 60_000 + np.floor(np.square(rng.random(answers.shape[1])) * 2 * HOUR).astype(np.int64)
    every = np.concatenate(rows, axis=1)
    every[4] = np.minimum(every[4], until - 1)
    grouped: NDArray[np.int64] = every[1:, np.argsort(every[0], kind="stable")]
    return grouped
