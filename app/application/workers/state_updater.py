"""Applies changes to the state that is served: a replaced state, changes from the log, events of this process."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock, RLock
from typing import Any
from uuid import UUID

from app.application.live_feed import ActiveRanker, LiveFeed
from app.application.running_experiments import NO_EXPERIMENTS, RunningExperiments
from app.application.workers.event_columns import (
    returned_events,
    unordered_pairs,
    unplaced_events,
    without_new,
)
from app.application.workers.event_updates import EventUpdates, stored_pairs
from app.application.workers.follow_updates import FollowUpdates
from app.application.workers.post_updates import PostUpdates
from app.application.workers.removed_users import remove_pages, remove_users
from app.application.workers.stored_lists import StoredLists
from app.application.workers.user_updates import UserUpdates
from app.application.workers.variant_models import variant_model
from app.domain.experiments.experiment import Experiment
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.rebuilt_lists import short_lists
from app.domain.feed.retraction import pairs_to_remove
from app.domain.feed.shown_pages import ShownPage, record_pages
from app.domain.feed.slices import Writing, slices
from app.domain.feed.state import FeedState
from app.domain.ranking.assembly import ranking_pipeline
from app.domain.ranking.model_interface import PublishedModel
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.repositories.control_repository import UserControls
from app.domain.repositories.entity_repository import EntityChange
from app.domain.repositories.feed_log import FeedChanges, LogPosition, RowKeys
from app.domain.repositories.follow_repository import FollowChange
from app.domain.repositories.interaction_repository import (
    InteractionRepository,
    RemovedEvents,
    StoredInteraction,
)
from app.domain.repositories.membership_repository import UserChange
from app.domain.repositories.post_repository import PostRepository
from app.domain.services.ranking_context import RankingContext
from app.domain.services.stage_observer import StageObserver

_BATCH_SIZE = 500  # events that one change applies; other changes wait for it
# of them applied under one lock: bounds the time that rankings wait, to about a millisecond
_PAGES_PER_STEP = 5
_LISTS_PER_STEP = 5  # each may have 100,000 events


@dataclass(eq=False)
class StateUpdater:
    """Writes to the served state, while requests read it.

    A change prepares what it can beside the rankings. It holds the lock of the feed for short steps only.

    stored_posts  None without a database
    options       of the ranking without a model
    write_lock    held by a worker for several changes that belong together; requests never wait for it
    change_lock   held during one change of the state. Its holder may read all but impressions and caches without the
                  lock of the feed, because rankings change nothing else.
    experiments   rank requests beside the model
    variant_models  by the versions and channels that variants name, as far as they were loaded
    position      where the log continues after the state; None if only a full read can continue it
    events        the newest events in the state
    """

    feed: LiveFeed
    stored_posts: PostRepository | None
    interactions: InteractionRepository
    options: RankingOptions
    observer: StageObserver
    write_lock: Lock = field(default_factory=Lock, init=False)
    change_lock: RLock = field(default_factory=RLock, init=False)
    experiments: Sequence[Experiment] = field(default=(), init=False)
    variant_models: Mapping[str, PublishedModel] = field(default_factory=dict, init=False)
    position: LogPosition | None = field(default=None, init=False)
    events: EventUpdates = field(default_factory=EventUpdates, init=False)
    lists: StoredLists = field(init=False)
    posts: PostUpdates = field(init=False)
    users: UserUpdates = field(init=False)
    _follows: FollowUpdates = field(default_factory=FollowUpdates, init=False)

    def __post_init__(self) -> None:
        self.lists = StoredLists(self.interactions)
        self.posts = PostUpdates(self.feed, self.stored_posts, self.lists, self.change_lock)
        self.users = UserUpdates(self.feed, self.lists, self.change_lock)

    # -- state and model -----------------------------------------------------------------------------------------

    def replace_state(
        self,
        state: FeedState,
        published: PublishedModel | None,
        events: EventUpdates,
        position: LogPosition | None,
    ) -> None:
        """Serve another state with this model. `events` knows the events in it, which are not applied again.

        Raises InvalidArtifact.
        """
        ranker = self.new_ranker(published, state)
        state.reserve(state.n_users, state.n_posts)
        # a first ranking computes what needs an array over all posts
        ranker.pipeline.rank(
            RankingContext(state, -1, float(state.created[: state.n_posts].max(initial=0.0)))
        )
        before = self.feed.state, self.feed.ranker
        with self.change_lock:  # all at once, so that no event is lost or counted twice
            with self.feed.lock.writing("state"):
                self.feed.state, self.feed.ranker = state, ranker
            self.events, self._follows = events, FollowUpdates()
            self.users.forget_numbers()
            self.posts.forget_numbers()
        self.position = position
        before[0].clear_memoised()
        del before  # here, because to free a large state takes longer than the lock may be held

    def replace_model(self, published: PublishedModel, vectors: PostVectors | None) -> None:
        """Rank the served state with another model. `vectors` are those of its first n posts.

        None: the state has them. Raises InvalidArtifact.
        """
        state = self.feed.state
        ranker, before = self.new_ranker(published, state), self.feed.ranker
        with self.change_lock:
            present = PostVectors(state.text, state.embeddings)
            given = present if vectors is None else vectors.extended(len(state.created))
            with self.feed.lock.writing("model"):
                state.text, state.embeddings, self.feed.ranker = given.text, given.embedding, ranker
        del before, present  # as in `replace_state`

    def replace_experiments(self, experiments: Sequence[Experiment]) -> None:
        """Rank with these experiments."""
        self.experiments = experiments
        is_replaced = False
        while not is_replaced:
            state, before = self.feed.state, self.feed.ranker
            ranker = self.new_ranker(before.published, state)
            with self.change_lock, self.feed.lock.writing("experiments"):
                is_replaced = self.feed.state is state and self.feed.ranker is before
                if is_replaced:
                    self.feed.ranker = ranker

    def new_ranker(self, published: PublishedModel | None, state: FeedState) -> ActiveRanker:
        """The ranker of a model, or of none, for the rows that `state` has now. Raises InvalidArtifact."""

        def pipeline_with(
            changes: Mapping[str, Any], named: str | None = None
        ) -> tuple[FeedPipeline, str | None]:
            ranking = published
            if named is not None:
                ranking = variant_model(named, self.variant_models, published)
            if ranking is None:
                options = replace(self.options, **changes)
                return ranking_pipeline(options, None, None, self.observer), None
            return ranking.model.pipeline(state, self.observer, changes), ranking.record.version

        experiments = self.experiments
        running = RunningExperiments.build(experiments, pipeline_with) if experiments else NO_EXPERIMENTS
        pipeline, _ = pipeline_with({})
        return ActiveRanker(pipeline, published, running)

    # -- changes -------------------------------------------------------------------------------------------------

    def apply_events(self, stored: Sequence[StoredInteraction]) -> None:
        """Count committed events, each once."""
        for batch in slices(stored, _BATCH_SIZE):
            with self.change_lock:
                state = self.feed.state
                self.lists.bring_back(state, _users_of(batch), self._writes("lists"))
                stored_before = self.lists.events_before(state, batch)
                self.events.record(state, batch, self._writes("events"), stored_before)

    def remove_events(self, removed: Sequence[RemovedEvents]) -> None:
        """Take removed events back, and apply changed ones; again is no difference."""
        with self.change_lock:
            self.events.count_removed(self.feed.state, removed)
        self._replace_events(removed)

    def apply_controls(self, controls: UserControls) -> None:
        """Make these the controls of the user, unless later ones are known."""
        with self.change_lock:
            writing = self._writes("controls")
            self.feed.state.set_controls(controls.user_id.bytes, controls.controls, controls.seq, writing)

    def apply_follow(self, change: FollowChange) -> None:
        """Apply a committed follow, or its end."""
        with self.change_lock:
            self._follows.apply_own(self.feed.state, change, self._writes("follows"))

    def apply_membership(self, change: UserChange) -> None:
        """Apply a committed membership, or its end."""
        self.users.set([change.user], {} if change.seq is None else {change.user.id: change.seq})

    def apply_entities(self, change: EntityChange) -> None:
        """Apply users and posts that this process committed. Raises StorageUnavailable."""
        self.remove_events(change.removed_events)  # first: a removed post has no row afterwards
        self.users.set(change.users, change.user_seqs)
        self.posts.upsert(change.posts, change.post_seqs)
        self.posts.remove(change.removed_posts, change.post_seqs)

    def apply_pages(self, pages: Sequence[ShownPage]) -> None:
        """Add pages that were shown, each once; again it changes only which posts were seen."""
        for step in slices(pages, _PAGES_PER_STEP):
            with self.change_lock, self.feed.lock.writing("pages"):
                record_pages(self.feed.state, step)

    def apply_changes(self, changes: FeedChanges) -> None:
        """Apply one batch of the log. Raises StorageUnavailable."""
        self.apply_written(changes)
        self.position = changes.position

    def apply_written(self, changes: FeedChanges) -> None:
        """Apply changes that this process committed; the log returns them again. Raises StorageUnavailable."""
        checksums = self.feed.state.checksums
        if checksums is not None:
            with self.change_lock:  # `apply_events` adds the new ones
                checksums.events.update(without_new(checksums.events, changes))
        removed, unknown = changes.removed_events, self._unknown_of(changes)
        self.remove_events(removed)  # first, because a removed post has no row afterwards
        self.posts.upsert(changes.posts, changes.post_seqs)
        self.posts.add_of(changes.events)
        self.users.set(changes.users, changes.user_seqs)
        self._replace_events([one for one in removed if unknown & {one.user_id, one.post_id}])
        self._remove_events_of(changes.removed_users, changes.removed_posts)
        self.posts.remove(changes.removed_posts, changes.post_seqs)
        state = self.feed.state
        with self.change_lock:
            # first: a removed user has no row afterwards
            self._follows.apply(state, changes, self._writes("follows"))
            remove_users(state, changes.removed_users, self._writes("users"))
        if changes.removed_users:
            self._forget_removed_neighbours(state)
        # those that are new are placed next, and their users are added
        unplaced = {event.seq for event in unplaced_events(state, removed)}
        unplaced.difference_update(event.seq for event in changes.events)
        for controls in changes.controls:
            is_known = controls.user_id.bytes in state.user_rows
            if is_known or (controls.controls and controls.user_id not in changes.removed_users):
                self.apply_controls(controls)
        with self.change_lock:
            self.lists.bring_back(state, _users_of(changes.events), self._writes("lists"))
            stored_before = self.lists.events_before(state, changes.events)
            unordered = unordered_pairs(state, changes.events, stored_before)
        self.apply_events(changes.events)
        if unordered:  # which events of a pair count depends on all of them
            stored = self.interactions.events_of(unordered)
            self._replace_events(
                [RemovedEvents(*pair, (), returned_events(state, stored[pair])) for pair in unordered]
            )
        with self.change_lock:
            remove_pages(state, changes.removed_pages, self._writes("pages"))
        self.apply_pages(changes.pages)
        with self.change_lock:
            if checksums is not None:
                checksums.events.update(changes.checksums.events)
                checksums.apply(changes.checksums, state.user_rows, state.post_rows)
                pairs = (*changes.follows, *changes.removed_follows)
                checksums.changed_followers.update(follower.bytes for follower, _ in pairs)
                checksums.events.forget(unplaced)
                for controls in changes.controls:
                    row = state.user_rows.get(controls.user_id.bytes)
                    if row is not None and state.controls.seq_of(row) != controls.seq:  # later ones are known
                        checksums.add("controls", {controls.user_id.bytes: row})

    def _unknown_of(self, changes: FeedChanges) -> set[UUID]:
        """The users and posts in `changes` that the state does not have."""
        state = self.feed.state
        users = {user.id for user in changes.users if user.id.bytes not in state.user_rows}
        return users | {post.id for post in changes.posts if post.id.bytes not in state.post_rows}

    def _remove_events_of(self, users: Iterable[UUID], posts: Iterable[UUID]) -> None:
        """Remove all events of users, and with posts, that are about to be removed."""
        state = self.feed.state
        with self.change_lock:
            user_rows = [row for user in users if (row := state.user_rows.get(user.bytes)) is not None]
            post_rows = [row for post in posts if (row := state.post_rows.get(post.bytes)) is not None]
            pairs = pairs_to_remove(state, user_rows, post_rows)
        for batch in slices(pairs, _BATCH_SIZE):
            with self.change_lock:
                self.lists.replace_events(state, batch, self._writes("retraction"))

    def with_latest_numbers(self, keys: RowKeys) -> RowKeys:
        """The same keys with the numbers of their latest changes that are known, so that later ones win."""
        state = self.feed.state
        with self.change_lock:
            rows = {user: state.user_rows.get(user.bytes, -1) for user in keys.controls}
            return replace(
                keys,
                users={user: self.users.number_of(user) for user in keys.users},
                posts={post: self.posts.number_of(post) for post in keys.posts},
                follows={pair: self._follows.number_of(pair) for pair in keys.follows},
                controls={user: state.controls.seq_of(row) for user, row in rows.items()},
            )

    def apply_rows(self, rows: FeedChanges) -> None:
        """Apply rows that were read again. Raises StorageUnavailable."""
        state = self.feed.state
        assert state.checksums is not None
        n_events = state.n_events - state.checksums.events.count()  # events that the log has not returned yet
        self.apply_changes(rows)
        state.n_events = n_events + state.checksums.events.count()

    def _forget_removed_neighbours(self, state: FeedState) -> None:
        """Rank with a pipeline of the model in which removed users are nobody's neighbours."""
        published = self.feed.ranker.published
        if published is None:
            return
        ranker = self.new_ranker(published, state)
        with self.change_lock, self.feed.lock.writing("users"):
            if self.feed.state is state and self.feed.ranker.published is published:
                self.feed.ranker = ranker

    # -- events --------------------------------------------------------------------------------------------------

    def _replace_events(self, changes: Sequence[RemovedEvents]) -> None:
        for batch in slices(changes, _BATCH_SIZE):
            with self.change_lock:
                state = self.feed.state
                self.lists.replace_events(state, stored_pairs(state, batch), self._writes("retraction"))

    def bring_back(self, user: UUID) -> None:
        """Read the events of a user who is away, for a request. Raises StorageUnavailable."""
        with self.change_lock:
            self.lists.bring_back(self.feed.state, [user], self._writes("lists"), in_request=True)

    def refill_lists(self, at_most: int) -> bool:
        """Read the entries that lists lack since an eviction, in short steps. Raises StorageUnavailable.

        Returns false if some may still lack entries: those beyond `at_most` lists of users and as many of posts, and
        those that changed in the meantime.
        """
        with self.change_lock:
            users, posts = short_lists(self.feed.state)
        are_filled = max(len(users), len(posts)) <= at_most
        users, posts = users[:at_most], posts[:at_most]
        for start in range(0, max(len(users), len(posts)), _LISTS_PER_STEP):
            some_users, some_posts = (rows[start : start + _LISTS_PER_STEP] for rows in (users, posts))
            are_filled &= self.lists.refill(
                self.feed, some_users, some_posts, self.change_lock, self._writes("lists")
            )
        return are_filled

    def _writes(self, writer: str) -> Writing:
        return partial(self.feed.lock.writing, writer)


def _users_of(events: Iterable[StoredInteraction]) -> set[UUID]:
    return {event.interaction.user_id for event in events}
