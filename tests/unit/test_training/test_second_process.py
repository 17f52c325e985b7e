"""A second process does what the first one would have, and its end is told."""

import multiprocessing
import os
import signal

import numpy as np
import pytest

from app.infrastructure.ml.ranking import RankingOptions
from tests.feeds import generated
from training import second_process as module
from training.learn import LearningOptions
from training.prequential import Outcome, run
from training.replay import Replay, target_kinds
from training.second_process import SecondProcess, Turns, zeros

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork"
)
QUICK = LearningOptions(requests=250, candidates=20, ridges=(1e-3,), units=(4,))


def test_what_two_processes_sample_learn_and_rank_is_what_one_does():
    history = generated(users=60, posts=200, interactions=4000)

    def played(second_process: bool) -> Outcome:
        replay = Replay(history, RankingOptions(), targets=target_kinds(history))
        return run(
            replay,
            ["newest", "formula", "learned", "served"],
            QUICK,
            max_requests=150,
            samples_all=True,
            second_process=second_process,
            watch=lambda moment, model: (moment.event, model is None, os.getpid()),
        )

    alone, together = played(False), played(True)

    for name in alone.ranks:
        assert np.array_equal(alone.ranks[name], together.ranks[name])
        assert np.array_equal(alone.lists[name], together.lists[name])
        assert together.seconds[name] > 0
    assert np.array_equal(alone.history, together.history)
    assert np.array_equal(alone.post_age, together.post_age)
    assert [seen[:2] for seen in alone.seen] == [seen[:2] for seen in together.seen]
    assert len({process for *_, process in together.seen}) == 2, "either takes its turns"
    one, other = alone.offers.offers(), together.offers.offers()
    assert len(one) > 250
    assert np.array_equal(one.inputs, other.inputs)
    assert np.array_equal(one.log_weight, other.log_weight)
    whole, same = alone.offers.whole_offers(), together.offers.whole_offers()
    assert whole
    assert [(o.number, o.chosen) for o in whole] == [(o.number, o.chosen) for o in same]
    assert all(np.array_equal(o.inputs, p.inputs) for o, p in zip(whole, same, strict=True))


class Counting:
    """Work that notes what it was told when it did what, in memory that both processes share."""

    def __init__(self, n: int) -> None:
        self.times = np.arange(float(n))
        self.told = zeros((n,), np.int64, shared=True)
        self.found: list[int] = []
        self._mine: list[int] = []
        self._now = -1

    def attend(self, at: int) -> None:
        self.told[at] = self._now
        self._mine.append(at)

    def tell(self, told: int) -> None:
        self._now = told

    def hand_over(self) -> list[int]:
        mine, self._mine = self._mine, []
        return mine

    def keep(self, found: list[int]) -> None:
        self.found += found


def test_what_is_told_at_a_stop_is_known_from_it_on_and_not_before():
    work, stops = Counting(90), [30.0, 60.0, 1000.0]
    turns = Turns(90, shared=True)
    second = SecondProcess(work, turns, stops)
    try:
        for number, stop in enumerate(stops[:2]):
            second.wait(stop)  # this process takes no turn, so it does them all
            assert (work.told[: int(stop)] == np.repeat([-1, 0], 30)[: int(stop)]).all()
            second.tell(number)
        second.wait()
        assert (work.told == np.repeat([-1, 0, 1], 30)).all()
        assert work.found == list(range(90))
        assert list(turns) == []
        second.tell(2)  # for the stop that none of its moments had reached
    finally:
        second.close()


def test_a_process_that_ends_early_is_an_error_and_no_wait():
    class Broken(Counting):
        def attend(self, at):
            raise SystemExit(3)

    second = SecondProcess(Broken(3), Turns(3, shared=True), [1.0])
    try:
        with pytest.raises(ChildProcessError, match="ended early"):
            second.wait(1.0)
        second.tell(None)
    finally:
        second.close()


def test_a_turn_that_a_killed_process_took_with_it_is_an_error_and_no_wait(monkeypatch):
    monkeypatch.setattr(module, "_STUCK", 0.05)
    turns = Turns(3, shared=True)
    context = multiprocessing.get_context("fork")
    killed = context.Process(target=_takes_the_lock_and_dies, args=(turns,))
    killed.start()
    killed.join()

    with pytest.raises(ChildProcessError, match="took its turn"):
        next(iter(turns))


def _takes_the_lock_and_dies(turns: Turns) -> None:
    assert turns._next is not None
    turns._next.get_lock().acquire()
    os.kill(os.getpid(), signal.SIGKILL)
