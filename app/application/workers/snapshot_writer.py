"""Stores snapshots of the state, so that the next start does not read the whole log."""

from dataclasses import dataclass, field
from time import monotonic

import structlog

from app.application.live_feed import LiveFeed
from app.application.workers.state_updater import StateUpdater
from app.domain.feed.state_arrays import state_to_arrays
from app.domain.repositories.feed_log import LogPosition
from app.domain.repositories.snapshot_store import SnapshotStore, SnapshotUnavailable, StateSnapshot

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """The last snapshot that was stored.

    at              monotonic seconds
    seconds         to store it
    locked_seconds  of them, while changes of the state waited; rankings did not
    """

    at: float
    seconds: float
    locked_seconds: float
    size_bytes: int


@dataclass(eq=False)
class SnapshotWriter:
    """Copies the state into a file while no change is made to it.

    last      None before the first snapshot of this process
    failures  number of snapshots that could not be stored
    """

    feed: LiveFeed
    updater: StateUpdater
    store: SnapshotStore
    interval_seconds: float
    last: StoredSnapshot | None = field(default=None, init=False)
    failures: int = field(default=0, init=False)

    def run(self) -> float:
        """Store a snapshot; returns the pause in seconds until the next one."""
        self.write()
        return self.interval_seconds

    def write(self) -> None:
        """Store a snapshot, unless the state is incomplete or another process writes. A failure is logged."""
        if self.feed.caught_up_at is None:
            return
        try:
            self._write()
        except SnapshotUnavailable as error:
            self.failures += 1
            log.warning("snapshot.failed", cause=str(error))

    def close(self) -> None:
        """Store the last snapshot, and let another process write."""
        self.write()
        self.store.close()

    def _write(self) -> None:
        began = monotonic()
        draft = self.store.begin()
        if draft is None:
            return
        with draft:
            with self.updater.write_lock, self.updater.change_lock:
                locked = monotonic()
                position = self.updater.position
                if position is None:
                    return
                draft.copy(self._snapshot(position))
                locked_seconds = monotonic() - locked
            size_bytes = draft.publish()
        self.last = StoredSnapshot(monotonic(), monotonic() - began, locked_seconds, size_bytes)
        log.info(
            "snapshot.stored",
            size_bytes=size_bytes,
            seconds=round(self.last.seconds, 3),
            locked_seconds=round(locked_seconds, 3),
        )

    def _snapshot(self, position: LogPosition) -> StateSnapshot:
        state, published = self.feed.state, self.feed.ranker.published
        with self.feed.lock.writing("snapshot"):
            impressions = state.impressions.copy()  # requests change them beside the other changes
        return StateSnapshot(
            arrays={
                "state": state_to_arrays(state),
                "impressions": impressions.array_tree,
                "events": self.updater.events.array_tree(),
            },
            counting=state.counting,
            position=position,
            model_sha256="" if published is None else published.record.text_space_sha256,
        )
