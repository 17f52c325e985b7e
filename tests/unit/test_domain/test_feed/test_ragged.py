"""RaggedArray against a dict of lists."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.ragged import RaggedArray, cumulative_count
from tests.support.state_copies import copied

ENTRIES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 99)), max_size=60)
BATCHES = st.lists(ENTRIES, max_size=6)


def filled(batches) -> tuple[RaggedArray, dict[int, list[tuple[int, float]]]]:
    rows, plain = RaggedArray(np.int32, np.float64), {row: [] for row in range(7)}
    rows.ensure_rows(7)
    for batch in batches:
        at = np.array([row for row, _ in batch], np.intp)
        values = np.array([value for _, value in batch], np.int32)
        rows.append(at, values, values / 4)
        for row, value in batch:
            plain[row].append((value, value / 4))
    return rows, plain


def contents(rows: RaggedArray) -> dict[int, list[tuple[int, float]]]:
    return {row: list(zip(*(column.tolist() for column in rows.row(row)), strict=True)) for row in range(7)}


@given(BATCHES)
def test_a_row_reads_what_was_appended_to_it_oldest_first(batches):
    rows, plain = filled(batches)

    assert contents(rows) == plain
    assert rows.lengths(np.arange(7)).tolist() == [len(plain[row]) for row in range(7)]


@given(ENTRIES, st.lists(st.integers(0, 60), max_size=4))
def test_the_same_entries_in_any_batches_are_the_same_rows(entries, cuts):
    at = [0, *sorted(cuts), len(entries)]

    one, _ = filled([entries])
    many, _ = filled([entries[a:b] for a, b in itertools.pairwise(at)])

    assert contents(one) == contents(many)
    assert _bytes(one) == _bytes(many)


@given(BATCHES, st.lists(st.integers(0, 6), max_size=5), st.integers(1, 5))
def test_the_newest_entries_of_many_rows_come_in_the_order_that_was_asked_for(batches, asked, last):
    rows, plain = filled(batches)

    owner, (values, halves) = rows.gather(np.array(asked, np.intp), last)

    expected = [(place, *entry) for place, row in enumerate(asked) for entry in plain[row][-last:]]
    assert list(zip(owner.tolist(), values.tolist(), halves.tolist(), strict=True)) == expected


@given(BATCHES, st.integers(0, 6), st.integers(0, 99), ENTRIES)
def test_discarded_entries_are_gone_and_the_row_goes_on(batches, row, value, more):
    rows, plain = filled(batches)

    rows.discard(row, value)
    plain[row] = [entry for entry in plain[row] if entry[0] != value]
    rows.append(
        np.array([at for at, _ in more], np.intp),
        np.array([v for _, v in more], np.int32),
        np.array([v / 4 for _, v in more]),
    )
    for at, v in more:
        plain[at].append((v, v / 4))

    assert contents(rows) == plain


@given(BATCHES, st.sets(st.integers(0, 6)), BATCHES)
def test_cleared_rows_are_empty_and_a_compacted_copy_goes_on_as_the_first_would(before, cleared, after):
    rows, plain = filled(before)
    for row in cleared:
        rows.clear(row)
    compacted = rows.compacted()

    for one in (rows, compacted):
        for batch in after:
            values = np.array([value for _, value in batch], np.int32)
            one.append(np.array([row for row, _ in batch], np.intp), values, values / 4)

    more, expected = filled(after)[1], {row: [] if row in cleared else plain[row] for row in range(7)}
    assert contents(rows) == contents(compacted) == {row: expected[row] + more[row] for row in range(7)}


def test_rows_that_are_cleared_and_filled_again_and_again_waste_memory_until_they_are_compacted():
    rows = RaggedArray(np.int32)
    rows.ensure_rows(100)
    for _ in range(20):
        rows.append(np.repeat(np.arange(100), 40), np.zeros(4_000, np.int32))
        wastes_memory = rows.wastes_memory
        for row in range(100):
            rows.clear(row)
    rows.append(np.arange(100), np.zeros(100, np.int32))

    assert wastes_memory
    assert not rows.compacted().wastes_memory


def test_rows_without_entries_take_4_bytes():
    rows = RaggedArray(np.int32, np.float64)
    rows.ensure_rows(100_000)
    rows.append(np.array([7]), np.array([1], np.int32), np.array([2.0]))

    assert sum(array.nbytes for array in _arrays(rows.array_tree())) < 4.1 * 100_000


def test_rows_that_were_cleared_for_good_take_4_bytes_once_they_are_compacted():
    rows = RaggedArray(np.int32)
    rows.ensure_rows(100_000)
    rows.append(np.arange(100_000), np.zeros(100_000, np.int32))
    for row in range(1, 100_000):
        rows.clear(row)

    assert rows.wastes_memory
    assert sum(array.nbytes for array in _arrays(rows.compacted().array_tree())) < 4.1 * 100_000


@given(BATCHES, BATCHES)
def test_rows_that_were_saved_and_restored_go_on_as_the_first_would(before, after):
    rows, _ = filled(before)

    again = RaggedArray.from_tree(copied(rows.array_tree()), np.int32, np.float64)

    assert contents(again) == contents(rows)
    for batch in after:
        for one in (rows, again):
            values = np.array([value for _, value in batch], np.int32)
            one.append(np.array([row for row, _ in batch], np.intp), values, values / 4)
    assert contents(again) == contents(rows)


@given(st.lists(st.integers(0, 9), max_size=40))
def test_occurrence_counts_how_often_a_value_stood_earlier(values):
    found = cumulative_count(np.array(values, np.intp))

    assert found.tolist() == [values[:at].count(value) for at, value in enumerate(values)]


def _arrays(tree) -> list[np.ndarray]:
    return [array for one in tree.values() for array in (_arrays(one) if isinstance(one, dict) else [one])]


def _bytes(rows: RaggedArray) -> list[bytes]:
    every_row = np.arange(rows.rows)
    lengths = rows.lengths(every_row)
    _, columns = rows.gather(every_row, int(lengths.max(initial=0)))
    return [lengths.tobytes(), *(column.tobytes() for column in columns)]


@given(BATCHES, st.dictionaries(st.integers(0, 6), st.lists(st.integers(0, 99), max_size=9), max_size=4))
def test_rows_that_are_replaced_together_have_their_new_entries_only(batches, replaced):
    rows, plain = filled(batches)
    at, lengths = (
        np.array(list(replaced), np.intp),
        np.array([len(new) for new in replaced.values()], np.int64),
    )
    values = np.array([value for new in replaced.values() for value in new], np.int32)
    rows.reserve_lengths(at, lengths)
    assert contents(rows) == plain

    rows.replace_rows(at, lengths, values, values / 4)

    assert contents(rows) == plain | {
        row: [(value, value / 4) for value in new] for row, new in replaced.items()
    }
