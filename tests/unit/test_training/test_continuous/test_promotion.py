"""When candidate weights replace the serving ones."""

import pytest

from training.continuous.promotion import PairedRanks


def ranks(n: int, better: float = 0.0, worse: float = 0.0) -> PairedRanks:
    """`n` requests of as many users: in a share of them the candidate moves the post from 10 to 1, or from 1 to 10."""
    found = PairedRanks()
    for user in range(n):
        place = user / n
        found.add(user, *((10, 1) if place < better else (1, 10) if place < better + worse else (3, 3)))
    return found


def test_a_better_candidate_is_promoted_after_enough_requests() -> None:
    assert ranks(1999, better=0.1).promotion() is None
    found = ranks(2000, better=0.1).promotion()
    assert found is not None
    assert found.low > 0


@pytest.mark.parametrize(
    ("better", "worse"), [pytest.param(0.0, 0.0, id="equal"), pytest.param(0.02, 0.04, id="worse")]
)
def test_a_candidate_that_is_not_better_keeps_collecting(better: float, worse: float) -> None:
    assert ranks(4000, better, worse).promotion() is None


def test_a_candidate_that_may_be_worse_by_more_than_one_percent_keeps_collecting() -> None:
    uncertain = ranks(2000, better=0.31, worse=0.3)

    found = uncertain.comparison()
    assert found.gain > 0
    assert found.low < -0.01
    assert uncertain.promotion() is None


def test_an_account_alone_does_not_promote() -> None:
    found = ranks(1900)
    for _ in range(10_000):
        found.add(0, 5, 1)

    assert len(found) == 1919  # the account has twenty requests
    assert found.promotion() is None
