"""The times at which a replay refits its model."""

from dataclasses import dataclass

from training.replay.replay import Replay


@dataclass(frozen=True, slots=True)
class RefitSchedule:
    """The ascending times of all fits: the start of the test part, and then as the feed grows.

    A fit uses only events strictly before its time, and ranks the requests from that time on.
    """

    times: tuple[float, ...]

    @classmethod
    def of(cls, replay: Replay, *, learns: bool) -> "RefitSchedule":
        """The schedule of a replay. If no ranker learns, it holds only the start of the test part."""
        return cls((replay.test_from, *(replay.growth_times().tolist() if learns else ())))

    def due(self, time: float) -> tuple[float, ...]:
        """The fits at or before a time. The first one is always due."""
        return tuple(at for at in self.times if at <= max(time, self.times[0]))
