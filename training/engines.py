"""The composition root of training: the engine that the settings choose."""

from app.infrastructure.config.settings import Settings
from training.evaluation.replay_workers import LocalEngine
from training.evaluation.training_engine import TrainingEngine
from training.spark.requirements import check_requirements


def check_engine(settings: Settings) -> None:
    """Raise ConfigurationError if TRAINING_ENGINE needs something that is not installed."""
    if settings.training_engine == "spark":
        check_requirements()


def open_engine(settings: Settings, workers: int | None) -> TrainingEngine:
    """The engine of TRAINING_ENGINE, after `check_engine`. `workers` (of `worker_count`) is for local processes."""
    if settings.training_engine == "local":
        return LocalEngine(workers)
    from training.spark.spark_engine import SparkEngine  # pyspark is optional

    return SparkEngine(settings.spark_master)
