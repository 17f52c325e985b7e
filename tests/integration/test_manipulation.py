"""No account moves the lists of other users further than an honest user would."""

from dataclasses import replace

import pytest

from app.domain.feed.event_counting import CountingRule
from app.domain.feed.state import FeedState
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedSnapshot, LogPosition
from app.infrastructure.ml.model_loader import ServedModel
from benchmarks.manipulation import measure
from benchmarks.served_state import served_state
from tests.support.feeds import generated
from tests.support.small_service import random_choice_model
from training.training_run import fit_served_model

RULE = CountingRule()


def served(rule: CountingRule, *, learned: bool) -> tuple[ServedModel, FeedState]:
    feed = FeedSnapshot(generated(), LogPosition("memory", 0), frozenset())
    choice_model = random_choice_model() if learned else None
    model = fit_served_model(feed, replace(RankingOptions(), counting=rule), choice_model, {})
    return model, served_state(feed, model)


@pytest.mark.parametrize("learned", [True, False], ids=["learned", "formula"])
def test_every_attack_gives_the_lists_of_its_honest_reference(learned: bool) -> None:
    results = measure(*served(RULE, learned=learned), RULE, uninvolved=10, events=1000)

    assert len(results) == 7
    assert [one.attack for one in results if not one.same_lists] == []
    assert len({one.rank_after for one in results}) > 1  # honest events do move lists


def test_without_the_counting_rule_an_attack_moves_the_lists() -> None:
    every_row = CountingRule(window_minutes=0.0, limit=1_000_000)

    results = measure(*served(every_row, learned=True), RULE, uninvolved=10, events=1000)

    assert [one.same_lists for one in results[:2]] == [False, False]
