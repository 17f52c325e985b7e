"""Parts as rows of limited length."""

import numpy as np

from training.evaluation.sliced_replay import Part
from training.spark import part_rows


def test_rows_of_limited_length_in_any_order_give_the_parts(monkeypatch):
    monkeypatch.setattr(part_rows, "MAX_VALUE_BYTES", 100)
    parts = [Part("events", 3, -1, list(range(200))), Part("posts", 3, 2, "short")]

    rows = [row for part in parts for row in part_rows.rows_of(part)]
    shuffled = [rows[place] for place in np.random.default_rng(0).permutation(len(rows))]

    assert len(rows) > 3
    assert max(len(row[-1]) for row in rows) <= 100
    assert sorted(part_rows.parts_of(shuffled), key=lambda part: part.kind) == parts


def test_a_table_of_parts_gives_the_parts(monkeypatch):
    monkeypatch.setattr(part_rows, "MAX_VALUE_BYTES", 100)
    parts = [Part("events", 3, -1, list(range(200))), Part("posts", 4, 2, "short")]

    batches = part_rows.table_of(parts).to_batches()

    assert {batch.num_rows for batch in batches} == {1}
    assert list(part_rows.parts_of(part_rows.rows_of_batches(batches))) == parts
