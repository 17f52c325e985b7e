"""Slices of lists by the number of their entries."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.slices import ENTRIES_PER_STEP, slices_by_size


@given(st.lists(st.integers(0, 2 * ENTRIES_PER_STEP), max_size=12))
def test_slices_contain_all_lists_in_order_and_few_entries(sizes: list[int]) -> None:
    slices = list(slices_by_size(np.array(sizes, np.int64)))

    assert [size for part in slices for size in sizes[part]] == sizes
    for part in slices:
        assert len(sizes[part]) == 1 or 0 <= sum(sizes[part]) <= ENTRIES_PER_STEP
    for part, following in pairwise(slices):
        assert sum(sizes[part]) + sizes[following.start] > ENTRIES_PER_STEP
