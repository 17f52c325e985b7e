"""Replays on Spark: embedded, and on a cluster of this machine that loses a worker. Skipped without pyspark or Java."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.shared.exceptions import ConfigurationError
from training.spark.requirements import check_requirements

ROOT = Path(__file__).parents[3]
PROGRAM = """
import hashlib, os, signal, sys
from pathlib import Path
from app.domain.ranking.options import RankingOptions
from tests.support.feeds import generated
from training.engines import open_engine
from app.infrastructure.config.settings import Settings
from training.evaluation.prequential import replay_rankers
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds
from training.reporting.ranking_dump import write_dump

def kill_a_worker(_model):
    for pid in os.environ.get("SPARK_WORKER_PIDS", "").split()[:1]:
        os.kill(int(pid), signal.SIGKILL)

feed = generated(users=60, posts=200, interactions=2000)
replay = Replay(feed, RankingOptions(), targets=target_kinds(feed), test_from=float(feed.events.time[1000]))
learning = LearningOptions(requests=250, candidates=20, ridges=(1e-3,), units=(4,))
result = replay_rankers(
    replay, ["trending_1d", "owner_formula", "formula", "learned", "served"], learning, max_requests=60,
    engine=open_engine(Settings(_env_file=None), 1), at_split=kill_a_worker, samples_all=True,
)
write_dump(Path(sys.argv[1]), replay, result)
sampled = result.examples.choice_sets()
print(hashlib.sha256(sampled.inputs.tobytes() + sampled.log_weight.tobytes()).hexdigest())
print([(fit.tried, fit.model.linear.tolist()) for fit in result.fits])
"""


@pytest.fixture(autouse=True)
def spark():
    try:
        check_requirements()
    except ConfigurationError as error:
        pytest.skip(str(error))


def replayed(path: Path, engine: str, *command: str) -> tuple[bytes, str]:
    """The dump of a replay by an engine in a process of its own, and its training examples and models."""
    environment = {**os.environ, "TRAINING_ENGINE": engine, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable}
    arguments = [*command, sys.executable, "-c", PROGRAM, str(path)]
    done = subprocess.run(arguments, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-2000:]
    return path.read_bytes(), done.stdout


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "command",
    [(), ("scripts/spark_cluster.sh",)],
    ids=["embedded", "a cluster that loses a worker"],
)
def test_spark_gives_the_results_of_local_processes(tmp_path, command):
    expected = replayed(tmp_path / "local", "local")

    assert replayed(tmp_path / "spark", "spark", *command) == expected
    assert expected[0].count(b'"ranker":"learned"') == 60
