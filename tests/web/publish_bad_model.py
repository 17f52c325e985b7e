"""Trains and publishes a model that serves the ranking `newest`, good or not: `python -m tests.web.publish_bad_model`.

Training itself would select a better ranking, and reject this one.
"""

import sys
from datetime import UTC, datetime
from unittest.mock import patch

from app.infrastructure.config.ranking_settings import ranking_options
from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.registry.open_registry import open_registry
from training.feed_source import read_database
from training.learning.model_selection import LearningOptions
from training.learning.training_options import TrainingOptions
from training.training_run import Stopwatch, train


def main() -> int:
    """Publish the model as the active one. Returns the exit status."""
    settings = read_settings()
    registry = open_registry(settings, publishes=True)
    options = TrainingOptions(ranking_options(settings), LearningOptions(requests=500))
    note = "published by hand, without a comparison"
    with patch("training.training_run.select_ranking", return_value=("newest", note)):
        trained = train(read_database(settings), options, None, lambda *_: None, Stopwatch())
    registry.publish(
        trained.model.to_artifact(),
        metrics=trained.metrics_beside(registry.records()),
        config=trained.config,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        note=note,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
