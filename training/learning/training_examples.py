"""Selects the requests of a replay that the model learns from."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay

# Of the warm-up's examples at most every second keeps its full choice set (about 50 kB), and about 1,000 in all.
_MIN_FULL_STRIDE, _MAX_FULL_SETS = 2, 1000


@dataclass(frozen=True, slots=True, eq=False)
class TrainingExamples:
    """The training examples of a replay, in order of time. By default there are none.

    event_rows  (n,) rows of the dataset's events; candidates are sampled from the feed just before each
    requests    (n,) row of the request with the choice of the example: the event itself, or a later one
    full        (n,) whether the example keeps all nominated candidates in addition to its sample
    """

    event_rows: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    requests: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    full: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))


def training_examples(
    replay: Replay, learning: LearningOptions, until: float = np.inf, *, keep_full: bool = True
) -> TrainingExamples:
    """Examples from the last two thirds of the warm-up and, at the same rate, from the test part before `until`.

    The first third is skipped, because its feed is nearly empty. Without `keep_full` no example keeps its full set.
    """
    events = replay.events
    warm_up_events = int(np.searchsorted(events.time, replay.test_from))
    since = float(events.time[warm_up_events // 3]) if warm_up_events else 0.0
    available = replay.warm_up_requests(learning.requests, since)
    warm_up = _limit_events(replay, available, learning)
    times = events.time[replay.requests]
    later = replay.requests[(times >= replay.test_from) & (times < until)]
    if 0 < len(warm_up) < len(available) or len(warm_up) >= learning.requests:
        later = later[replay.hashes(later) <= replay.hashes(warm_up).max()]
    request_of = _requests_by_event(replay, np.union1d(warm_up, later))
    event_rows = np.array(sorted(request_of), np.intp)
    requests = np.array([request_of[event] for event in event_rows.tolist()], np.intp)
    # The stride counts warm-up examples only, so that events after the split cannot change which of them are kept.
    known = events.time[requests] < replay.test_from
    stride = max(_MIN_FULL_STRIDE, int(known.sum()) // _MAX_FULL_SETS)
    full = keep_full & known & ((np.cumsum(known) - 1) % stride == 0)
    return TrainingExamples(event_rows, requests, full)


def _limit_events(replay: Replay, requests: NDArray[np.intp], learning: LearningOptions) -> NDArray[np.intp]:
    """Fewer requests if they give more than `learning.requests` examples, because each example takes time."""
    n_examples = len(_requests_by_event(replay, requests))
    if n_examples <= learning.requests:
        return requests
    by_hash = np.argsort(replay.hashes(requests), kind="stable")
    return np.sort(requests[by_hash[: len(requests) * learning.requests // n_examples]])


def _requests_by_event(replay: Replay, requests: NDArray[np.intp]) -> dict[int, int]:
    """The event rows of the examples of `requests`, with the request of each.

    A user who views a post before choosing it gives two examples. At the choice the view is known. At the first view
    the post was new to the user, as is every post of a served page.
    """
    first_views = dict(zip(replay.first_interactions(requests).tolist(), requests.tolist(), strict=True))
    return first_views | {request: request for request in requests.tolist()}
