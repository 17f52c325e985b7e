"""The learned ranking stays within its band on each scenario, and a planted fault leaves the band."""

from collections.abc import Callable

import numpy as np
import pytest

from app.domain.feed.state import FeedState
from app.domain.ranking import neighbourhood, user_features
from app.domain.ranking.choice_model import ChoiceModel
from tests.support import quality_band as band
from training.learning.negative_sampling import Strata

Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "mixed" else pytest.mark.slow) for name in band.SCENARIOS],
)
def test_the_learned_ranking_stays_within_its_band(name: str) -> None:
    simple, ndcg = band.best_simple(name, band.SEEDS[0])
    quality = band.quality(name)
    print(f"{name}: {quality:.3f} of {simple} with NDCG@10 {ndcg:.4f}")

    assert band.SCENARIOS[name].band.violation(quality) is None


def test_bands_lie_above_the_best_simple_ranking_except_for_recency() -> None:
    floors = {name: scenario.band.low for name, scenario in band.SCENARIOS.items()}

    assert floors.pop("recency") >= 0.97
    assert floors.keys() == {"popularity", "taste", "mixed", "follows"}
    assert min(floors.values()) > 1


def shuffle_inputs_between_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, random = user_features.matrix, np.random.default_rng(0)
    monkeypatch.setattr(
        user_features, "matrix", lambda *given, **named: random.permutation(matrix(*given, **named), axis=1)
    )


def negate_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """In ranking only: a model that also learns from negated ages learns the opposite sign."""
    ages = [column for column, name in enumerate(user_features.names()) if name in ("age", "age in days")]
    assert ages
    utilities = ChoiceModel.utilities

    def negated(self, inputs):
        inputs = inputs.copy()
        inputs[ages] *= -1
        return utilities(self, inputs)

    monkeypatch.setattr(ChoiceModel, "utilities", negated)


def replace_neighbours_by_random_users(monkeypatch: pytest.MonkeyPatch) -> None:
    neighbours, random = neighbourhood.neighbours, np.random.default_rng(0)

    def random_users(context):
        users, similarity = neighbours(context)
        return random.integers(context.state.n_users, size=len(users)), similarity

    monkeypatch.setattr(neighbourhood, "neighbours", random_users)


def drop_follow_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FeedState, "follow", lambda self, follower, followee: None)


def set_sampling_weights_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = Strata.draw

    def unweighted(self, *given):
        rows, weights = draw(self, *given)
        return rows, np.ones_like(weights)

    monkeypatch.setattr(Strata, "draw", unweighted)


@pytest.mark.parametrize(
    ("plant", "name"),
    [
        (shuffle_inputs_between_candidates, "mixed"),
        (negate_age, "recency"),
        (replace_neighbours_by_random_users, "taste"),
        (drop_follow_edges, "follows"),
        (set_sampling_weights_to_one, "popularity"),
    ],
)
@pytest.mark.slow
def test_a_planted_fault_leaves_the_band(plant: Plant, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    band.quality(name)  # before the fault
    plant(monkeypatch)

    quality = band.quality_now(name)

    print(f"{plant.__name__} on {name}: {quality:.3f}, {band.SCENARIOS[name].band}")
    assert quality < band.SCENARIOS[name].band.low


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_table_of_the_forum_stays_within_its_bands() -> None:
    """Skipped, with the reason, where the data set is absent."""
    table = band.forum_table()
    simple = {name: table[name] for name in band.FORUM_SIMPLE}
    ratios = {name: table[name] / max(simple.values()) for name in band.FORUM_BANDS}
    print("\n".join(f"{name:<14} {value:.4f}" for name, value in table.items()), ratios)

    assert table.keys() == simple.keys() | ratios.keys()
    assert simple == pytest.approx(band.FORUM_SIMPLE, abs=0.0002)
    outside = {name: band.FORUM_BANDS[name].violation(value) for name, value in ratios.items()}
    assert {name: sentence for name, sentence in outside.items() if sentence} == {}
