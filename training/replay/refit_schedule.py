"""When a replay refits its model."""

from dataclasses import dataclass

from training.replay.replay import Replay


@dataclass(frozen=True, slots=True)
class RefitSchedule:
    """The times, ascending, at which the model is fitted: the start of the test part, and then as the feed grows.

    A refit at a time uses only what was known strictly before it, and ranks the requests from that time on.
    """

    times: tuple[float, ...]

    @classmethod
    def of(cls, replay: Replay, *, learns: bool) -> "RefitSchedule":
        """The schedule of a replay. Without a ranker that learns, only the start of the test part is in it."""
        return cls((replay.test_from, *(replay.growth_times().tolist() if learns else ())))

    def due(self, time: float) -> tuple[float, ...]:
        """The refits up to a time, which is included. The first one is always due."""
        return tuple(at for at in self.times if at <= max(time, self.times[0]))
