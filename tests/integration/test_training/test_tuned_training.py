"""What a search found is what training uses."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app.domain.ranking.options import RankingOptions
from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.content_scorer import TextSpace
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.open_registry import open_registry
from data import import_feed
from data.generate_fake_data import main as generate
from training import train
from training.feed_source import read_database
from training.learning.model_selection import LearningOptions
from training.learning.training_options import TrainingOptions
from training.replay.post_spaces import PostSpaces
from training.training_run import fit_served_model


@pytest.fixture
def feed(own_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "feed.json"
    assert generate(["--users", "30", "--posts", "60", "--interactions", "800", "--output", str(path)]) == 0
    assert import_feed.main(["--interactions", str(path)]) == 0
    return path


def test_training_is_configured_by_the_settings_file(feed, tmp_path, capsys):
    options = TrainingOptions(
        replace(RankingOptions(), neighbours=7, candidates=120),
        LearningOptions(requests=300, candidates=25, ridges=(0.01,), units=()),
    )
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(options.to_json()))
    capsys.readouterr()

    train.main(["--settings", str(settings), "--json"])  # the model of a feed this small may be rejected

    config = json.loads(capsys.readouterr().out)["config"]
    assert config["n_neighbors"] == 7
    assert config["ranking"]["candidates"] == 120
    assert config["learning"]["requests"] == 300
    assert config["learning"]["ridges"] == [0.01]


def test_a_settings_file_that_cannot_be_used_is_one_line_and_exit_code_2(feed, tmp_path, capsys):
    settings = tmp_path / "settings.json"
    settings.write_text('{"learning": {"speed": 1}}')
    capsys.readouterr()

    assert train.main(["--settings", str(settings)]) == 2

    err = capsys.readouterr().err
    assert "learning.speed" in err
    assert err.count("\n") == 1


def test_a_version_for_an_experiment_needs_an_active_one(feed, capsys):
    capsys.readouterr()

    assert train.main(["--for-experiment"]) == 2

    assert "--for-experiment: no version is active; train without it first" in capsys.readouterr().err


@pytest.mark.slow
def test_a_version_for_an_experiment_has_the_text_space_of_the_active_one_and_is_not_active(feed, capsys):
    registry = open_registry(read_settings(), publishes=True)
    space = TextSpace(["word"], np.ones(1, np.float32), np.ones((1, 1), np.float32))
    snapshot = read_database(read_settings())
    active = fit_served_model(snapshot, RankingOptions(), None, {}, spaces=PostSpaces(space, None))
    published = registry.publish(
        active.to_artifact(), metrics={}, config={}, created_at="2026-03-01T12:00:00+00:00"
    )
    capsys.readouterr()

    train.main(["--learn-from", "300", "--json", "--for-experiment"])  # so small a feed may be rejected

    record = json.loads(capsys.readouterr().out)
    assert record["status"] in {"inactive", "rejected"}
    assert registry.active() == published
    trained = ServedModel.from_artifact(registry.load(record["version"]))
    assert trained.text_space_id == space.digest()
