"""A second process samples what the first one would have, and its end is told."""

import multiprocessing
from types import SimpleNamespace

import numpy as np
import pytest

from app.infrastructure.ml.ranking import RankingOptions
from tests.feeds import generated
from training.learn import LearningOptions
from training.prequential import Outcome, run
from training.replay import Replay, target_kinds
from training.second_process import SecondProcess

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork"
)
QUICK = LearningOptions(requests=250, candidates=20, ridges=(1e-3,), units=(4,))


def test_what_two_processes_sample_and_learn_is_what_one_does():
    history = generated(users=60, posts=200, interactions=4000)

    def played(second_process: bool) -> Outcome:
        replay = Replay(history, RankingOptions(), targets=target_kinds(history))
        return run(
            replay, ["learned"], QUICK, max_requests=50, samples_all=True, second_process=second_process
        )

    alone, together = played(False), played(True)

    assert np.array_equal(alone.lists["learned"], together.lists["learned"])
    one, other = alone.offers.offers(), together.offers.offers()
    assert len(one) > 250
    assert np.array_equal(one.inputs, other.inputs)
    assert np.array_equal(one.log_weight, other.log_weight)
    whole, same = alone.offers.whole_offers(), together.offers.whole_offers()
    assert whole
    assert [(o.number, o.chosen) for o in whole] == [(o.number, o.chosen) for o in same]
    assert all(np.array_equal(o.inputs, p.inputs) for o, p in zip(whole, same, strict=True))


def test_a_process_that_ends_early_is_an_error_and_no_wait():
    class Broken:
        lessons = SimpleNamespace(moments=np.arange(3))

        def sample(self, lesson, moment):
            raise SystemExit(3)

    replay = SimpleNamespace(events=SimpleNamespace(time=np.arange(3.0)), request=lambda event: event)
    second = SecondProcess(replay, Broken(), np.arange(3), [1.0, np.inf])

    with pytest.raises(ChildProcessError, match="ended early"):
        second.wait(1.0)
    second.close()
