"""Port: the time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Returns the time; tests and replays fix it."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""
