"""Generates a whole feed: users, posts, follows, what users do with the posts that they see, and what they hide."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from app.domain.entities.control import Control
from app.domain.feed.dataset import (
    EventColumns,
    FeedDataset,
    FollowColumns,
    PostColumns,
    UserColumns,
    uuid_keys,
)
from app.domain.ids import post_uuid, user_uuid
from data.synthetic.audiences import Audiences
from data.synthetic.behaviour import COMMENT, LIKE, SCENARIOS, BehaviourSimulator
from data.synthetic.controls import make_controls
from data.synthetic.mutes import make_mutes
from data.synthetic.pages import make_pages
from data.synthetic.population import (
    MS_PER_DAY,
    MS_PER_HOUR,
    People,
    Posts,
    Span,
    make_follows,
    make_people,
    make_posts,
    skip_draws_of_words,
)
from data.synthetic.texts import Writer
from data.synthetic.threads import Threads, make_threads


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


def feed_days(half_life_hours: float) -> float:
    """The length of the feed in days: at least ten half-lives if posts age fast, less if they age slowly."""
    return 6.0 if half_life_hours < 24 else 30.0 if half_life_hours < 720 else max(60.0, half_life_hours / 6)


def make_feed(size: FeedSize) -> FeedDataset:
    """The feed of these arguments; the same arguments always give the same feed."""
    rng = np.random.Generator(np.random.PCG64(size.seed))
    span = Span(size.until - int(size.days * MS_PER_DAY), size.until)
    scenario = SCENARIOS[size.scenario]
    people = make_people(rng, size.users, size.posts, span)
    posts = make_posts(rng, size.posts, people, span, scenario.quality, scenario.posted_within)
    follows = make_follows(rng, people, posts, span)
    skip_draws_of_words(rng, people, posts)
    half_life = int(size.post_half_life_hours * MS_PER_HOUR)
    simulator = BehaviourSimulator(rng, scenario, people, posts, follows, span, half_life)
    events = simulator.events(size.interactions)
    threads = make_threads(_stream(size.seed, "threads"), posts)
    writer = Writer(_stream(size.seed, "texts"), people, posts)
    audiences = Audiences(_stream(size.seed, "audiences"), people, posts, follows, events, writer.language_of)
    users, post_columns, memberships = audiences.restrict(
        _user_columns(people, writer.usernames(), follows),
        _post_columns(posts, threads, writer.post_texts(threads.reply_to >= 0), writer.post_tags(), events),
        threads.alone,
    )
    controls = make_controls(_stream(size.seed, "controls"), users, post_columns, follows, events)
    controls += make_mutes(_stream(size.seed, "mutes"), users, post_columns, events)
    controls.sort(key=_created_at)
    events = replace(events, metadata=writer.metadata(events))
    return FeedDataset(users, post_columns, follows, events, controls, memberships)


def make_feed_with_pages(size: FeedSize) -> FeedDataset:
    """The feed of these arguments and the pages that its users were shown."""
    feed = make_feed(size)
    return replace(feed, pages=make_pages(_stream(size.seed, "pages"), feed))


def _stream(seed: int, name: str) -> np.random.Generator:
    """A random stream of one part of the feed: a further draw in it changes no other part."""
    return np.random.default_rng([seed, *name.encode()])


def _created_at(control: Control) -> datetime:
    assert control.created_at is not None
    return control.created_at


def _user_columns(people: People, names: list[str], follows: FollowColumns) -> UserColumns:
    ids = [f"user_{number}" for number in range(1, len(names) + 1)]
    followers = np.bincount(follows.followee, minlength=len(names))
    return UserColumns(uuid_keys(map(user_uuid, ids)), ids, names, followers, people.joined * 1000)


def _post_columns(
    posts: Posts, threads: Threads, texts: list[str], tags: list[tuple[str, ...]], events: EventColumns
) -> PostColumns:
    n = len(texts)
    ids = [f"post_{number}" for number in range(1, n + 1)]
    uuids = list(map(post_uuid, ids))
    reply_to, root_id, repost_of = (
        [None if row < 0 else uuids[row] for row in rows.tolist()]
        for rows in (threads.reply_to, threads.root, threads.repost_of)
    )
    return PostColumns(
        uuid_keys(uuids),
        ids,
        posts.author.astype(np.int32),
        posts.created * 1000,
        np.ones(n, np.bool_),
        np.arange(n, dtype=np.int64),
        texts,
        tags,
        np.bincount(events.post[events.kind == LIKE], minlength=n),
        np.bincount(events.post[events.kind == COMMENT], minlength=n),
        reply_to=reply_to,
        root_id=root_id,
        repost_of=repost_of,
    )
