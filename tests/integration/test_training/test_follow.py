"""Continuous training as a command: from the log in the database to published weights."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from app.domain.ranking import user_features
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedSnapshot, LogPosition
from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.trainer_lock import trainer_lock
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from tests.support.feeds import generated
from tests.support.registries import NOON
from training import follow as command
from training.continuous.continuous_training import ContinuousOptions
from training.continuous.follow_step import FollowStep
from training.training_run import fit_served_model

FEED = FeedSnapshot(generated(40, 60, 1000), LogPosition("test", 1), frozenset())
END_LOCK_HOLDERS = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE locktype = 'advisory' AND datname = current_database() AND pid <> pg_backend_pid()
"""
TRAINED_UNTIL = float(FEED.dataset.events.time[500])


@pytest.fixture
def registry(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> FileModelRegistry:
    """The registry of a model that has learned nothing. The feed of the command has 1,000 events."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("TRAINING_WORKERS", "1")
    monkeypatch.setattr(command, "read_database", lambda _settings: FEED)
    few = partial(ContinuousOptions, newest=100, older=200, min_requests=40)
    monkeypatch.setattr(command, "ContinuousOptions", few)
    return open_registry(read_settings(), publishes=True)


def publish_base(registry: FileModelRegistry, choice: ChoiceModel | None) -> None:
    model = fit_served_model(FEED, RankingOptions(), choice, {})
    config = {"algorithm": "learned_choice", "trained_until": TRAINED_UNTIL}
    registry.publish(model.to_artifact(), metrics={}, config=config, created_at=NOON)


def untrained() -> ChoiceModel:
    return ChoiceModel.untrained(user_features.names())


def test_a_step_publishes_weights_that_rank_better(
    registry: FileModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_base(registry, untrained())

    code = command.main(["--once", "--json"])

    printed = json.loads(capsys.readouterr().out)
    record = registry.active()
    assert code == 0
    assert record is not None
    assert (printed["active"], printed["published"]) == ("v1", "v2") == ("v1", record.version)
    assert printed["comparison"]["low"] > -0.01
    assert printed["counted"] >= 40
    assert record.text_space_sha256 == registry.record("v1").sha256
    assert record.trained_at == registry.record("v1").created_at  # what FeedModelTooOld watches
    assert record.config["trained_until"] > TRAINED_UNTIL
    assert np.abs(registry.load("v2")["choice"]["linear"]).max() > 0
    assert "continuous training" in record.note

    assert command.main(["--once"]) == 0  # continues after the events that v2 has learned from
    assert capsys.readouterr().out.startswith("v2: ")


def test_one_trainer_works_at_a_time(
    registry: FileModelRegistry, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_base(registry, untrained())
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg2:", 1))

    with trainer_lock(engine, "public"):
        assert command.main(["--once"]) == 2

    engine.dispose()
    assert "another continuous trainer runs on this feed" in capsys.readouterr().err
    assert [one.version for one in registry.records()] == ["v1"]


def test_a_trainer_that_lost_its_connection_publishes_nothing(
    registry: FileModelRegistry,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    publish_base(registry, untrained())
    follow = command.follow
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg2:", 1))

    def lose_the_lock(*args: Any) -> FollowStep:
        found = follow(*args)
        assert found.promoted is not None
        with engine.connect() as connection:
            connection.execute(text(END_LOCK_HOLDERS))
        return found

    monkeypatch.setattr(command, "follow", lose_the_lock)
    assert command.main(["--once"]) == 2

    engine.dispose()
    assert "the database at" in capsys.readouterr().err
    assert [one.version for one in registry.records()] == ["v1"]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        pytest.param(None, "v1 ranks by formula, which has no weights to follow", id="formula"),
        pytest.param("missing", "no model is active; run training.train first", id="no model"),
    ],
)
def test_without_weights_to_follow_a_step_says_what_to_do(
    registry: FileModelRegistry, capsys: pytest.CaptureFixture[str], choice: str | None, said: str
) -> None:
    if choice is None:
        publish_base(registry, None)

    assert command.main(["--once"]) == 2

    assert said in capsys.readouterr().err
