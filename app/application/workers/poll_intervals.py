"""How often the feed's keeper looks where."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class PollIntervals:
    """Seconds between looks at the log, at the registry, and, where tables have no triggers of ours, at everything that
    exists and at the newest posts; and between sweeps of the outbox, which is kept for `outbox_life`."""

    tail: float = 0.25
    registry: float = 2.0
    reconcile: float = 60.0
    newest: float = 2.0
    purge: float = 3600.0
    outbox_life: timedelta = timedelta(days=7)
