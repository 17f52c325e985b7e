"""The engine that replays on Spark: embedded in this process, or on a cluster."""

import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

import app
from training.evaluation.replay_job import FittedRanking, Progress, ReplayPlan, Result
from training.evaluation.sliced_replay import SlicedReplay
from training.spark.spark_cluster import SparkCluster

_PACKAGES: Final = ("app", "data", "training")
_OPTIONS: Final = {
    "spark.app.name": "feed training",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.driver.memory": "1g",
    "spark.driver.maxResultSize": "0",
    "spark.executor.memory": "2g",
    # A slice is one row of a few groups: partitions are not merged because they are small.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "16",
    "spark.sql.execution.arrow.useLargeVarTypes": "true",
    "spark.executorEnv.OMP_NUM_THREADS": "1",
    "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
}
"""Defaults; `spark-submit --conf` sets others."""


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """Replays on the Spark of a master URL."""

    master: str

    @contextmanager
    def start(self, plan: ReplayPlan) -> Iterator["SparkExecutor"]:
        """An executor of a plan. Its session ends with the context."""
        with spark_session(self.master) as session:
            yield SparkExecutor(SlicedReplay(plan, SparkCluster(session)))


@dataclass(frozen=True, slots=True)
class SparkExecutor:
    """A sliced replay on Spark whose failures are one line."""

    replay: SlicedReplay

    def process_until(self, stop: float, fitted: FittedRanking, progress: Progress) -> list[Result]:
        """As the replay. Raises ChildProcessError if Spark gives up."""
        with readable_errors():
            return self.replay.process_until(stop, fitted, progress)


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn the errors of Spark into a ChildProcessError of one line."""
    try:
        yield
    except (Py4JError, PySparkException) as error:
        text = str(error.java_exception) if isinstance(error, Py4JJavaError) else str(error)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        causes = [line for line in lines if not line.startswith(("at ", "File ", "Traceback"))]
        shown = next(
            (line for line in reversed(causes) if "Error" in line), causes[0] if causes else "no reason"
        )
        raise ChildProcessError(f"Spark could not complete the replay: {shown[:300]}") from None


@contextmanager
def spark_session(master: str) -> Iterator[SparkSession]:
    """A session of our own, with the packages of the project on its executors."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    conf = SparkConf()
    conf.setIfMissing("spark.master", master)
    for name, value in _OPTIONS.items():
        conf.setIfMissing(name, value)
    if _is_on_this_machine(str(conf.get("spark.master"))):
        conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1")
        conf.setIfMissing("spark.driver.host", "127.0.0.1")
    with readable_errors():
        session = SparkSession.builder.config(conf=conf).getOrCreate()
    try:
        context = session.sparkContext
        session.conf.set("spark.sql.shuffle.partitions", str(2 * context.defaultParallelism))
        if not context.master.startswith("local") and not conf.get("spark.submit.pyFiles", ""):
            with tempfile.TemporaryDirectory() as folder:
                context.addPyFile(str(_packed(Path(folder, "project.zip"))))
                yield session
        else:
            yield session
    finally:
        session.stop()


def _is_on_this_machine(master: str) -> bool:
    return master.startswith(("local", "spark://127.0.0.1", "spark://localhost"))


def _packed(path: Path) -> Path:
    """Write the Python files of the project into a zip file."""
    root = Path(app.__file__).parents[1]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in _PACKAGES:
            for file in sorted((root / package).rglob("*.py")):
                archive.write(file, file.relative_to(root))
    return path
