"""Runs rankers over a replay: learned parts are fitted on the warm-up and refitted as the feed grows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from app.infrastructure.ml.choice_model import ChoiceModel
from training.learn import Learned, LearningOptions, OfferSampler, learn, learning_requests
from training.rankers import KEPT, LEARNED, Ranked, Ranker, ranker
from training.replay import Moment, Replay

_LEAST_OFFERS = 200


@dataclass(slots=True, eq=False)
class Outcome:
    """What each ranker made of each request. Rows run along `requests`, in order of time.

    requests      (n,) rows of the history's events
    ranks         ranker -> (n,) rank of the chosen post, from 1
    lists         ranker -> (n, 50) post rows of the replayed state, -1 where a list ends early
    history       (n,) events of the user before the request
    post_age      (n,) seconds since the chosen post came to exist
    seconds       ranker -> time it took in all
    """

    requests: NDArray[np.intp]
    ranks: dict[str, NDArray[np.int64]]
    lists: dict[str, NDArray[np.int32]]
    history: NDArray[np.int64]
    post_age: NDArray[np.float64]
    learned: list[Learned] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def run(
    replay: Replay,
    rankers: Sequence[str],
    learning: LearningOptions,
    *,
    max_requests: int,
    sampler: OfferSampler | None = None,
    progress: Callable[[int, int], None] | None = None,
    watch: Callable[[Moment, ChoiceModel | None], None] | None = None,
) -> Outcome:
    """Replay up to `max_requests` requests of the test part through `rankers`.

    Where one of them learns, offers are sampled in the warm-up and, while a refit lies ahead, in the test part; with
    `sampler` given they are sampled to the end, for a final fit on everything. `watch` sees each request of the test
    part, with the learned model of the moment, before the rankers do.
    """
    learns = bool(LEARNED & set(rankers)) or sampler is not None
    tests = replay.test_requests(max_requests)
    could = learning_requests(replay, learning) if learns else tests[:0]
    warm = _affordable(replay, could, learning)
    refits = replay.growth_times() if learns else np.empty(0)
    if sampler is None:
        sampler = OfferSampler(replay.options, learning)
        late = replay.requests[replay.events.time[replay.requests] < (refits[-1] if len(refits) else -np.inf)]
    else:
        late = replay.requests
    late = late[replay.events.time[late] >= replay.test_from]
    if 0 < len(warm) < len(could) or len(warm) >= learning.requests:  # at the rate of the warm-up
        late = late[replay.hashes(late) <= replay.hashes(warm).max()]
    taught = np.union1d(warm, late if learns else late[:0])
    lessons = _lessons(replay, taught)
    teaching = np.array(sorted(lessons), np.intp)
    worth = replay.options.kind_weights()[replay.events.kind]
    schedule = np.union1d(teaching, tests)
    testing, teaches = np.isin(schedule, tests), np.isin(schedule, teaching)

    fitted: list[Learned] = []
    chosen = {
        name: ranker(name, replay.options, lambda: fitted[-1].model if fitted else None, replay.targets)
        for name in rankers
    }
    n = len(tests)
    outcome = Outcome(
        tests,
        {name: np.zeros(n, np.int64) for name in rankers},
        {name: np.full((n, KEPT), -1, np.int32) for name in rankers},
        np.zeros(n, np.int64),
        np.zeros(n),
        fitted,
        dict.fromkeys(rankers, 0.0),
    )
    due = [replay.test_from, *refits.tolist()] if LEARNED & set(rankers) else []
    hashes = replay.hashes(schedule)
    done = 0
    for at, moment in enumerate(replay.moments(schedule)):
        while due and moment.time >= due[0]:
            at_time = due.pop(0)
            if sampler.known(at_time) >= _LEAST_OFFERS:
                fitted.append(learn(sampler.offers(at_time), sampler.whole_offers(at_time), learning))
        if testing[at]:
            if watch is not None:
                watch(moment, fitted[-1].model if fitted else None)
            _ask(chosen, moment, outcome, done)
            done += 1
        if teaches[at]:
            request = lessons[moment.event]
            sampler.add(moment, float(replay.events.time[request]), float(worth[request]), int(hashes[at]))
        if progress is not None:
            progress(at + 1, len(schedule))
    return outcome


def _ask(rankers: Mapping[str, Ranker], moment: Moment, outcome: Outcome, place: int) -> None:
    """Note what each ranker makes of the request."""
    for name, rank in rankers.items():
        started = perf_counter()
        ranked: Ranked = rank(moment)
        outcome.seconds[name] += perf_counter() - started
        outcome.ranks[name][place] = ranked.rank
        outcome.lists[name][place, : len(ranked.first)] = ranked.first
    outcome.history[place] = moment.context.history_length
    outcome.post_age[place] = moment.time - moment.state.created[moment.target]


def _affordable(replay: Replay, requests: NDArray[np.intp], learning: LearningOptions) -> NDArray[np.intp]:
    """Fewer requests where most teach twice: what costs is the number of moments."""
    moments = len(_lessons(replay, requests))
    if moments <= learning.requests:
        return requests
    fewest = np.argsort(replay.hashes(requests), kind="stable")
    return np.sort(requests[fewest[: len(requests) * learning.requests // moments]])


def _lessons(replay: Replay, requests: NDArray[np.intp]) -> dict[int, int]:
    """The moments to learn `requests` from, and the request that each is about, as event rows.

    A user who looks at a post before he chooses it teaches twice: at the choice, when the look is known, and at the
    look, when the post was new to him, as every post of a served page is.
    """
    looks = dict(zip(replay.first_contacts(requests).tolist(), requests.tolist(), strict=True))
    return looks | {request: request for request in requests.tolist()}
