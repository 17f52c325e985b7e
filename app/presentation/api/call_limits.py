"""Limits on the number of calls in a time: by key and by user for valid keys, by address for other calls."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil
from time import monotonic
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector
from starlette.types import Scope

from app.presentation.api.problems import TOO_MANY_REQUESTS, ProblemError

_MAX_CALLERS: Final = 100_000
_UNIT_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
KINDS: Final = ("key", "user", "address")


@dataclass(slots=True)
class CallCounts:
    """Counts the calls of each caller in fixed windows, which start with a caller's first call. For one thread.

    All windows are equally long, so the oldest ends first. Counting drops ended windows, and the oldest one if there
    are `max_callers`.
    """

    max_calls: int
    window_seconds: int
    max_callers: int = _MAX_CALLERS
    _windows: dict[str, tuple[int, float]] = field(default_factory=dict)  # caller -> calls, end

    def count(self, caller: str, now: float) -> float:
        """Count a call; returns 0, or the seconds to wait if the caller has made more calls than allowed."""
        calls, end = self._windows.get(caller, (0, 0.0))
        if end <= now:
            self._windows.pop(caller, None)
            self._drop_ended(now)
            calls, end = 0, now + self.window_seconds
        self._windows[caller] = calls + 1, end
        return end - now if calls >= self.max_calls else 0.0

    def _drop_ended(self, now: float) -> None:
        while self._windows:
            oldest = next(iter(self._windows))
            if self._windows[oldest][1] > now and len(self._windows) < self.max_callers:
                return
            del self._windows[oldest]


class CallLimits(Collector):
    """The limits of this process. Each is a text such as `600/minute`, or None for no limit."""

    def __init__(
        self,
        per_key: str | None = None,
        per_user: str | None = None,
        per_address: str | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        given = dict(zip(KINDS, (per_key, per_user, per_address), strict=True))
        self._counts = {kind: _parse(limit) for kind, limit in given.items() if limit is not None}
        self._rejected: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self._clock = clock

    def has(self, kind: str) -> bool:
        """Whether there is a limit of this kind, one of KINDS."""
        return kind in self._counts

    def count(self, kind: str, caller: str) -> None:
        """Count a call. Raises ProblemError if the caller has made more calls than allowed."""
        counts = self._counts.get(kind)
        if counts is not None and (seconds := counts.count(caller, self._clock())):
            self._rejected[kind] += 1
            detail = f"The limit for one {kind} is {counts.max_calls} calls in {counts.window_seconds} s"
            raise ProblemError(TOO_MANY_REQUESTS, detail, headers={"retry-after": str(ceil(seconds))})

    def collect(self) -> Iterator[Metric]:
        """The metric of rejected calls."""
        family = CounterMetricFamily("ml_http_requests_limited", "Calls above a limit", labels=["by"])
        for kind, number in self._rejected.items():
            family.add_metric([kind], number)
        yield family


def count_user(scope: Scope, user_id: str) -> None:
    """Count a call about a user, if it has a valid key. Raises ProblemError if there were more than allowed."""
    limits: CallLimits | None = scope.get("feed.limits")
    if limits is not None:
        limits.count("user", user_id)


def _parse(limit: str) -> CallCounts:
    calls, _, unit = limit.partition("/")
    return CallCounts(int(calls), _UNIT_SECONDS[unit])
