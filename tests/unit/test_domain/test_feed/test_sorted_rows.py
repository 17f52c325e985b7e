"""Rows in order of a value, whatever comes and changes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.row_set import RowSet
from app.domain.feed.sorted_rows import SortedRows

VALUES = st.integers(0, 5)


@given(st.lists(st.one_of(st.lists(VALUES, max_size=4), st.tuples(st.integers(0, 20), VALUES)), max_size=12))
def test_rows_stay_in_order_of_their_values_and_then_of_their_arrival(steps):
    ordered, expected, known = SortedRows(np.int64), [], 0
    for step in steps:
        if isinstance(step, list):
            ordered.add(np.arange(known, known + len(step)), np.array(step, np.int64))
            expected += [(value, known + place) for place, value in enumerate(step)]
            known += len(step)
        elif known:
            row, value = step[0] % known, step[1]
            ordered.change(row, value)
            expected = [one for one in expected if one[1] != row] + [(value, row)]
        expected.sort(key=lambda one: one[0])  # stable

        assert list(zip(ordered.values.tolist(), ordered.rows.tolist(), strict=True)) == expected


@given(st.lists(st.integers(0, 19)), st.lists(st.integers(0, 19)))
def test_a_row_set_contains_its_members_and_no_other_row(members, asked):
    rows = RowSet(np.array(members, np.intp), 20)

    assert rows.contains(np.array(asked, np.intp)).tolist() == [row in members for row in asked]
