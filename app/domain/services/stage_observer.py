"""Port: how long the stages of an answer take."""

from typing import Protocol


class StageObserver(Protocol):
    """Called after each stage of a request. It must be fast and never raise."""

    def observe(self, stage: str, seconds: float) -> None:
        """`stage` (sources, filter, score, select, encode, total) took `seconds`."""
