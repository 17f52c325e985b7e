"""The Clock port: the machine's time, or a fixed one."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SteppingClock:
    """The machine's clock, in whole steps: what was found for a moment then serves every request of the step."""

    step: timedelta

    def now(self) -> datetime:
        """The begin of the present step, aware, UTC."""
        moment = datetime.now(UTC)
        return moment - (moment - _EPOCH) % self.step


@dataclass(frozen=True, slots=True)
class FixedClock:
    """Always `at`: what `FEED_NOW` sets."""

    at: datetime

    def now(self) -> datetime:
        """`at`."""
        return self.at
