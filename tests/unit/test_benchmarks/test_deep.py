"""The command that measures neural models, with random weights instead of fits: JAX is not needed for this."""

import json
from functools import partial

import numpy as np
import pytest

from app.domain.ranking import user_features
from benchmarks.deep import __main__ as command
from benchmarks.deep import models
from benchmarks.deep.models import INPUTS
from tests.support.neural_models import random_towers
from training.deep import live_towers, requirements
from training.deep.neural_cf import NeuralCf
from training.deep.two_tower import TwoTower
from training.learning.model_selection import LearningOptions

FEED = ["--scenario", "mixed", "--n-users", "40", "--n-posts", "120", "--n-interactions", "1500"]
FEW = ["--max-requests", "20", "--search-requests", "10", "--timed-requests", "2"]


def fit_at_random(_examples, posts, n_authors, n_tags, _first, _last, options, _start) -> TwoTower:
    return random_towers(posts.text.shape[1], n_authors, n_tags, options.dimensions)


def random_ncf(user, post, _options) -> NeuralCf:
    random = np.random.default_rng(0)
    factors = [random.normal(size=(int(rows.max()) + 1, 8)).astype(np.float32) for rows in (user, post)]
    layers = ((random.normal(size=(8, 4)).astype(np.float32), np.zeros(4, np.float32)),)
    return NeuralCf(*factors, layers, np.ones(8, np.float32))


def test_the_command_prints_each_ranker_with_its_difference_from_learned(monkeypatch, capsys) -> None:
    monkeypatch.setattr(command, "check_requirements", lambda: None)
    monkeypatch.setattr(live_towers, "fit_two_tower", fit_at_random)
    monkeypatch.setattr(models, "fit_ncf", random_ncf)
    quick = partial(LearningOptions, requests=200, candidates=10, ridges=(1e-3,), units=())
    monkeypatch.setattr(command, "LearningOptions", quick)

    code = command.main([*FEED, *FEW, "--json"])

    assert code == 0
    rankers = json.loads(capsys.readouterr().out)["rankers"]
    assert rankers.keys() == {
        "learned",
        "learned + two-tower",
        "learned + two-tower, newest",
        "two-tower",
        "ncf",
    }
    learned = rankers["learned"]["ndcg@10"]["mean"]
    for one in rankers.values():
        assert one["ndcg@10"]["n"] == 20
        assert one["difference"]["mean"] == pytest.approx(one["ndcg@10"]["mean"] - learned)
        assert one["difference"]["low"] <= one["difference"]["mean"] <= one["difference"]["high"]
    assert not set(INPUTS) & set(user_features.names())


def test_without_jax_the_command_prints_one_line_and_its_exit_code_is_2(monkeypatch, capsys) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda _name: None)

    code = command.main([*FEED, *FEW])

    error = capsys.readouterr().err
    assert code == 2
    assert error.count("\n") == 1
    assert "install requirements-deep.lock" in error
