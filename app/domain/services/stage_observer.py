"""Port: receives the time of each stage of a response."""

from typing import Protocol


class StageObserver(Protocol):
    """Its method is called after each stage of a request. It must be fast and never raise."""

    def observe(self, stage: str, seconds: float) -> None:
        """Record that `stage` (sources, filter, score, select, encode, total) took `seconds`."""
