"""Port: how long the stages of an answer take."""

from typing import Protocol


class StageObserver(Protocol):
    """Told after each stage of an answer; called on the request path, so it must be quick and never raise."""

    def observe(self, stage: str, seconds: float) -> None:
        """`stage` (sources, filter, score, select, encode, total) took `seconds`."""
