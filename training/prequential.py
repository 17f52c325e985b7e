"""Runs rankers over a replay: learned parts are fitted on the warm-up and refitted as the feed grows."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.infrastructure.ml.choice_model import ChoiceModel
from training.fit_choice import WholeOffer
from training.learn import Learned, LearningOptions, learn
from training.lessons import lessons, no_lessons
from training.offers import OfferBook
from training.rankers import KEPT, LEARNED, Ranked, ranker
from training.replay import Moment, Replay
from training.second_process import SecondProcess, Turns, is_worth_it, zeros

_LEAST_OFFERS = 200

AtSplit = Callable[[ChoiceModel | None], None]
"""Called with the first learned model, None where there is too little to learn from."""
Watch = Callable[[Moment, ChoiceModel | None], Any]
"""Says what it sees of a request of the test part, given the learned model of the moment."""


@dataclass(slots=True, eq=False)
class Outcome:
    """What each ranker made of each request. Rows run along `requests`, in order of time.

    requests      (n,) rows of the history's events
    ranks         ranker -> (n,) rank of the chosen post, from 1
    lists         ranker -> (n, 50) post rows of the replayed state, -1 where a list ends early
    history       (n,) events of the user before the request
    post_age      (n,) seconds since the chosen post came to exist
    offers        what was learned from
    seconds       ranker -> time it took in all, in whichever process
    seen          (n,) what `watch` said; empty without one
    learned       what was learned on the way, in order
    """

    requests: NDArray[np.intp]
    ranks: dict[str, NDArray[np.int64]]
    lists: dict[str, NDArray[np.int32]]
    history: NDArray[np.int64]
    post_age: NDArray[np.float64]
    offers: OfferBook
    seconds: dict[str, float]
    seen: list[Any] = field(default_factory=list)
    learned: list[Learned] = field(default_factory=list)


def run(
    replay: Replay,
    rankers: Sequence[str],
    learning: LearningOptions,
    *,
    max_requests: int,
    samples_all: bool = False,
    second_process: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
    watch: Watch | None = None,
    at_split: AtSplit | None = None,
) -> Outcome:
    """Replay up to `max_requests` requests of the test part through `rankers`.

    Where one of them learns, offers are sampled in the warm-up and, while a refit lies ahead, in the test part; with
    `samples_all` they are sampled to the end, for a final fit on everything. `watch` sees each request before the
    rankers do. `at_split` is called once, while the replay has not gone beyond the start of the test part. A
    `second_process` (default: where it is worth it) changes nothing but the time it takes; what `watch` says goes
    from one to the other by pickle. Raises ChildProcessError when that process is killed.
    """
    fits = bool(LEARNED & set(rankers))
    due = [replay.test_from, *(replay.growth_times().tolist() if fits else [])]
    if samples_all:
        taught = lessons(replay, learning)
    elif fits:
        taught = lessons(replay, learning, due[-1], whole=watch is not None)
    else:
        taught = no_lessons()
    tests = replay.test_requests(max_requests)
    schedule = np.union1d(tests, taught.moments)
    apart = is_worth_it(len(schedule)) if second_process is None else second_process
    outcome = _blank(rankers, tests, OfferBook(replay, taught, learning, shared=apart), shared=apart)
    work = _Work(replay, schedule, rankers, outcome, watch)
    turns = Turns(len(work.times), shared=apart)
    second = SecondProcess(work, turns, due) if apart else None
    course = _Course(work, second, due, learning if fits else None, at_split)
    with closing(course):
        for at in turns:
            course.reach(float(work.times[at]))
            work.attend(at)
            if progress is not None:
                progress(at + 1, len(work.times))
        course.finish()
    return outcome


class _Work:
    """What is done at the moments of a schedule: rankers are asked, and what there is to learn from is sampled.

    Moments of one time are done together, as they have much in common: a look and the choice at once ask the same.
    """

    def __init__(
        self,
        replay: Replay,
        schedule: NDArray[np.intp],
        rankers: Sequence[str],
        outcome: Outcome,
        watch: Watch | None,
    ) -> None:
        """`schedule`: event rows, in order of time; the requests and lessons of `outcome` among them."""
        self.replay, self.outcome = replay, outcome
        self.times, starts = np.unique(replay.events.time[schedule], return_index=True)
        self._together = np.split(np.arange(len(schedule)), starts[1:])
        self._schedule = schedule
        self._place = _places(schedule, outcome.requests)
        self._lesson = _places(schedule, outcome.offers.lessons.moments)
        self._model: ChoiceModel | None = None
        self._rankers = {name: ranker(name, replay.options, lambda: self._model) for name in rankers}
        self._watch = watch
        self._seen: list[tuple[int, Any]] = []

    @property
    def watched(self) -> bool:
        return self._watch is not None

    def attend(self, at: int) -> None:
        for one in self._together[at].tolist():
            moment = self.replay.request(self._schedule.item(one))
            place, lesson = self._place.item(one), self._lesson.item(one)
            if place >= 0:
                if self._watch is not None:
                    self._seen.append((place, self._watch(moment, self._model)))
                self._ask(moment, place)
            if lesson >= 0:
                self.outcome.offers.sample(lesson, moment)

    def tell(self, told: ChoiceModel | None) -> None:
        self._model = told

    def hand_over(self) -> tuple[list[WholeOffer], list[tuple[int, Any]], dict[str, float]]:
        seen, self._seen = self._seen, []
        seconds, self.outcome.seconds = self.outcome.seconds, dict.fromkeys(self._rankers, 0.0)
        return self.outcome.offers.hand_over(), seen, seconds

    def keep(self, found: tuple[list[WholeOffer], list[tuple[int, Any]], dict[str, float]]) -> None:
        whole, seen, seconds = found
        self.outcome.offers.keep(whole)
        self._seen += seen
        for name, took in seconds.items():
            self.outcome.seconds[name] += took

    def seen(self) -> list[Any]:
        """What was seen of the requests, in their order."""
        return [seen for _, seen in sorted(self._seen, key=lambda one: one[0])]

    def _ask(self, moment: Moment, place: int) -> None:
        """Note what each ranker makes of the request."""
        outcome = self.outcome
        for name, rank in self._rankers.items():
            started = perf_counter()
            ranked: Ranked = rank(moment)
            outcome.seconds[name] += perf_counter() - started
            outcome.ranks[name][place] = ranked.rank
            outcome.lists[name][place, : len(ranked.first)] = ranked.first
        outcome.history[place] = moment.context.history_length
        outcome.post_age[place] = moment.time - moment.state.created[moment.target]


class _Course:
    """Learning in the course of a replay, at the times that are due, from what both processes have sampled by then."""

    def __init__(
        self,
        work: _Work,
        second: SecondProcess | None,
        due: Sequence[float],
        learning: LearningOptions | None,
        at_split: AtSplit | None,
    ) -> None:
        """Without `learning` nothing is learned; whoever asks is told so at each time that is due."""
        self._work, self._second, self._due = work, second, list(due)
        self._learning, self._at_split = learning, at_split

    def reach(self, now: float) -> None:
        """Learn what is due by `now`. The replay must not have come as far as that."""
        while self._due and now >= self._due[0]:
            at = self._due.pop(0)
            model = self._learned(at)
            self._work.tell(model)
            if self._second is not None:
                self._second.tell(model)
            if at == self._work.replay.test_from and self._at_split is not None:
                self._at_split(model)

    def finish(self) -> None:
        """Learn what the second process alone has come to, and at the split where nothing was asked after it; have all
        that was to be done."""
        self.reach(max(self._work.replay.test_from, self._work.times.max(initial=-np.inf)))
        if self._second is not None:
            self._second.wait()
        self._work.outcome.seen = self._work.seen()

    def close(self) -> None:
        """Leave no process behind."""
        if self._second is not None:
            self._second.close()

    def _learned(self, at: float) -> ChoiceModel | None:
        """The model as of a time; None before there is enough to learn from."""
        outcome = self._work.outcome
        book, fitted = outcome.offers, outcome.learned
        if self._learning is not None and book.known(at) >= _LEAST_OFFERS:
            if self._second is not None:
                self._second.wait(at)
            # without them probabilities are left uncorrected, which nobody asks for unless he watches
            whole = book.whole_offers(at) if self._work.watched else []
            fitted.append(learn(book.offers(at), whole, self._learning))
        return fitted[-1].model if fitted else None


def _blank(rankers: Sequence[str], requests: NDArray[np.intp], offers: OfferBook, *, shared: bool) -> Outcome:
    n = len(requests)
    lists = {name: zeros((n, KEPT), np.int32, shared=shared) for name in rankers}
    for one in lists.values():
        one.fill(-1)
    return Outcome(
        requests,
        {name: zeros((n,), np.int64, shared=shared) for name in rankers},
        lists,
        zeros((n,), np.int64, shared=shared),
        zeros((n,), np.float64, shared=shared),
        offers,
        dict.fromkeys(rankers, 0.0),
    )


def _places(schedule: NDArray[np.intp], some: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each of the schedule stands in `some` of it (ascending), -1 for those that do not."""
    places = np.full(len(schedule), -1, np.intp)
    places[np.searchsorted(schedule, some)] = np.arange(len(some))
    return places
