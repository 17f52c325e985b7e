"""Users are assigned to variants by a hash: in the shares of the experiment, and independently in each experiment."""

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from app.domain.experiments.experiment import VARIED_OPTIONS, Experiment, Variant, hash_position
from app.domain.ranking.options import RankingOptions
from tests.support.experiments import an_experiment

USERS = [UUID(int=number, version=4) for number in range(100_000)]


def experiment(*shares: float, salt: str = "first") -> Experiment:
    variants = [Variant(f"v{place}", share, {"candidates": 20 + place}) for place, share in enumerate(shares)]
    variants[0] = replace(variants[0], options={})
    return replace(an_experiment(), salt=salt, variants=variants, held_back=1 - sum(shares))


def places(one: Experiment) -> np.ndarray:
    """The place of each user's variant; -1 for those who are held back."""
    names = [variant.name for variant in one.variants]
    found = [one.variant_of(user) for user in USERS]
    return np.array([-1 if variant is None else names.index(variant.name) for variant in found])


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.45, 0.45), (0.1, 0.2, 0.3), (0.98, 0.01)])
def test_each_variant_gets_its_share_of_a_hundred_thousand_users(shares: tuple[float, ...]) -> None:
    found = np.bincount(places(experiment(*shares)) + 1, minlength=len(shares) + 1) / len(USERS)

    assert found == pytest.approx([1 - sum(shares), *shares], abs=0.005)


def test_the_variants_of_two_experiments_are_independent() -> None:
    first, second = (places(experiment(0.4, 0.4, salt=salt)) for salt in ("first", "second"))

    table = np.zeros((3, 3))
    np.add.at(table, (first + 1, second + 1), 1)
    assert chi2_contingency(table).pvalue > 0.001


def test_a_position_depends_on_the_salt_and_the_user_alone() -> None:
    # what another replica, another day or another version must compute as well
    assert hash_position("2026 order", UUID(int=7)) == 0.6308383034400601
    assert hash_position("another", UUID(int=7)) != hash_position("2026 order", UUID(int=7))


@given(salt=st.text(min_size=1, max_size=64), user=st.uuids(), share=st.floats(0, 1))
def test_without_a_share_held_back_every_user_has_a_variant_with_a_share(
    salt: str, user: UUID, share: float
) -> None:
    one = experiment(share, 1 - share, salt=salt)

    found = one.variant_of(user)

    assert 0 <= hash_position(salt, user) < 1
    assert one.variant_of(user) == found
    if one.held_back == 0:
        assert found is not None


@given(user=st.uuids(), share=st.floats(0.01, 0.5), growth=st.floats(0, 0.4))
def test_a_larger_share_of_the_last_variant_keeps_the_users_of_the_others(
    user: UUID, share: float, growth: float
) -> None:
    before, after = (experiment(0.1, last).variant_of(user) for last in (share, share + growth))

    assert before is None or (after is not None and after.name == before.name)


def test_options_that_shape_the_feed_in_memory_cannot_be_varied() -> None:
    of_state = {"interaction_weights", "counting", "lists", "formula", "neighbours"}
    assert set(RankingOptions.__dataclass_fields__) - VARIED_OPTIONS == of_state
