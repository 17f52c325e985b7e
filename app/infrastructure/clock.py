"""Clocks: implementations of the port `Clock`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SteppingClock:
    """The clock of the machine in whole steps, so that the requests of a step share cached results."""

    step: timedelta

    def now(self) -> datetime:
        """Return the start of the current step, aware, in UTC."""
        now = datetime.now(UTC)
        return now - (now - _EPOCH) % self.step


@dataclass(frozen=True, slots=True)
class FixedClock:
    """A clock that always returns `at`; FEED_NOW selects it."""

    at: datetime

    def now(self) -> datetime:
        """Return `at`."""
        return self.at
