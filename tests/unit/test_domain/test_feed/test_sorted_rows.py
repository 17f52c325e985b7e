"""Rows in order of a value, whatever comes and changes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.row_set import RowSet
from app.domain.feed.sorted_rows import SortedRows

VALUES = st.integers(0, 5)


TIE_BREAKS = np.random.default_rng(1).integers(0, 9, 60)
STEPS = st.one_of(
    st.lists(VALUES, max_size=4),
    st.tuples(st.integers(0, 20), VALUES),
    st.sets(st.integers(0, 20), max_size=3),
)


@given(st.lists(STEPS, max_size=12), st.booleans())
def test_rows_stay_in_order_of_their_values_then_of_their_tie_breaks_then_of_their_arrival(
    steps, has_tie_breaks
):
    tie_breaks = TIE_BREAKS if has_tie_breaks else None
    ordered, expected, n_rows = SortedRows(np.int64), [], 0
    for step in steps:
        if isinstance(step, list):
            rows = np.arange(n_rows, n_rows + len(step))
            ordered.add(rows, np.array(step, np.int64), tie_breaks)
            expected += list(zip(step, rows.tolist(), strict=True))
            n_rows += len(step)
        elif isinstance(step, set):
            ordered = ordered.without(np.array(sorted(step), np.intp))
            expected = [one for one in expected if one[1] not in step]
        elif expected:
            row, value = expected[step[0] % len(expected)][1], step[1]
            ordered.change(row, value, tie_breaks)
            expected = [one for one in expected if one[1] != row] + [(value, row)]
        expected.sort(key=lambda one: (one[0], TIE_BREAKS[one[1]] if has_tie_breaks else 0))  # stable

        assert list(zip(ordered.values.tolist(), ordered.rows.tolist(), strict=True)) == expected


@given(st.lists(st.integers(0, 19)), st.lists(st.integers(0, 19)))
def test_a_row_set_contains_its_members_and_no_other_row(members, asked):
    rows = RowSet(np.array(members, np.intp), 20)

    assert rows.contains(np.array(asked, np.intp)).tolist() == [row in members for row in asked]
