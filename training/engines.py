"""The composition root of training: the engine that the settings choose."""

from app.infrastructure.config.settings import Settings
from training.evaluation.replay_workers import LocalEngine
from training.evaluation.training_engine import TrainingEngine
from training.spark.requirements import check_requirements


def open_engine(settings: Settings, workers: int | None) -> TrainingEngine:
    """The engine of TRAINING_ENGINE. `workers` is the number of local processes, as in `worker_count`.

    Raises ConfigurationError if it needs something that is not installed.
    """
    if settings.training_engine == "local":
        return LocalEngine(workers)
    check_requirements()
    from training.spark.spark_engine import SparkEngine  # pyspark is optional

    return SparkEngine(settings.spark_master)
