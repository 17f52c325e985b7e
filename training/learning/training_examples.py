"""Chooses the moments of a replay that the model learns from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay

# Of the warm-up's examples at most every second keeps its full choice set (about 50 kB), and about 1,000 in all.
_MIN_FULL_STRIDE, _MAX_FULL_SETS = 2, 1000


@dataclass(frozen=True, slots=True, eq=False)
class TrainingExamples:
    """The training examples of a replay, in order of time.

    moments   (n,) rows of the history's events; candidates are sampled from the feed just before each
    requests  (n,) row of the request whose choice the example learns: the moment itself, or a later event
    full      (n,) whether all nominated candidates are kept, not only a sample
    """

    event_rows: NDArray[np.intp]
    requests: NDArray[np.intp]
    full: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.event_rows)


def no_examples() -> TrainingExamples:
    """For a replay that learns nothing."""
    none = np.empty(0, np.intp)
    return TrainingExamples(none, none, np.empty(0, np.bool_))


def training_examples(
    replay: Replay, learning: LearningOptions, until: float = np.inf, *, keep_full: bool = True
) -> TrainingExamples:
    """Examples from the last two thirds of the warm-up and, at the same rate, from the test part before `until`.

    The first third is left out: its feed is nearly empty. Without `keep_full` no full choice set is kept.
    """
    events = replay.events
    warm_up_events = int(np.searchsorted(events.time, replay.test_from))
    since = float(events.time[warm_up_events // 3]) if warm_up_events else 0.0
    available = replay.warm_up_requests(learning.requests, since)
    warm_up = _limit_moments(replay, available, learning)
    times = events.time[replay.requests]
    later = replay.requests[(times >= replay.test_from) & (times < until)]
    if 0 < len(warm_up) < len(available) or len(warm_up) >= learning.requests:
        later = later[replay.hashes(later) <= replay.hashes(warm_up).max()]
    request_of = _requests_by_moment(replay, np.union1d(warm_up, later))
    moments = np.array(sorted(request_of), np.intp)
    requests = np.array([request_of[moment] for moment in moments.tolist()], np.intp)
    # The stride counts warm-up examples only, so that events after the split cannot change which of them are kept.
    known = events.time[requests] < replay.test_from
    stride = max(_MIN_FULL_STRIDE, int(known.sum()) // _MAX_FULL_SETS)
    full = keep_full & known & ((np.cumsum(known) - 1) % stride == 0)
    return TrainingExamples(moments, requests, full)


def _limit_moments(replay: Replay, requests: NDArray[np.intp], learning: LearningOptions) -> NDArray[np.intp]:
    """Fewer requests if they have more than `learning.requests` moments, because each moment has a cost."""
    moments = len(_requests_by_moment(replay, requests))
    if moments <= learning.requests:
        return requests
    by_hash = np.argsort(replay.hashes(requests), kind="stable")
    return np.sort(requests[by_hash[: len(requests) * learning.requests // moments]])


def _requests_by_moment(replay: Replay, requests: NDArray[np.intp]) -> dict[int, int]:
    """The moments that `requests` are learned from, with the request of each, as event rows.

    A user who views a post before choosing it gives two examples. At the choice the view is known. At the first view
    the post was new to the user, as every post of a served page is.
    """
    first_views = dict(zip(replay.first_interactions(requests).tolist(), requests.tolist(), strict=True))
    return first_views | {request: request for request in requests.tolist()}
