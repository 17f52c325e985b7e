"""Which moments of a replay are learned from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.learn import LearningOptions
from training.replay import Replay

# lessons of the warm-up kept whole, which takes some fifty kilobytes each: every other one, or about so many of more
_WHOLE_EVERY, _WHOLE = 2, 1000


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """The moments to learn from, in order of time.

    moments   (n,) rows of the history's events
    requests  (n,) the request that each is about: itself, or one that follows a first look
    whole     (n,) whether to keep everything on offer, not a sample alone
    """

    moments: NDArray[np.intp]
    requests: NDArray[np.intp]
    whole: NDArray[np.bool_]


def no_lessons() -> Lessons:
    """For a replay that learns nothing."""
    none = np.empty(0, np.intp)
    return Lessons(none, none, np.empty(0, np.bool_))


def lessons(
    replay: Replay, learning: LearningOptions, until: float = np.inf, *, whole: bool = True
) -> Lessons:
    """What to learn from in the warm-up and, at the same rate, in the test part before `until`.

    Of the warm-up its later two thirds, when there was something to see. `whole`: whether anybody will ask for what was
    on offer besides the samples.
    """
    events = replay.events
    warm_up = int(np.searchsorted(events.time, replay.test_from))
    since = float(events.time[warm_up // 3]) if warm_up else 0.0
    could = replay.warm_up_requests(learning.requests, since)
    warm = _affordable(replay, could, learning)
    times = events.time[replay.requests]
    late = replay.requests[(times >= replay.test_from) & (times < until)]
    if 0 < len(warm) < len(could) or len(warm) >= learning.requests:
        late = late[replay.hashes(late) <= replay.hashes(warm).max()]
    about = _twofold(replay, np.union1d(warm, late))
    moments = np.array(sorted(about), np.intp)
    requests = np.array([about[moment] for moment in moments.tolist()], np.intp)
    # counted among themselves: what comes after the split is not to decide which of them are kept
    known = events.time[requests] < replay.test_from
    every = max(_WHOLE_EVERY, int(known.sum()) // _WHOLE)
    kept = whole & known & ((np.cumsum(known) - 1) % every == 0)
    return Lessons(moments, requests, kept)


def _affordable(replay: Replay, requests: NDArray[np.intp], learning: LearningOptions) -> NDArray[np.intp]:
    """Fewer requests where most teach twice: what costs is the number of moments."""
    moments = len(_twofold(replay, requests))
    if moments <= learning.requests:
        return requests
    fewest = np.argsort(replay.hashes(requests), kind="stable")
    return np.sort(requests[fewest[: len(requests) * learning.requests // moments]])


def _twofold(replay: Replay, requests: NDArray[np.intp]) -> dict[int, int]:
    """The moments to learn `requests` from, and the request that each is about, as event rows.

    A user who looks at a post before he chooses it teaches twice: at the choice, when the look is known, and at the
    look, when the post was new to him, as every post of a served page is.
    """
    looks = dict(zip(replay.first_contacts(requests).tolist(), requests.tolist(), strict=True))
    return looks | {request: request for request in requests.tolist()}
