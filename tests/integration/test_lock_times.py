"""Changes hold the lock of the feed for short steps, so that rankings wait for milliseconds at most."""

import numpy as np
import pytest

from benchmarks.lock import measure

WRITERS = {"events", "retraction", "posts", "users", "follows", "controls", "pages", "model", "state"}


@pytest.mark.parametrize(
    ("users", "interactions", "minutes"),
    [(500, 5_000, 0.05), pytest.param(20_000, 1_000_000, 1.0, marks=pytest.mark.slow)],
)
def test_every_change_holds_the_lock_for_10_ms_at_most(users: int, interactions: int, minutes: float) -> None:
    held = measure(users, users, interactions, minutes)

    assert set(held) == WRITERS
    every = np.concatenate(list(held.values()))
    assert every.max() <= 10.0
    assert np.quantile(every, 0.99) <= 4.0
