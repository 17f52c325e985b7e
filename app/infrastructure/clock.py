"""The Clock port: the machine's time, or a fixed one."""

from dataclasses import dataclass
from datetime import UTC, datetime


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class FixedClock:
    """Always `at`: what `FEED_NOW` sets."""

    at: datetime

    def now(self) -> datetime:
        """`at`."""
        return self.at
