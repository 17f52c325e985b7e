"""Which rows changed since a position."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.changed_rows import MAX_ROWS, ChangedRows

SIZES = st.sampled_from([0, 1, 3, MAX_ROWS // 2, MAX_ROWS + 1])


@given(st.lists(SIZES, max_size=8), st.integers(0, 8))
def test_the_rows_since_a_position_are_complete_or_unknown(sizes: list[int], position: int) -> None:
    changed = ChangedRows()
    batches = [np.arange(size) + 100_000 * number for number, size in enumerate(sizes)]
    for batch in batches:
        changed.append(batch)
    position = min(position, len(sizes))

    rows = changed.since(position)

    missed = batches[position:]
    if sum(map(len, missed)) <= MAX_ROWS:
        assert rows is not None
        assert rows.tolist() == [row for batch in missed for row in batch.tolist()]
    else:
        assert rows is None


def test_nothing_changed_since_the_last_position() -> None:
    changed = ChangedRows()
    changed.append(np.array([3]))

    rows = changed.since(changed.position)

    assert rows is not None
    assert not len(rows)
