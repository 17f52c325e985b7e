"""Runs rankers over a replay: learned parts are fitted on the warm-up and refitted as the feed grows."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from app.infrastructure.ml.choice_model import ChoiceModel
from training.learn import Learned, LearningOptions, learn
from training.lessons import lessons, no_lessons
from training.offers import OfferBook
from training.rankers import KEPT, LEARNED, Ranked, Ranker, ranker
from training.replay import Moment, Replay
from training.second_process import SecondProcess, is_worth_it

_LEAST_OFFERS = 200

AtSplit = Callable[[ChoiceModel | None], None]
"""Called with the first learned model, None where there is too little to learn from."""


@dataclass(slots=True, eq=False)
class Outcome:
    """What each ranker made of each request. Rows run along `requests`, in order of time.

    requests      (n,) rows of the history's events
    ranks         ranker -> (n,) rank of the chosen post, from 1
    lists         ranker -> (n, 50) post rows of the replayed state, -1 where a list ends early
    history       (n,) events of the user before the request
    post_age      (n,) seconds since the chosen post came to exist
    seconds       ranker -> time it took in all
    learned       what was learned on the way, in order
    offers        what it was learned from
    """

    requests: NDArray[np.intp]
    ranks: dict[str, NDArray[np.int64]]
    lists: dict[str, NDArray[np.int32]]
    history: NDArray[np.int64]
    post_age: NDArray[np.float64]
    offers: OfferBook
    learned: list[Learned] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def run(
    replay: Replay,
    rankers: Sequence[str],
    learning: LearningOptions,
    *,
    max_requests: int,
    samples_all: bool = False,
    second_process: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
    watch: Callable[[Moment, ChoiceModel | None], None] | None = None,
    at_split: AtSplit | None = None,
) -> Outcome:
    """Replay up to `max_requests` requests of the test part through `rankers`.

    Where one of them learns, offers are sampled in the warm-up and, while a refit lies ahead, in the test part; with
    `samples_all` they are sampled to the end, for a final fit on everything. `watch` sees each request of the test
    part, with the learned model of the moment, before the rankers do. `at_split` is called once, while the replay has
    not gone beyond the start of the test part. A `second_process` (default: where it is worth it) changes nothing but
    the time it takes. Raises ChildProcessError when that process is killed.
    """
    fits, explains = bool(LEARNED & set(rankers)), watch is not None
    course = _Course(replay, learning, fits, explains, samples_all, second_process, at_split)
    tests = replay.test_requests(max_requests)
    schedule = np.union1d(tests, course.moments)
    testing = np.isin(schedule, tests)
    chosen = {name: ranker(name, replay.options, course.model) for name in rankers}
    n = len(tests)
    outcome = Outcome(
        tests,
        {name: np.zeros(n, np.int64) for name in rankers},
        {name: np.full((n, KEPT), -1, np.int32) for name in rankers},
        np.zeros(n, np.int64),
        np.zeros(n),
        course.book,
        course.fitted,
        dict.fromkeys(rankers, 0.0),
    )
    tested = 0
    with closing(course):
        for at, event in enumerate(schedule.tolist()):
            course.reach(float(replay.events.time[event]))
            moment = replay.request(event)
            if testing[at]:
                if watch is not None:
                    watch(moment, course.model())
                _ask(chosen, moment, outcome, tested)
                tested += 1
            course.attend(moment)
            if progress is not None:
                progress(at + 1, len(schedule))
        course.finish()
    return outcome


class _Course:
    """Learning in the course of a replay: at lessons on the way, with what they taught at the times that are due."""

    def __init__(
        self,
        replay: Replay,
        learning: LearningOptions,
        fits: bool,
        explains: bool,
        samples_all: bool,
        second_process: bool | None,
        at_split: AtSplit | None,
    ) -> None:
        self.fitted: list[Learned] = []
        self._replay, self._learning, self._at_split = replay, learning, at_split
        self._fits, self._explains = fits, explains
        self._due = [replay.test_from, *(replay.growth_times().tolist() if fits else [])]
        if samples_all:
            taught = lessons(replay, learning)
        elif fits:
            taught = lessons(replay, learning, self._due[-1], whole=explains)
        else:
            taught = no_lessons()
        apart = is_worth_it(len(taught.moments)) if second_process is None else second_process
        self.book = OfferBook(replay, taught, learning, shared=apart)
        self._own, self._second = np.arange(len(taught.moments)), None
        if apart:
            theirs = self._shared_out(replay)
            self._own = np.flatnonzero(~theirs)
            stops = [*self._due, np.inf]
            self._second = SecondProcess(replay, self.book, np.flatnonzero(theirs), stops)
        self.moments = taught.moments[self._own]
        self._attended = 0

    def _shared_out(self, replay: Replay) -> NDArray[np.bool_]:
        """Which lessons go to a second process: half of the warm-up's, and all of the test part, where this one is
        busy with the rankers."""
        lessons = self.book.lessons
        late = replay.events.time[lessons.moments] >= replay.test_from
        # every second of the whole ones, which take the longest, and of the others
        turn = np.where(lessons.whole, np.cumsum(lessons.whole), np.cumsum(~lessons.whole))
        theirs: NDArray[np.bool_] = late | (turn % 2 == 1)
        return theirs

    def model(self) -> ChoiceModel | None:
        """As of the moment; None before there was enough to learn from."""
        return self.fitted[-1].model if self.fitted else None

    def reach(self, now: float) -> None:
        """Learn what is due by `now`. The replay must not have come as far as that."""
        while self._due and now >= self._due[0]:
            at = self._due.pop(0)
            if self._fits and self.book.known(at) >= _LEAST_OFFERS:
                self._wait(at)
                # without them probabilities are left uncorrected, which nobody asks for unless he watches
                whole = self.book.whole_offers(at) if self._explains else []
                self.fitted.append(learn(self.book.offers(at), whole, self._learning))
            if at == self._replay.test_from and self._at_split is not None:
                self._at_split(self.model())

    def attend(self, moment: Moment) -> None:
        """Sample the moment if it is the next to learn from."""
        at = self._attended
        if at == len(self.moments) or moment.event != self.moments[at]:
            return
        self._attended += 1
        self.book.sample(int(self._own[at]), moment)

    def finish(self) -> None:
        """Learn what is due at the split where nothing was asked after it, and have all that was to be sampled."""
        self.reach(self._replay.test_from)
        self._wait(np.inf)

    def close(self) -> None:
        """Leave no process behind."""
        if self._second is not None:
            self._second.close()

    def _wait(self, stop: float) -> None:
        if self._second is not None:
            self._second.wait(stop)


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
