"""Processes of the service over one PostgreSQL, without HTTP."""

from datetime import timedelta

from sqlalchemy import Engine

from app.bootstrap import Storage
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
from app.infrastructure.database.stored_posts_impl import SqlStoredPostRepository
from app.infrastructure.database.tombstones import Tombstones
from app.infrastructure.database.user_data_repository_impl import SqlUserDataRepository
from tests.support.small_service import FEW_CANDIDATES, SmallService
from tests.support.storage_under_test import NOON


class CountingLog(SqlFeedLog):
    """Counts the full reads."""

    full_reads = 0

    def read_all(self) -> FeedSnapshot:
        self.full_reads += 1
        return super().read_all()


def a_process(
    engine: Engine,
    trained: PublishedModel | None = None,
    options: RankingOptions = FEW_CANDIDATES,
    snapshots: SnapshotStore | None = None,
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
    service = SmallService(storage=storage, options=options, snapshots=snapshots)
    service.clock.at = NOON + timedelta(days=1)
    service.workers.restore()
    if trained is not None:
        service.publish(trained)
    service.catch_up()
    return service, log
