"""Processes of the service over one PostgreSQL, without HTTP."""

from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import Engine

from app.domain.feed.eviction import evict_posts
from app.domain.feed.live_posts import DEFAULT_LIMITS, LivePostLimits
from app.domain.ranking.model_interface import PublishedModel
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedSnapshot
from app.domain.repositories.snapshot_store import SnapshotStore
from app.infrastructure.database.control_repository_impl import SqlControlRepository
from app.infrastructure.database.entity_repository_impl import SqlEntityRepository
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.follow_repository_impl import SqlFollowRepository
from app.infrastructure.database.impression_repository_impl import SqlImpressionRepository
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.membership_repository_impl import SqlMembershipRepository
from app.infrastructure.database.post_repository_impl import SqlPostRepository
from app.infrastructure.database.storage import Storage
from app.infrastructure.database.stored_posts_impl import SqlStoredPostRepository
from app.infrastructure.database.tombstones import Tombstones
from app.infrastructure.database.user_data_repository_impl import SqlUserDataRepository
from tests.support.live_feeds import feed_differences, reconcile_now
from tests.support.small_service import FEW_CANDIDATES, SmallService
from tests.support.storage_under_test import NOON


class CountingLog(SqlFeedLog):
    """Counts the full reads."""

    full_reads = 0

    def read_into(self, *given: Any, **named: Any) -> FeedSnapshot:
        self.full_reads += 1
        return super().read_into(*given, **named)


def a_process(
    engine: Engine,
    trained: PublishedModel | None = None,
    options: RankingOptions = FEW_CANDIDATES,
    snapshots: SnapshotStore | None = None,
    live_posts: LivePostLimits = DEFAULT_LIMITS,
) -> tuple[SmallService, CountingLog]:
    """Another process of the service, which has started."""
    log = CountingLog(engine)
    storage = Storage(
        SqlInteractionRepository(engine, budget_seconds=20),
        SqlControlRepository(engine, budget_seconds=20),
        SqlFollowRepository(engine, budget_seconds=20),
        SqlMembershipRepository(engine, budget_seconds=20),
        SqlEntityRepository(engine, budget_seconds=20),
        SqlImpressionRepository(engine, budget_seconds=20),
        SqlUserDataRepository(engine, budget_seconds=20, tombstones=Tombstones([b"secret of the tests"])),
        log,
        SqlPostRepository(engine, budget_seconds=20),
        stored_posts=SqlStoredPostRepository(engine, budget_seconds=20),
    )
    service = SmallService(storage=storage, options=options, snapshots=snapshots, live_posts=live_posts)
    service.clock.at = NOON + timedelta(days=1)
    service.workers.restore()
    if trained is not None:
        service.publish(trained)
    service.catch_up()
    return service, log


def assert_as_read_completely(service: SmallService, engine: Engine) -> None:
    """But for evicted posts, which are older than the newest ones."""
    fresh, _ = a_process(engine, options=service.options)
    now, state, complete = service.clock.at.timestamp(), service.feed.state, fresh.feed.state
    absent = np.array([row for key, row in complete.post_rows.items() if key not in state.post_rows], np.intp)
    if state.complete_from is not None:
        assert all(
            key < state.complete_from
            for key in zip(complete.created[absent], complete.seq[absent], strict=True)
        )
        evict_posts(complete, absent)
        assert fresh.workers.updater.refill_lists(at_most=1000)
    assert feed_differences(service.feed.state, fresh.feed.state, now) == []
    reconcile_now(service)
    assert service.state.reconciliation is not None
    assert not any(service.state.reconciliation.differences.values())
