"""Port: the time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; fixed in tests and replays."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
