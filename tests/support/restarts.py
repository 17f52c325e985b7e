"""Processes that store and read snapshots of the state, over the same tables."""

from pathlib import Path

from app.domain.ranking.model_interface import PublishedModel
from app.infrastructure.snapshots.snapshot_folder import SnapshotFolder
from tests.support.small_service import SmallService


def a_folder(path: Path) -> SnapshotFolder:
    return SnapshotFolder(path / "snapshots", [b"a secret"], "a database")


def with_snapshots(service: SmallService, folder: SnapshotFolder) -> SmallService:
    """Another process over the same tables, which stores snapshots."""
    other = SmallService(tables=service.tables, clock=service.clock, snapshots=folder)
    other.catch_up()
    return other


def started_from(
    service: SmallService, folder: SnapshotFolder, trained: PublishedModel | None = None
) -> SmallService:
    """A new process over the same tables, started as the supervisor starts it. Its controls matter."""
    other = SmallService(tables=service.tables, clock=service.clock, snapshots=folder)
    other.feed.needs_controls = True
    other.workers.restore()
    if trained is not None:
        other.publish(trained)
    other.catch_up()
    return other
