"""How the service is: what it serves with, and which part is missing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from app.domain.services.clock import Clock


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What the running parts know of themselves at one moment.

    ready             a feed can be answered, from whatever is known
    database_ok       None where no database is set up
    tail_lag_seconds  time since the log was last read to its end, None before the first time
    """

    ready: bool
    model_version: str | None = None
    model_loaded: bool = False
    model_created_at: datetime | None = None
    last_reload_error: str | None = None
    reload_failures: int = 0
    database_ok: bool | None = None
    tail_lag_seconds: float | None = None
    users: int = 0
    posts: int = 0
    interactions: int = 0
    write_behind_waiting: int = 0
    write_behind_dropped: int = 0


class ServiceStatusReader(Protocol):
    """Port: the running parts, asked from memory; never waits."""

    def state(self) -> ServiceState:
        """The present state."""


@dataclass(frozen=True, slots=True)
class HealthStatus:
    """The state, judged: `degraded` means that answers lack a part (model, database)."""

    status: Literal["healthy", "degraded"]
    timestamp: datetime
    model_age_seconds: float | None
    state: ServiceState


class GetHealthStatus:
    """Judge the present state."""

    def __init__(self, reader: ServiceStatusReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    def __call__(self) -> HealthStatus:
        """Never raises and never waits for the database."""
        state, now = self._reader.state(), self._clock.now()
        whole = state.ready and state.model_loaded and state.database_ok is True
        made = state.model_created_at
        age = None if made is None else max(0.0, (now - made).total_seconds())
        return HealthStatus("healthy" if whole else "degraded", now, age, state)
