"""Workers share a replay: the results do not depend on their number, and none outlives the replay."""

import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from app.domain.ranking.options import RankingOptions
from tests.support.diagnoses import describe, fail_in_a_worker
from tests.support.feeds import generated
from training.evaluation import replay_workers
from training.evaluation.prequential import ReplayResult, replay_rankers
from training.evaluation.replay_workers import LocalEngine, worker_count
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds
from training.reporting.ranking_dump import write_dump

ROOT = Path(__file__).parents[4]
QUICK = LearningOptions(requests=250, candidates=20, ridges=(1e-3,), units=(4,))
RANKERS = ["newest", "formula", "served"]


@pytest.fixture(scope="module")
def history():
    return generated(users=60, posts=100, interactions=1600)


def replay_of(history) -> Replay:
    """A replay whose test part is long enough for a refit in it."""
    test_from = float(history.events.time[len(history.events) // 2])
    return Replay(history, RankingOptions(), targets=target_kinds(history), test_from=test_from)


def played(history, workers: int, rankers=RANKERS, **options) -> tuple[Replay, ReplayResult]:
    replay = replay_of(history)
    return replay, replay_rankers(
        replay, rankers, QUICK, max_requests=60, engine=LocalEngine(workers), **options
    )


@pytest.fixture(scope="module")
def alone(history):
    return played(history, 1, samples_all=True, diagnose=describe)


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_results_are_the_same_bytes_for_every_number_of_workers(history, alone, workers, tmp_path):
    done: list[int] = []
    replay, many = played(
        history,
        workers,
        samples_all=True,
        diagnose=describe,
        progress=lambda count, total: done.append(total - count),
    )
    first_replay, one = alone

    write_dump(tmp_path / "one", first_replay, one)
    write_dump(tmp_path / "many", replay, many)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes()
    for name in ("history_length", "post_age"):
        assert getattr(one, name).tobytes() == getattr(many, name).tobytes()
    assert [found[:2] for found in one.diagnoses] == [found[:2] for found in many.diagnoses]
    assert len({process for *_, process in many.diagnoses}) == workers
    assert len(one.fits) > 1
    assert [model_bytes(fit) for fit in one.fits] == [model_bytes(fit) for fit in many.fits]
    assert sampled_bytes(one) == sampled_bytes(many)
    assert all(seconds > 0 for seconds in many.seconds.values())
    assert done == sorted(done, reverse=True)
    assert done[-1] == 0
    assert not multiprocessing.active_children()


def model_bytes(fit) -> list[bytes]:
    arrays = [getattr(fit.model, one.name) for one in fields(fit.model)]
    return [np.asarray(array).tobytes() for array in arrays] + [repr((fit.variant, fit.tried)).encode()]


def sampled_bytes(result: ReplayResult) -> list[bytes]:
    sampled, full = result.examples.choice_sets(), result.examples.full_choice_sets()
    assert len(sampled) > 250
    assert full
    arrays = [sampled.inputs, sampled.log_weight, sampled.value, *(one.inputs for one in full)]
    return [array.tobytes() for array in arrays] + [repr([(one.number, one.chosen) for one in full]).encode()]


def test_a_killed_worker_is_an_error(history):
    def kill_one(_model):
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    with pytest.raises(ChildProcessError, match="ended early"):
        played(history, 2, ["newest"], at_split=kill_one)

    assert not multiprocessing.active_children()


def test_an_interrupted_replay_ends_its_workers(history):
    def interrupt(_model):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        played(history, 2, ["newest"], at_split=interrupt)

    assert not multiprocessing.active_children()


def test_an_error_in_a_worker_is_raised_as_it_is(history):
    with pytest.raises(AssertionError, match="this request failed"):
        played(history, 2, ["newest"], diagnose=fail_in_a_worker)


def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, signal\n"
        "from tests.unit.test_training.test_evaluation.test_replay_workers import generated, played\n"
        "if __name__ == '__main__':\n"
        "    history = generated(users=20, posts=50, interactions=500)\n"
        "    played(history, 2, ['newest'], at_split=lambda _: os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    # The worker inherits the output, whose end is reached when the last process that holds it has ended.
    done = subprocess.run(
        [sys.executable, script], env=environment, stdout=subprocess.PIPE, timeout=60, check=False
    )

    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("cores", "affordable", "moments", "expected"),
    [
        (1, 9, 9000, 1),
        (2, 9, 9000, 2),
        (16, 9, 9000, 4),
        (16, 2, 9000, 3),
        (16, 0, 9000, 1),
        (16, 9, 100, 1),
        (16, 9, 1499, 2),
        (16, np.inf, 9000, 4),
    ],
)
def test_by_default_cores_memory_and_moments_bound_the_number_of_workers(
    monkeypatch, cores, affordable, moments, expected
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(cores), raising=False)
    monkeypatch.setattr(replay_workers, "_affordable_processes", lambda: affordable)

    assert worker_count(None, moments) == expected
    assert worker_count(7, moments) == 7


@pytest.mark.parametrize(
    ("free_in_group", "expected"), [(None, 5), ("max", 5), (2_000_000 * 1024, 2), (-1024, 0)]
)
def test_processes_fit_into_half_of_what_machine_and_container_have_free(
    monkeypatch, tmp_path, free_in_group, expected
):
    kilobytes = {"VmRSS": 200_000.0, "MemAvailable": 4_000_000.0}
    monkeypatch.setattr(replay_workers, "_kilobytes", lambda _, name: kilobytes[name])
    monkeypatch.setattr(replay_workers, "_CONTROL_GROUP", tmp_path)
    if free_in_group is not None:
        limit = free_in_group if free_in_group == "max" else free_in_group + 4096
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text("4096\n")

    assert replay_workers._affordable_processes() == expected


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports it")
def test_the_size_of_a_process_is_read_from_the_system():
    assert replay_workers._kilobytes(Path("/proc/self/status"), "VmRSS") > 1000
    assert replay_workers._affordable_processes() < np.inf
