"""The engine that replays on Spark: embedded in this process, or on a cluster."""

import os
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from py4j.protocol import Py4JError, Py4JJavaError
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
    "spark.log.level": "FATAL",
    "spark.driver.maxResultSize": "0",
}
"""Where `spark-submit` does not start the command."""
_SQL_OPTIONS: Final = {
    "spark.sql.adaptive.enabled": "false",  # a slice is one row of a few groups: small partitions stay apart
    "spark.sql.execution.arrow.maxRecordsPerBatch": "16",
    "spark.sql.execution.arrow.useLargeVarTypes": "true",
}


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """Replays on the Spark of a master URL."""

    master: str

    @contextmanager
    def start(self, plan: ReplayPlan) -> Iterator["SparkExecutor"]:
        """An executor of a plan. Its session ends with the context."""
        with spark_session(self.master) as session:
            with readable_errors():
                replay = SlicedReplay(plan, SparkCluster(session))
            yield SparkExecutor(replay)


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
    # Arrow carries the parts; pandas is imported, but not used.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    builder = SparkSession.builder
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # spark-submit sets it, and has its own options
        options = _OPTIONS | {"spark.master": master}
        if master.startswith(("local", "spark://127.0.0.1", "spark://localhost")):
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
            options |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
        builder = builder.config(map=options)
    with readable_errors():
        session = builder.getOrCreate()
    try:
        context = session.sparkContext
        for name, value in _SQL_OPTIONS.items():
            session.conf.set(name, value)
        session.conf.set("spark.sql.shuffle.partitions", str(2 * context.defaultParallelism))
        if not context.master.startswith("local") and not context.getConf().get("spark.submit.pyFiles", ""):
            with tempfile.TemporaryDirectory() as folder:
                context.addPyFile(str(_packed(Path(folder, "project.zip"))))
                yield session
        else:
            yield session
    finally:
        session.stop()


def _packed(path: Path) -> Path:
    """Write the Python files of the project into a zip file."""
    root = Path(app.__file__).parents[1]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in _PACKAGES:
            for file in sorted((root / package).rglob("*.py")):
                archive.write(file, file.relative_to(root))
    return path
