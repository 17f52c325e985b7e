"""Report the status of the service. /health, /readyz and the gauges of /metrics all read it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Literal

from app.domain.services.clock import Clock

Database = Literal["up", "read_only", "down", "none"]
MAX_LOG_LAG_SECONDS = 10.0
"""A feed whose log was not read to its end for longer is stale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The last comparison of memory with the database.

    complete_change_capture  triggers capture every change of the tables behind the views
    age_seconds              time since the comparison
    interval_seconds         time between the starts of two comparisons
    differences              number of rows that differed, by kind: users, follows, controls, posts, interactions
    """

    complete_change_capture: bool
    age_seconds: float
    interval_seconds: float
    differences: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """State of the running parts at one time.

    ready             the service can answer a feed request
    has_controls      it can show posts: it knows what users hid, or SERVE_WITHOUT_CONTROLS is set
    model_version     None while no model is loaded
    ranking           "learned", or the simple ranking that serves; None while no model is loaded
    database          `none`: no database is configured; `read_only`: it answers, but rejects every write
    tail_lag_seconds  time since the last complete read of the log; None before the first one
    reconciliation    None before the first comparison of memory with the database
    warnings          tables of which the feed shows nothing, and workers that stopped
    stopped_workers   names of the background threads that ended, though the service runs
    experiments_failing  EXPERIMENTS_FILE cannot be used, and the experiments of before run
    input_stability   population stability index of each input of the model; empty before enough rankings
    usual_stability   the largest index of each input in a part of the training
    chosen_places     version of the model -> place on a page -> events that chose the post there
    stopped_variants  experiments and their variants that guardrails stopped
    promotions_rolled_back  promotions of weights over the served full training that were rolled back
    snapshot_*        of the last snapshot of the state; None before this process stored one
    """

    ready: bool
    has_controls: bool = True
    model_version: str | None = None
    ranking: str | None = None
    model_created_at: datetime | None = None
    last_reload_error: str | None = None
    reload_failures: int = 0
    database: Database = "none"
    tail_lag_seconds: float | None = None
    reconciliation: Reconciliation | None = None
    warnings: tuple[str, ...] = ()
    stopped_workers: tuple[str, ...] = ()
    users: int = 0
    posts: int = 0
    interactions: int = 0
    write_behind_pending: int = 0
    write_behind_dropped: int = 0
    impressions_pending: int = 0
    impressions_dropped: int = 0
    snapshot_age_seconds: float | None = None
    snapshot_seconds: float | None = None
    snapshot_bytes: int | None = None
    snapshot_failures: int = 0
    experiments_failing: bool = False
    input_stability: Mapping[str, float] = field(default_factory=dict)
    usual_stability: Mapping[str, float] = field(default_factory=dict)
    chosen_places: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    stopped_variants: Sequence[tuple[str, str]] = ()
    promotions_rolled_back: int = 0

    @property
    def model_loaded(self) -> bool:
        """True while a model ranks."""
        return self.model_version is not None

    @property
    def degraded(self) -> bool:
        """True while responses lack a part of the service (model, database), or no longer follow the feed."""
        is_complete = self.ready and self.model_loaded and self.database == "up"
        is_stale = self.tail_lag_seconds is not None and self.tail_lag_seconds > MAX_LOG_LAG_SECONDS
        return not is_complete or is_stale or bool(self.stopped_workers)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStatus(ServiceState):
    """The state of the service at `timestamp`, with the values that follow from it."""

    status: Literal["healthy", "degraded"]
    timestamp: datetime
    model_age_seconds: float | None


@dataclass(eq=False)
class GetHealthStatus:
    """Report the status of the service. `read_state` reads the running parts from memory, without waiting."""

    read_state: Callable[[], ServiceState]
    clock: Clock

    def __call__(self) -> HealthStatus:
        """Return the present status. Never raises and never waits for the database."""
        state, now = self.read_state(), self.clock.now()
        created = state.model_created_at
        age_seconds = None if created is None else max(0.0, (now - created).total_seconds())
        return HealthStatus(
            **{one.name: getattr(state, one.name) for one in fields(state)},
            status="degraded" if state.degraded else "healthy",
            timestamp=now,
            model_age_seconds=age_seconds,
        )
