"""How often the workers poll."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class PollIntervals:
    """Pauses in seconds between two polls of one thing.

    log, registry      new rows of the log, new models
    reconcile          a comparison of memory with the database
    newest             a read of the newest posts, only for tables without triggers
    eviction           a look whether too many posts are in memory
    user_eviction      a look whether users in memory have been away for long
    experiment         a read-out of each experiment, by one of the replicas
    purge              removal of outbox rows older than `outbox_ttl`
    """

    log_seconds: float = 0.25
    registry_seconds: float = 2.0
    reconcile_seconds: float = 60.0
    newest_seconds: float = 2.0
    eviction_seconds: float = 1.0
    user_eviction_seconds: float = 600.0
    experiment_seconds: float = 3600.0
    purge_seconds: float = 3600.0
    outbox_ttl: timedelta = timedelta(days=7)
