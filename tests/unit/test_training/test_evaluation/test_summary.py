"""The columns of the evaluation's table, counted once more by hand."""

import json
import math
from collections import Counter

import numpy as np
import pytest

from app.domain.ranking.options import RankingOptions
from tests.support.feeds import generated
from training.command_line import print_json
from training.evaluation.prequential import replay_rankers
from training.evaluation.summary import gini, segments, summarise
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds


@pytest.fixture(scope="module")
def replayed():
    history = generated(users=60, posts=200, interactions=4000)
    replay = Replay(history, RankingOptions(), targets=target_kinds(history))
    return replay, replay_rankers(
        replay, ["newest", "popular", "owner_knn"], LearningOptions(), max_requests=60
    )


def test_coverage_novelty_gini_and_authors_are_those_of_the_first_ten_places(replayed):
    replay, outcome = replayed
    events, state = replay.events, replay.timeline.state

    found = summarise(replay, outcome)["owner_knn"]

    shown, novelty, authors = Counter(), [], []
    for request, listed in zip(outcome.requests, outcome.lists["owner_knn"][:, :10], strict=True):
        now = events.time[request]
        past = events.post[events.time < now]
        posts = [int(row) for row in listed if row >= 0]
        shown.update(posts)
        novelty += [math.log2((len(past) + 1) / ((past == post).sum() + 1)) for post in posts]
        names = [state.author[post] if state.author[post] >= 0 else -1000 - post for post in posts]
        authors.append(len(set(names)) / len(names))
    there = int((replay.timeline.exists_since < events.time[outcome.requests[-1]]).sum())
    counts = np.array([shown[post] for post in range(there)])
    assert found.coverage == pytest.approx(len(shown) / there)
    assert found.novelty == pytest.approx(np.mean(novelty))
    assert found.gini == pytest.approx(gini(counts))
    assert found.author_diversity == pytest.approx(np.mean(authors))


def test_figures_do_not_depend_on_how_far_this_process_has_replayed(replayed):
    """Where two replay, the other one may have come to the last requests."""
    replay, outcome = replayed
    at_its_start = Replay(replay.dataset, replay.options, targets=replay.targets)

    assert at_its_start.timeline.state.n_posts < replay.timeline.state.n_posts
    # As text, because NaN, the value of an empty segment, does not equal itself.
    assert repr(summarise(at_its_start, outcome)) == repr(summarise(replay, outcome))


def test_segments_part_the_requests_by_what_a_user_had_done_before(replayed):
    replay, outcome = replayed
    events = replay.events

    parts = segments(replay, outcome)

    assert (sum(one.astype(int) for one in parts.values()) == 1).all()
    for at, request in enumerate(outcome.requests):
        before = ((events.user == events.user[request]) & (events.time < events.time[request])).sum()
        assert outcome.history_length[at] == before
        assert parts["new"][at] == (before == 0)
    assert outcome.history_length[parts["heavy"]].min() > outcome.history_length[parts["returning"]].max()


def test_a_segment_without_requests_is_null_for_a_program(replayed, capsys):
    replay, outcome = replayed
    parts = segments(replay, outcome)

    print_json(summarise(replay, outcome)["newest"].to_json())

    summary = json.loads(capsys.readouterr().out)

    for name, those in parts.items():
        assert summary["segments"][name]["n"] == those.sum()
        assert (summary["segments"][name]["mean"] is None) == (not those.any())
