"""Continuous training as a command: from the log in the database to published weights."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, create_engine, text

from app.domain.experiments.probation import probation_config
from app.domain.ranking import user_features
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedSnapshot, LogPosition
from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.trainer_lock import trainer_lock
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from app.infrastructure.ml.registry.weights import weights_artifact
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
    registry: FileModelRegistry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
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
    assert record.config["probation"]["against"] == "v1"
    assert "like" in record.config["probation"]["targets"]

    monkeypatch.setenv("PROBATION_MINUTES", "0")
    registry.rollback()
    assert (
        command.main(["--once", "--json"]) == 0
    )  # a rollback by hand: the requests of v2 do not count again
    assert json.loads(capsys.readouterr().out)["counted"] == 0

    registry.promote("v2")
    assert command.main(["--once"]) == 0
    assert capsys.readouterr().out.startswith("v2: on probation until ")


def publish_on_probation(registry: FileModelRegistry, until: datetime) -> None:
    """Weights over the base, as the command publishes them."""
    base = registry.record("v1")
    config = {
        **base.config,
        "base": {"version": base.version, "sha256": base.sha256, "created_at": base.created_at},
        "probation": probation_config("v1", until, ["like"]),
    }
    registry.publish(weights_artifact(untrained()), metrics={}, config=config, created_at=NOON)


def shown_to_users(engine: Engine, likes: dict[str, int]) -> None:
    """3,000 users of the probation of v2, each with 20 posts and this number of likes by variant."""
    statement = """
    INSERT INTO experiment_user_day (user_id, experiment, variant, day, metric, count)
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'probation-v2', variant, '2026-01-13', metric, count + n / 10 %% 2
    FROM generate_series(1, 3000) AS n
    CROSS JOIN LATERAL (SELECT CASE n %% 10 WHEN 0 THEN 'old' ELSE 'new' END) AS v (variant)
    CROSS JOIN LATERAL (VALUES ('page', 1), ('post', 20), ('like', (%s::jsonb->>variant)::int)) AS m (metric, count)
    """
    with engine.begin() as connection:
        connection.exec_driver_sql(statement, (json.dumps(likes),))


@pytest.fixture
def counted(database_url: str) -> Iterator[Engine]:
    """The database, in which no user of an experiment is left after the test."""
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg2:", 1))
    yield engine
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE experiment_user_day, experiment_stop"))
    engine.dispose()


AFTER_THE_EVENTS = datetime(2100, 1, 1, tzinfo=UTC)


def test_weights_with_which_users_choose_less_are_rolled_back_and_not_promoted_again_at_once(
    registry: FileModelRegistry, counted: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_base(registry, untrained())
    publish_on_probation(registry, until=AFTER_THE_EVENTS)
    shown_to_users(counted, {"new": 1, "old": 3})

    assert command.main(["--once"]) == 0

    printed = capsys.readouterr().out
    active = registry.active()
    assert active is not None
    assert active.version == "v1"
    assert printed.startswith("v2: rolled back, v1 is active again; choices per 1,000 posts: v2 ")
    with counted.connect() as connection:
        [stop] = connection.execute(text("SELECT experiment, variant, metric FROM experiment_stop")).all()
    assert tuple(stop) == ("probation-v2", "old", "choice")

    assert command.main(["--once", "--json"]) == 0
    step = json.loads(capsys.readouterr().out)
    assert (step["active"], step["counted"], step["published"]) == ("v1", 0, None)

    registry.promote("v2")  # by hand: its probation is over
    assert command.main(["--once", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["active"] == "v2"


@pytest.mark.parametrize(
    ("likes", "verdict"),
    [
        pytest.param({"new": 3, "old": 3}, "no difference is known", id="equal"),
        pytest.param({"new": 3, "old": 1}, "worse than the control", id="better than before"),
    ],
)
def test_during_a_probation_nothing_is_promoted(
    registry: FileModelRegistry,
    counted: Engine,
    capsys: pytest.CaptureFixture[str],
    likes: dict[str, int],
    verdict: str,
) -> None:
    publish_base(registry, untrained())
    publish_on_probation(registry, until=AFTER_THE_EVENTS)
    shown_to_users(counted, likes)

    assert command.main(["--once", "--json"]) == 0

    printed = json.loads(capsys.readouterr().out)
    assert printed["active"] == "v2"
    assert printed["probation"]["is_running"] is True
    assert printed["probation"]["comparison"]["verdict"] == verdict
    assert [one.version for one in registry.records()] == ["v1", "v2"]


def test_after_a_probation_the_next_step_follows(
    registry: FileModelRegistry, counted: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_base(registry, untrained())
    publish_on_probation(registry, until=datetime(2026, 1, 13, 16, tzinfo=UTC))
    shown_to_users(counted, {"new": 3, "old": 3})

    assert command.main(["--once", "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["published"] == "v3"
    assert registry.record("v3").config["probation"]["against"] == "v2"


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
