"""Tuning: bounded, on the warm-up alone, into a file that training reads."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app.domain.ranking import user_features
from app.domain.ranking.options import FormulaWeights, RankingOptions
from app.shared.exceptions import ConfigurationError
from data.generate_fake_data import main as generate
from tests.support.feeds import cut, generated
from training.evaluation.metrics import Estimate
from training.evaluation.option_search import (
    LEARNING_VALUES,
    Ablation,
    TimedReplays,
    ablate,
    best_of,
    parts,
    search,
    warm_up,
)
from training.learning.model_selection import LearningOptions
from training.learning.training_options import TrainingOptions
from training.reporting.console import print_ablation_table
from training.tune import main

QUICK = TrainingOptions(
    RankingOptions(), LearningOptions(requests=200, candidates=10, ridges=(1e-3,), units=())
)


@pytest.fixture(scope="module")
def feed():
    return generated(users=40, posts=120, interactions=2500)


def steady(step: float):
    """A clock on which every look takes `step` seconds."""
    now = [0.0]

    def clock() -> float:
        now[0] += step
        return now[0]

    return clock


def replays(dataset, seconds: float, requests: int) -> TimedReplays:
    return TimedReplays(dataset, requests, seconds, clock=steady(1.0))


def test_the_search_starts_with_what_is_given_and_never_ends_with_less(feed):
    trials = search(replays(feed, 3.0, 20), QUICK)

    assert trials[0].options == QUICK
    assert len(trials) > 1
    assert best_of(trials).ndcg == max(trial.ndcg for trial in trials) >= trials[0].ndcg


def test_no_trial_is_begun_that_would_end_late(feed):
    assert len(search(replays(feed, 1.0, 20), QUICK)) == 1


@pytest.mark.slow
def test_an_ablation_measures_the_ranking_without_each_of_its_parts_until_the_time_is_over(feed):
    whole, results = ablate(replays(feed, 6.0, 30), QUICK)

    first = [name for name, _ in parts(QUICK)][: len(results)]
    assert [one.part for one in results] == first
    assert 0 < len(results) < 6
    for one in results:
        assert one.ndcg.mean == pytest.approx(whole.mean + one.change.mean)
        assert one.change.low <= one.change.mean <= one.change.high
        assert one.matters == (one.change.high < 0)


def test_the_parts_of_an_ablation_are_every_source_half_life_and_group_of_inputs_once_each():
    options = TrainingOptions(RankingOptions(), LearningOptions())

    found = dict(parts(options))

    names = [name for name, _ in parts(options)]
    assert len(set(names)) == len(names)
    assert {"source trending", "source fresh", "trending 1 h", "inputs usual_age_gap"} <= set(names)
    assert all(without != options for without in found.values())


def test_the_search_excludes_groups_and_inputs_that_exist():
    known = {*user_features.names(), *user_features.groups()}

    assert {name for value in LEARNING_VALUES["without"] for name in value} <= known


def test_inputs_are_excluded_by_the_name_of_their_group_or_by_their_own():
    names, groups = user_features.names(), user_features.groups()

    by_group = user_features.excluded(["usual_age_gap"], names)
    by_name = user_features.excluded(["age"], names)

    assert {name for name, out in zip(names, by_group, strict=True) if out} == set(groups["usual_age_gap"])
    assert {name for name, out in zip(names, by_name, strict=True) if out} == {"age"}
    assert sorted(name for members in groups.values() for name in members) == sorted(names)


@pytest.mark.slow
def test_the_test_part_changes_nothing_of_what_is_found(feed):
    split = float(feed.events.time[int(0.7 * len(feed.events))])

    whole = search(replays(warm_up(feed, split), 4.0, 30), QUICK)
    without = search(replays(warm_up(cut(feed, split), split), 4.0, 30), QUICK)

    assert [(one.changed, one.served, one.formula) for one in whole] == [
        (one.changed, one.served, one.formula) for one in without
    ]


def test_the_warm_up_holds_nothing_of_the_test_part(feed):
    split = float(feed.events.time[int(0.8 * len(feed.events))])

    early = warm_up(feed, None)

    assert early.events.time.max() < split
    assert not ((early.posts.created >= split) & np.isfinite(early.posts.created)).any()


def test_a_settings_file_is_read_as_it_was_written(tmp_path):
    options = TrainingOptions(
        replace(RankingOptions(), candidates=150, neighbours=50),
        LearningOptions(requests=3000, ridges=(1e-2,), units=(), without=("text_similarity", "trace 30d")),
    )
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(options.to_json()))

    assert TrainingOptions.read(path) == options


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "not JSON"),
        ("[]", "must be an object"),
        ('{"learning": 3}', "learning: must be an object"),
        ('{"learning": {"request": 3}}', "learning.request: no such option"),
        ("[" * 100_000, "not JSON"),
        ('{"lerning": {}}', "lerning: unknown section"),
        ('{"learning": {"requests": "many"}}', 'learning.requests: "many"'),
        (
            '{"learning": {"requests": 0}}',
            "learning.requests: 0: input should be greater than or equal to 200",
        ),
        ('{"learning": {"candidates": 0}}', "learning.candidates: 0"),
        ('{"learning": {"strong_share": 5}}', "learning.strong_share: 5"),
        ('{"learning": {"ridges": []}}', "learning.ridges: []"),
        ('{"learning": {"ridges": [0.01, 0]}}', "learning.ridges.1: 0"),
        ('{"learning": {"units": [1.5]}}', "learning.units.0: 1.5"),
        ('{"learning": {"seed": -1}}', "learning.seed: -1"),
        ('{"learning": {"requests": 1.5}}', "learning.requests"),
        ('{"learning": {"ridges": 0.1}}', "learning.ridges"),
        ('{"learning": {"ridges": [true]}}', "learning.ridges"),
        ('{"learning": {"without": [1]}}', "learning.without"),
        ('{"learning": {"without": ["astrology"]}}', "'astrology' is no input and no group of inputs"),
        ('{"ranking": {"neighbours": -1}}', "ranking.neighbours"),
        ('{"ranking": {"trending_half_life_hours": NaN}}', "ranking.trending_half_life_hours"),
        ('{"ranking": {"neighbours": 0}}', "ranking.neighbours: 0"),
        ('{"ranking": {"candidates": 0}}', "ranking.candidates: 0"),
        ('{"ranking": {"trending_half_life_hours": 0}}', "ranking.trending_half_life_hours: 0"),
        ('{"ranking": {"formula": {"fame": 1}}}', "ranking.formula.fame: no such option"),
        ('{"ranking": {"formula": {"recency_tau_hours": 0}}}', "ranking.formula.recency_tau_hours: 0"),
        ('{"ranking": {"interaction_weights": {"love": 1}}}', "ranking.interaction_weights.love"),
        ('{"ranking": {"interaction_weights": {"like": 1e999}}}', "ranking.interaction_weights.like"),
    ],
)
def test_a_settings_file_that_cannot_be_used_names_the_place(tmp_path, content, problem):
    path = tmp_path / "settings.json"
    path.write_text(content)

    with pytest.raises(ConfigurationError) as raised:
        TrainingOptions.read(path)

    assert problem in str(raised.value)
    assert "settings.json" in str(raised.value)


def test_what_a_settings_file_leaves_out_is_as_it_is_without_one(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"ranking": {"formula": {"recency": 0.5}, "interaction_weights": {"like": 9}}}')

    ranking = TrainingOptions.read(path).ranking

    assert ranking.formula == FormulaWeights(recency=0.5)
    assert ranking.interaction_weights == {**RankingOptions().interaction_weights, "like": 9}
    assert TrainingOptions.read(path).learning == LearningOptions()


@pytest.mark.slow
def test_the_command_writes_what_it_found(tmp_path, capsys):
    feed, output = tmp_path / "feed.json", tmp_path / "settings.json"
    size = ["--users", "60", "--posts", "200", "--interactions", "6000"]
    assert generate([*size, "--output", str(feed)]) == 0
    capsys.readouterr()

    code = main(
        ["--interactions", str(feed), "--output", str(output), "--time", "1s", "--requests", "120", "--json"]
    )

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [trial["changed"] for trial in report["trials"]] == ["as given"]
    assert json.loads(output.read_text()) == {"ranking": report["ranking"], "learning": report["learning"]}
    TrainingOptions.read(output)


def test_too_small_a_feed_is_said_to_be_so_and_no_file_is_written(tmp_path, capsys):
    feed, output = tmp_path / "feed.json", tmp_path / "settings.json"
    assert generate(["--users", "5", "--posts", "10", "--interactions", "50", "--output", str(feed)]) == 0
    capsys.readouterr()

    assert main(["--interactions", str(feed), "--output", str(output)]) == 2

    assert "too little to tune on" in capsys.readouterr().err
    assert not output.exists()


def test_an_ablation_prints_its_figures_and_writes_no_file(tmp_path, capsys):
    feed = tmp_path / "feed.json"
    size = ["--users", "60", "--posts", "40", "--interactions", "5000"]
    assert generate([*size, "--output", str(feed)]) == 0
    capsys.readouterr()

    code = main(["--interactions", str(feed), "--ablate", "--time", "0.1s", "--requests", "100", "--json"])

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert report["served"]["n"] == 100
    assert report["parts"] == []
    assert report["skipped"] == len(list(parts(TrainingOptions(RankingOptions(), LearningOptions()))))
    assert list(tmp_path.iterdir()) == [feed]


def test_an_ablation_table_starts_with_the_largest_loss_and_marks_what_matters(capsys):
    def figure(mean, half):
        return Estimate(mean, mean - half, mean + half, 50)

    results = [
        Ablation("source fresh", figure(0.29, 0.01), figure(-0.01, 0.02), matters=False),
        Ablation("inputs usual_age_gap", figure(0.25, 0.01), figure(-0.05, 0.02), matters=True),
    ]
    print_ablation_table(figure(0.3, 0.01), results)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("50 requests")
    habit, fresh = (
        next(n for n, line in enumerate(lines) if name in line) for name in ("usual_age_gap", "fresh")
    )
    assert habit < fresh
    assert "yes" in lines[habit]
    assert "yes" not in lines[fresh]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [([], "--output"), (["--ablate", "--output", "settings.json"], "not allowed with --ablate")],
)
def test_a_search_needs_a_file_to_write_and_an_ablation_writes_none(flags, problem, capsys):
    with pytest.raises(SystemExit) as left:
        main(flags)

    assert left.value.code == 2
    assert problem in capsys.readouterr().err
