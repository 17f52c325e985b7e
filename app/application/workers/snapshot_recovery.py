"""Starts from a snapshot of the state: the newest one that this process can use."""

import structlog

from app.application.workers.event_updates import EventUpdates
from app.application.workers.state_updater import StateUpdater
from app.domain.feed.array_tree import group_of
from app.domain.feed.impressions import FeedImpressions
from app.domain.feed.state_arrays import state_from_arrays
from app.domain.repositories.snapshot_store import SnapshotStore

log = structlog.get_logger()


def restore_state(updater: StateUpdater, store: SnapshotStore) -> str | None:
    """Serve the state of the newest snapshot, without a model. None if there is no snapshot of this counting rule.

    Returns the SHA-256 of the artefact in whose text space its posts have vectors.
    """
    feed = updater.feed
    for name, snapshot in store.newest():
        if snapshot.counting != feed.state.counting:
            log.info("snapshot.ignored", name=name, cause="its events count by another rule")
            continue
        try:
            state = state_from_arrays(
                group_of(snapshot.arrays, "state"), snapshot.counting, feed.state.limits
            )
            impressions = group_of(snapshot.arrays, "impressions")
            state.impressions = FeedImpressions.from_tree(impressions, state.n_users, state.n_posts)
            events = EventUpdates.from_tree(group_of(snapshot.arrays, "events"))
        except (ValueError, IndexError) as error:
            log.warning("snapshot.rejected", name=name, cause=str(error))
            continue
        updater.replace_state(state, None, events, snapshot.position)
        feed.is_restored = True
        log.info("snapshot.restored", name=name, users=state.n_users, posts=state.n_posts)
        return snapshot.model_sha256
    return None
