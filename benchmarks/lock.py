"""How long changes hold the lock of the feed: `python -m benchmarks.lock --interactions 5000000 --minutes 20`.

A process starts with a feed in memory and gets the changes of some minutes without pauses, while another thread ranks:
200 events a second, single ones, batches of 500 and reads of the log; posts, users, follows, controls and pages;
retractions, also of users with thousands of events; at the end another model and another state. The times are CPU time
of the thread that changes the feed, so they do not depend on other load. An object in memory is the log that lists are
read from again.
"""

import argparse
import gc
import json
import sys
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.application.live_feed import ActiveRanker, LiveFeed
from app.application.workers.event_updates import EventUpdates
from app.application.workers.state_updater import StateUpdater
from app.domain.entities import INTERACTION_TYPES, Interaction, Post, User
from app.domain.entities.control import Control
from app.domain.feed.dataset import KEY_DTYPE, EventColumns, KeyedEvents
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.row_checksums import EventChecksums, FeedChecksums, RowChecksums
from app.domain.feed.shown_pages import ShownPage
from app.domain.feed.state import FeedState
from app.domain.feed.uuid_index import UuidIndex
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.model_interface import PublishedModel
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.control_repository import UserControls
from app.domain.repositories.feed_log import FeedChanges, LogPosition
from app.domain.repositories.follow_repository import FollowChange
from app.domain.repositories.interaction_repository import (
    InteractionRepository,
    RemovedEvents,
    StoredInteraction,
    UserAndPost,
)
from app.domain.services.ranking_context import RankingContext
from app.shared.command_line import OneLineParser, positive, whole_number

START = 1.7e9
SPAN = 30 * 86400.0  # of the interactions before START, seconds
DIMENSIONS = 64
PAGE = 50
TEXT = "a text of a few words that is as long as a usual post of a social product, with a tag"


def user_id(number: int) -> UUID:
    return UUID(int=1 << 120 | number)


def post_id(number: int) -> UUID:
    return UUID(int=1 << 121 | number)


def past_events(users: int, posts: int, interactions: int) -> EventColumns:
    random = np.random.default_rng(0)
    return EventColumns(
        (random.random(interactions) ** 2 * users).astype(np.int32),  # few users and posts have many events
        (random.random(interactions) ** 2 * posts).astype(np.int32),
        random.integers(0, 5, interactions).astype(np.uint8),
        np.sort((START - SPAN * random.random(interactions)) * 1e6).astype(np.int64),
        np.arange(interactions),
    )


def feed_state(users: int, posts: int, events: EventColumns) -> FeedState:
    random = np.random.default_rng(0)
    state = FeedState()
    state.add_users([user_id(number).bytes for number in range(users)])
    ids = [post_id(number) for number in range(posts)]
    state.add_posts(
        [one.bytes for one in ids],
        external_ids=[None] * posts,
        author=random.integers(0, max(users // 10, 1), posts).astype(np.int32),
        created=np.sort(START - SPAN * random.random(posts)),
        visible=np.ones(posts, np.bool_),
        seq=np.arange(posts),
        texts=[TEXT] * posts,
        tags=[("tag",)] * posts,
        vectors=PostVectors(random.random((posts, DIMENSIONS), np.float32), np.zeros((posts, 0), np.float16)),
    )
    state.record(events, np.ones(len(events), np.bool_))
    checksums = EventChecksums()
    checksums.add(events.seq, np.ones(len(events), np.int64))
    state.checksums = RowChecksums.of(FeedChecksums(), checksums, UuidIndex(), UuidIndex())
    return state


class LogInMemory:
    """What changes read of an InteractionRepository: the interactions of a feed before START without retracted ones."""

    def __init__(self, events: EventColumns) -> None:
        self._events = events
        self._is_removed = np.zeros(len(events), np.bool_)
        self._by_user, self._by_post = (
            np.argsort(column, kind="stable") for column in (events.user, events.post)
        )

    def remove(self, seqs: Sequence[int]) -> None:
        """Retract interactions; the numbers of later ones are ignored."""
        self._is_removed[[seq for seq in seqs if seq < len(self._is_removed)]] = True

    def events_of(self, pairs: Sequence[UserAndPost]) -> Mapping[UserAndPost, Sequence[StoredInteraction]]:
        events = self._events
        found: dict[UserAndPost, list[StoredInteraction]] = {}
        for user, post in pairs:
            places = self._places(self._by_user, events.user, [user])
            found[user, post] = [
                StoredInteraction(place, 1, at, Interaction(user, post, INTERACTION_TYPES[kind], at))
                for place in places[events.post[places] == _number(post)].tolist()
                for kind, at in [
                    (events.kind.item(place), datetime.fromtimestamp(events.time.item(place), UTC))
                ]
            ]
        return found

    def events_with(
        self,
        users: Sequence[UUID],
        posts: Sequence[UUID],
        *,
        in_request: bool = False,  # noqa: ARG002  a name of the port
    ) -> KeyedEvents:
        events = self._events
        places = np.unique(
            np.concatenate(
                [
                    self._places(self._by_user, events.user, users),
                    self._places(self._by_post, events.post, posts),
                ]
            )
        )
        user_keys, post_keys = (
            np.array([of(number).bytes for number in column[places].tolist()], KEY_DTYPE)
            for of, column in ((user_id, events.user), (post_id, events.post))
        )
        time_us = events.time_us[places]
        return KeyedEvents(user_keys, post_keys, events.kind[places], time_us, time_us, places)

    def _places(
        self, order: NDArray[np.intp], column: NDArray[np.int32], ids: Sequence[UUID]
    ) -> NDArray[np.intp]:
        """The interactions of these users, or with these posts, whose places in `column` are in `order`."""
        numbers = [_number(one) for one in ids]
        starts, ends = (
            np.searchsorted(column, numbers, side=side, sorter=order).tolist() for side in ("left", "right")
        )
        found = [order[start:end] for start, end in zip(starts, ends, strict=True)]
        places: NDArray[np.intp] = np.concatenate([order[:0], *found])
        return places[~self._is_removed[places]]


def _number(one: UUID) -> int:
    """The number of a `user_id` or `post_id`."""
    return one.int & (1 << 120) - 1


@dataclass(eq=False)
class Changes:
    """The changes of a feed, one second after the other."""

    updater: StateUpdater
    log: LogInMemory
    now: float = START
    seq: int = 1 << 40
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def second(self, number: int) -> None:
        """Make the changes of one second; every fifth and every twentieth second has large ones."""
        updater, state = self.updater, self.updater.feed.state
        self.now += 1.0
        for event in self.events(50):
            updater.apply_events([event])
        updater.apply_changes(self.changes(events=self.events(50), posts=self.posts(1), pages=self.pages(10)))
        updater.apply_follow(FollowChange(self.a_user(), self.a_user(), True, None))
        updater.apply_controls(self.controls(3))
        self.retract(self.a_user(), 1)
        if number % 5 == 0:
            updater.apply_events(self.events(500))
        if number % 20 == 0:
            pairs = [(self.a_user(), self.a_user()) for _ in range(2000)]
            follows = [pair for pair in pairs if pair[0] != pair[1]]
            users = [self.user(state.n_users + new % 500) for new in range(1000)]
            large = self.changes(users=users, follows=follows, pages=self.pages(500), posts=self.posts(500))
            updater.apply_changes(large)
            updater.apply_changes(self.changes(removed_follows=follows[:1000], removed_posts=[self.a_post()]))
            updater.apply_controls(self.controls(2000))
            self.retract(user_id(number % 7), 2000)
            updater.apply_changes(self.changes(removed_users=[self.a_user()]))

    def changes(self, **given: Any) -> FeedChanges:
        names = ("users", "removed_users", "posts", "removed_posts", "follows", "removed_follows", "events")
        empty: dict[str, Any] = dict.fromkeys((*names, "removed_events", "controls"), ())
        return FeedChanges(**empty | given, position=cast(LogPosition, None))

    def events(self, count: int) -> list[StoredInteraction]:
        at = datetime.fromtimestamp(self.now, UTC)
        self.seq += count
        kinds = self.random.integers(0, 5, count).tolist()
        return [
            StoredInteraction(
                self.seq + place,
                1,
                at,
                Interaction(self.a_user(), self.a_post(), INTERACTION_TYPES[kind], at),
            )
            for place, kind in enumerate(kinds)
        ]

    def retract(self, user: UUID, count: int) -> None:
        """Take the newest events of a user back."""
        state = self.updater.feed.state
        row = state.user_rows.get(user.bytes)
        if row is None:
            return
        posts, *_, seqs = (column[-count:].tolist() for column in state.events_by_user.row(row))
        of_post: dict[str, list[int]] = defaultdict(list)
        for post, seq in zip(posts, seqs, strict=True):
            of_post[state.post_id(post)].append(seq)
        self.log.remove(seqs)
        self.updater.remove_events(
            [RemovedEvents(user, UUID(post), gone, ()) for post, gone in of_post.items()]
        )

    def posts(self, count: int) -> list[Post]:
        first, at = self.updater.feed.state.n_posts, datetime.fromtimestamp(self.now, UTC)
        ids = [post_id(first + place) for place in range(count)]
        return [
            Post(one, str(one), self.a_user(), at, first + place, TEXT, ("tag",))
            for place, one in enumerate(ids)
        ]

    def pages(self, count: int) -> list[ShownPage]:
        at = datetime.fromtimestamp(self.now, UTC)
        n_posts = self.updater.feed.state.n_posts
        return [
            ShownPage(self.a_user(), at, self.random.integers(0, n_posts, PAGE), np.zeros(PAGE, np.bool_))
            for _ in range(count)
        ]

    def controls(self, count: int) -> UserControls:
        user = self.a_user()
        at = datetime.fromtimestamp(self.now, UTC)
        own = [Control(user, "hide_post", post_id=self.a_post(), created_at=at) for _ in range(count)]
        muted = [Control(user, "mute_word", word=f"word {place}", created_at=at) for place in range(count)]
        return UserControls(user, [*own, *muted], self.seq)

    def user(self, number: int) -> User:
        return User(user_id(number), str(user_id(number)), datetime.fromtimestamp(self.now, UTC))

    def a_user(self) -> UUID:
        return user_id(int(self.random.random() ** 2 * self.updater.feed.state.n_users))

    def a_post(self) -> UUID:
        return post_id(int(self.random.random() ** 2 * self.updater.feed.state.n_posts))


def measure(users: int, posts: int, interactions: int, minutes: float) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of CPU time for which each step held the lock, by writer."""
    held: dict[str, list[float]] = defaultdict(list)
    options = RankingOptions()
    pipeline = ranking_pipeline(options, None, None, NoObserver())
    feed = LiveFeed(FeedState(), ActiveRanker(pipeline))
    feed.lock.on_released = lambda writer, seconds: held[writer].append(1000 * seconds)
    events = past_events(users, posts, interactions)
    log = LogInMemory(events)
    updater = StateUpdater(feed, None, cast(InteractionRepository, log), options, NoObserver())
    read, read_again = (feed_state(users, posts, events) for _ in range(2))
    changes, stop = Changes(updater, log), threading.Event()
    gc.collect()
    gc.freeze()  # as the service does: full collections look at newer objects only

    def rank() -> None:
        random = np.random.default_rng(2)
        while not stop.wait(0.005):
            with feed.lock:
                state = feed.state
                context = RankingContext(state, int(random.integers(-1, state.n_users)), changes.now)
                page = feed.ranker.pipeline.page(context, feed.ranker.pipeline.rank(context), PAGE)
                state.impressions.record(context.user, page.rows, context.now)

    ranking = threading.Thread(target=rank)
    ranking.start()
    try:
        seqs = np.arange(interactions)
        updater.replace_state(read, None, EventUpdates(seqs), None)
        for number in range(round(60 * minutes)):
            changes.second(number)
        model = SimpleNamespace(pipeline=lambda *_: pipeline)
        published = cast(PublishedModel, SimpleNamespace(model=model, record=SimpleNamespace(version=None)))
        vectors = PostVectors.zeros(feed.state.n_posts, DIMENSIONS + 1)
        updater.replace_model(published, vectors)
        updater.replace_state(read_again, None, EventUpdates(seqs), None)
    finally:
        stop.set()
        ranking.join()
        gc.unfreeze()
    return {writer: np.array(times) for writer, times in held.items()}


def quantiles(times: NDArray[np.float64]) -> dict[str, float]:
    p50, p99, p999 = np.quantile(times, [0.5, 0.99, 0.999])
    return {"steps": len(times), "p50_ms": p50, "p99_ms": p99, "p99_9_ms": p999, "longest_ms": times.max()}


def main(argv: Sequence[str] | None = None) -> int:
    parser = OneLineParser(prog="benchmarks.lock", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for name, default in (("users", 100_000), ("posts", 50_000), ("interactions", 5_000_000)):
        parser.add_argument(f"--{name}", type=whole_number(1), default=default, help="default: %(default)s")
    parser.add_argument("--minutes", type=positive, default=20.0, help="of changes (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures for a program")
    args = parser.parse_args(argv)
    held = measure(args.users, args.posts, args.interactions, args.minutes)
    figures = {writer: quantiles(times) for writer, times in sorted(held.items())}
    figures["all"] = quantiles(np.concatenate(list(held.values())))
    if args.json:
        print(json.dumps(figures, indent=2))
        return 0
    print(f"{'lock held, ms of CPU time':<28}{'steps':>9}{'p50':>9}{'p99':>9}{'p99.9':>9}{'longest':>9}")
    for writer, (steps, *times) in ((name, one.values()) for name, one in figures.items()):
        print(f"  {writer:<26}{steps:>9,}" + "".join(f"{time:>9.3f}" for time in times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
