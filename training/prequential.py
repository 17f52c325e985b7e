"""Runs rankers over a replay: learned parts are fitted on the warm-up and refitted as the feed grows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.learn import Learned, LearningOptions, OfferSampler, learn, learning_requests
from training.rankers import KEPT, LEARNED, Ranked, ranker
from training.replay import Replay

_LEAST_OFFERS = 200


@dataclass(slots=True, eq=False)
class Outcome:
    """What each ranker made of each request. Rows run along `requests`, in order of time.

    requests      (n,) rows of the history's events
    ranks         ranker -> (n,) rank of the chosen post, from 1
    lists         ranker -> (n, 50) post rows of the replayed state, -1 where a list ends early
    history       (n,) events of the user before the request
    post_age      (n,) seconds since the chosen post came to exist
    """

    requests: NDArray[np.intp]
    ranks: dict[str, NDArray[np.int64]]
    lists: dict[str, NDArray[np.int32]]
    history: NDArray[np.int64]
    post_age: NDArray[np.float64]
    learned: list[Learned] = field(default_factory=list)


def run(
    replay: Replay,
    rankers: Sequence[str],
    learning: LearningOptions,
    *,
    max_requests: int,
    sampler: OfferSampler | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Replay up to `max_requests` requests of the test part through `rankers`.

    Where one of them learns, offers are sampled in the warm-up and, while a refit lies ahead, in the test part; with
    `sampler` given they are sampled to the end, for a final fit on everything.
    """
    learns = bool(LEARNED & set(rankers)) or sampler is not None
    tests = replay.test_requests(max_requests)
    warm = learning_requests(replay, learning) if learns else tests[:0]
    refits = replay.growth_times() if learns else np.empty(0)
    if sampler is None:
        sampler = OfferSampler(replay.options, learning)
        late = replay.requests[replay.events.time[replay.requests] < (refits[-1] if len(refits) else -np.inf)]
    else:
        late = replay.requests
    late = late[replay.events.time[late] >= replay.test_from]
    if len(warm):  # at the rate of the warm-up
        late = late[replay.hashes(late) <= replay.hashes(warm).max()] if len(warm) >= learning.requests else late
    schedule = np.union1d(np.union1d(warm, late if learns else late[:0]), tests)
    testing, teaching = np.isin(schedule, tests), np.isin(schedule, warm) | np.isin(schedule, late)

    fitted: list[Learned] = []
    chosen = {name: ranker(name, replay.options, lambda: fitted[-1].model if fitted else None, replay.targets) for name in rankers}
    n = len(tests)
    outcome = Outcome(
        tests,
        {name: np.zeros(n, np.int64) for name in rankers},
        {name: np.full((n, KEPT), -1, np.int32) for name in rankers},
        np.zeros(n, np.int64),
        np.zeros(n),
        fitted,
    )
    due = [replay.test_from, *refits.tolist()] if LEARNED & set(rankers) else []
    hashes = replay.hashes(schedule)
    done = 0
    for at, moment in enumerate(replay.moments(schedule)):
        while due and moment.time >= due[0]:
            due.pop(0)
            if len(sampler) >= _LEAST_OFFERS:
                fitted.append(learn(sampler.offers(), learning))
        if testing[at]:
            for name, rank in chosen.items():
                ranked: Ranked = rank(moment)
                outcome.ranks[name][done] = ranked.rank
                outcome.lists[name][done, : len(ranked.first)] = ranked.first
            outcome.history[done] = moment.context.history_length
            outcome.post_age[done] = moment.time - moment.state.created[moment.target]
            done += 1
        if teaching[at] and learns:
            sampler.add(moment, int(hashes[at]))
        progress(at + 1, len(schedule))
    return outcome
