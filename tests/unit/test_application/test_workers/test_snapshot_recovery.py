"""A start from a snapshot of the state gives the state of a full read of the tables."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings

from app.application.workers.post_evictor import PostEvictor
from app.domain.entities import Post, User
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.live_posts import LivePostLimits
from app.domain.ids import user_uuid
from app.domain.ranking.model_interface import PublishedModel
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedSnapshot
from app.infrastructure.snapshots.snapshot_folder import SnapshotFolder
from tests.support.fake_storage import InMemoryFeedLog
from tests.support.live_feeds import (
    HOUR,
    Change,
    LogWithoutTriggers,
    a_service,
    engagements,
    feed_differences,
    fully_read_state,
    make_changes,
    random_changes,
    reconcile_now,
)
from tests.support.restarts import a_folder, with_snapshots
from tests.support.small_service import FEW_CANDIDATES, SmallService, in_memory_storage, names


class CountingLog(InMemoryFeedLog):
    full_reads = 0

    def read_into(self, *given: Any, **named: Any) -> FeedSnapshot:
        self.full_reads += 1
        return super().read_into(*given, **named)


@pytest.fixture
def folder(tmp_path: Path) -> SnapshotFolder:
    return a_folder(tmp_path)


def restarted(
    service: SmallService,
    folder: SnapshotFolder | None,
    trained: PublishedModel | None = None,
    options: RankingOptions = FEW_CANDIDATES,
) -> tuple[SmallService, CountingLog]:
    """A new process over the same tables, started as the supervisor starts it."""
    log = CountingLog(service.tables)
    other = SmallService(
        options=options,
        tables=service.tables,
        storage=replace(in_memory_storage(service.tables), feed_log=log),
        clock=service.clock,
        snapshots=folder,
    )
    other.workers.restore()
    if trained is not None:
        other.publish(trained)
    other.catch_up()
    return other, log


def assert_like_a_full_read(started: SmallService, service: SmallService) -> None:
    now = service.clock.at.timestamp()
    assert feed_differences(started.feed.state, fully_read_state(service), now) == []


def change_something(service: SmallService, writer: SmallService) -> None:
    service.pass_time()
    service.add_users("new-user")
    service.add_post("new-post", "ann")
    service.add_post("p2", "other", age=2 * HOUR, visible=False)
    service.add_post("older", "ann", age=24 * HOUR)
    service.remove_post("p5")
    service.tables.remove_user(user_uuid("other"))
    service.follow("reader", "ann")
    writer.catch_up()
    service.pass_time()
    writer.track("new-user", "new-post", "like")
    writer.track("reader", "p3", "like", service.clock.at - 2 * HOUR)
    writer.retract("reader", "p1", "like")


def test_a_start_reads_only_the_changes_since_the_snapshot(folder: SnapshotFolder) -> None:
    service = a_service()
    writer = with_snapshots(service, folder)
    writer.track("reader", "p1", "like")
    writer.track("reader", "p6", "share")
    writer.write_snapshot()  # with events that the log has not returned yet
    change_something(service, writer)

    started, log = restarted(service, folder)

    assert log.full_reads == 0
    assert_like_a_full_read(started, service)
    assert set(names(started.page("reader", limit=50))) == service.eligible("reader")


def test_a_start_from_a_snapshot_without_evicted_posts_goes_on_as_the_process_that_wrote_it(
    folder: SnapshotFolder,
) -> None:
    service = a_service(12)
    writer = with_snapshots(service, folder)
    writer.track("reader", "p9", "like")
    service.pass_time()
    writer.track("reader", "p0", "like")
    PostEvictor(writer.workers.updater, LivePostLimits(newest=4, strongest=0, engaged_days=0)).run()
    service.add_post("in-a-free-row", "ann")
    writer.catch_up()
    writer.write_snapshot()
    change_something(service, writer)
    writer.track("reader", "p9", "share")  # it comes back
    writer.catch_up()

    started, log = restarted(service, folder)
    reconcile_now(started)

    now = service.clock.at.timestamp()
    assert log.full_reads == 0
    assert feed_differences(started.feed.state, writer.feed.state, now) == []
    assert engagements(started, "p9") == 2
    assert started.state.interactions == writer.state.interactions == len(service.tables.events)
    assert started.state.reconciliation is not None
    assert not any(started.state.reconciliation.differences.values())


@settings(max_examples=12)
@given(before=random_changes, after=random_changes)
def test_a_start_from_any_snapshot_ranks_like_the_process_that_wrote_it(
    before: list[Change], after: list[Change]
) -> None:
    service = a_service(6)
    trained = service.train(learned=True)
    with TemporaryDirectory() as path:
        folder = a_folder(Path(path))
        writer = with_snapshots(service, folder)
        writer.publish(trained)
        make_changes(before, service, writer)
        writer.write_snapshot()
        make_changes(after, service, writer)
        writer.catch_up()

        started, log = restarted(service, folder, trained)
        folder.close()

    assert log.full_reads == 0
    assert_like_a_full_read(started, service)
    for user in ("reader", "other", "ann", "nobody"):
        actual, expected = started.page(user, limit=20), writer.page(user, limit=20)
        assert names(actual) == names(expected)
        # the log may return events in another order than they were tracked in, so sums differ by rounding
        assert actual.scores == pytest.approx(expected.scores, abs=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda service: (service.add_users("zoë"), service.purge_outbox()),
        lambda service: setattr(service.tables, "source", "another database"),
    ],
    ids=["the outbox was purged", "another database"],
)
def test_a_start_reads_everything_if_the_log_does_not_continue_the_snapshot(
    folder: SnapshotFolder, change: Callable[[SmallService], object]
) -> None:
    service = a_service()
    with_snapshots(service, folder).write_snapshot()

    change(service)
    started, log = restarted(service, folder)

    assert log.full_reads == 1
    assert_like_a_full_read(started, service)


def test_a_start_over_tables_without_triggers_reads_everything(folder: SnapshotFolder) -> None:
    service = a_service()
    with_snapshots(service, folder).write_snapshot()
    service.add_post("p1", "ann", age=HOUR, visible=False)
    started = SmallService(tables=service.tables, clock=service.clock, snapshots=folder)
    started.replace_log(LogWithoutTriggers(service.tables))

    started.workers.restore()
    started.catch_up()

    assert_like_a_full_read(started, service)


def test_events_that_an_operator_removed_are_found_by_the_first_comparison(folder: SnapshotFolder) -> None:
    service = a_service()
    writer = with_snapshots(service, folder)
    writer.track("reader", "p1", "like")
    writer.catch_up()
    writer.write_snapshot()
    service.tables.events.clear()  # no trigger captures it

    started, log = restarted(service, folder)
    reconcile_now(started)

    assert log.full_reads == 0
    assert_like_a_full_read(started, service)


def test_a_snapshot_of_another_counting_rule_is_ignored(folder: SnapshotFolder) -> None:
    service = a_service()
    with_snapshots(service, folder).write_snapshot()

    _, log = restarted(service, folder, options=replace(FEW_CANDIDATES, counting=CountingRule(limit=1)))

    assert log.full_reads == 1


def test_a_snapshot_contains_the_rows_whose_uuids_are_not_derived(folder: SnapshotFolder) -> None:
    service = a_service()
    ann = UUID(int=7)
    service.tables.add_users(User(ann, "another program's"))
    service.tables.add_posts(Post(UUID(int=8), "made elsewhere", ann, service.clock.at, 0, "", (), True))
    with_snapshots(service, folder).write_snapshot()

    started, log = restarted(service, folder)

    assert log.full_reads == 0
    assert started.feed.user_id(" another program's") == ann
    assert started.feed.post_id("made elsewhere") == UUID(int=8)
    assert "made elsewhere" not in names(started.page("another program's", limit=50))


def test_during_an_outage_a_start_serves_the_snapshot_with_its_controls(folder: SnapshotFolder) -> None:
    service = a_service()
    writer = with_snapshots(service, folder)
    writer.feedback("reader", "hide_post", "p1")
    writer.set_membership("reader", "club")
    service.add_post("for members", "ann", visibility="members", audience_id="club")
    writer.track("reader", "p2", "like")
    writer.catch_up()
    writer.write_snapshot()
    service.tables.away = True

    started, _ = restarted(service, folder)
    started.feed.needs_controls = True
    during = started.page("reader", limit=50)
    service.tables.away = False
    started.catch_up()

    assert started.feed.has_controls
    assert during.degraded
    assert set(names(during)) == service.eligible("reader") - {"p1", "for members"}
    assert set(names(started.page("reader", limit=50))) == service.eligible("reader") - {"p1"}


def test_vectors_of_a_snapshot_are_used_with_the_model_that_made_them(folder: SnapshotFolder) -> None:
    service = a_service()
    for number in range(60):
        colour = ("red", "green", "blue")[number % 3]
        service.add_post(f"text {number}", "ann", content=" ".join(f"{colour}{n}" for n in range(number, 70)))
    trained, other = service.train(), service.train()
    writer = with_snapshots(service, folder)
    writer.publish(trained)
    writer.write_snapshot()
    vectors = writer.feed.state.text
    assert vectors.shape[1]

    same, _ = restarted(service, folder, trained)
    another, _ = restarted(service, folder, other)

    for started in (same, another):
        n_posts = started.feed.state.n_posts
        assert np.allclose(started.feed.state.text[:n_posts], vectors[:n_posts], atol=1e-5)
