"""Applies settings and audiences of users to the state that is served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import RLock
from uuid import UUID

import numpy as np

from app.application.live_feed import LiveFeed
from app.application.workers.latest_changes import LatestChanges
from app.application.workers.stored_lists import StoredLists
from app.domain.entities import User
from app.domain.feed.retraction import set_account_created
from app.domain.feed.slices import Writing, slices

_USERS_PER_STEP = 20  # applied under one lock, as in StateUpdater


@dataclass(eq=False)
class UserUpdates:
    """Applies changes of users, unless later ones are known. Numbers (`seqs`) of changes are those in the outbox.

    lists        of the state, in storage
    change_lock  held during each change, as in StateUpdater
    """

    feed: LiveFeed
    lists: StoredLists
    change_lock: RLock
    _latest: LatestChanges = field(default_factory=LatestChanges, init=False)

    def forget_numbers(self) -> None:
        """Forget which changes were applied: the state is another one."""
        self._latest = LatestChanges()

    def number_of(self, user: UUID) -> int:
        """The number of the latest change of a user that is known, else 0."""
        return self._latest.number_of(user)

    def set(self, users: Sequence[User], seqs: Mapping[UUID, int] | None = None) -> None:
        """Make these the settings and audiences of users. A user without a number is always set."""
        seqs = seqs or {}
        for step in slices(users, _USERS_PER_STEP):
            with self.change_lock:
                latest = [user for user in step if self._latest.accepts(user.id, seqs.get(user.id))]
                state, writes = self.feed.state, self._writes("users")
                state.add_users((user.id.bytes for user in latest), writes)
                with self.feed.lock.writing("users"):
                    state.set_users(latest)
                for user in latest:
                    created = -np.inf if user.created_at is None else user.created_at.timestamp()
                    if state.weighs_new_accounts:
                        self.lists.bring_back(state, [user.id], writes)
                    posts = set_account_created(state, state.user_rows[user.id.bytes], created, writes)
                    self.lists.rebuild(state, posts[:0], posts, writes)

    def _writes(self, writer: str) -> Writing:
        return partial(self.feed.lock.writing, writer)
