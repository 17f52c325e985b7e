"""UuidIndex against a dict."""

import os
import pickle
import tracemalloc
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed import uuid_index
from app.domain.feed.array_tree import key_array
from app.domain.feed.dataset import uuid_keys
from app.domain.feed.uuid_index import UuidIndex, uuid_keys_from_text, uuid_texts
from tests.support.state_copies import copied

FEW = st.integers(0, 40).map(lambda n: UUID(int=n << 64 | n % 3))  # so that some are met and some are not
ANY = st.one_of(FEW, st.uuids())
SOME_KEYS = st.sets(st.integers(0, 60), max_size=30).map(lambda numbers: [UUID(int=n).bytes for n in numbers])
CHANGES = st.lists(st.tuples(st.sampled_from(["add", "pop", "remove", "reserve"]), SOME_KEYS), max_size=8)


@given(st.lists(ANY, unique=True), st.lists(ANY))
def test_every_key_has_its_row_and_an_unknown_key_has_none(keys: list[UUID], asked: list[UUID]) -> None:
    index = UuidIndex(uuid_keys(keys))

    rows = index.rows(uuid_keys(asked))

    place = {key: row for row, key in enumerate(keys)}
    assert rows.dtype == np.int32
    assert rows.tolist() == [place.get(key, -1) for key in asked]
    assert [index.get(key.bytes, -1) for key in asked] == rows.tolist()


def changed(changes) -> tuple[UuidIndex, dict[bytes, int]]:
    """Some keys come and go; every key that comes gets the next row."""
    index, plain, n_rows = UuidIndex(), {}, 0
    for change, keys in changes:
        known = [key for key in keys if key in plain]
        if change == "add":
            new = [key for key in keys if key not in plain]
            rows = np.arange(n_rows, n_rows + len(new))
            index.add(key_array(new), rows)
            plain.update(zip(new, rows.tolist(), strict=True))
            n_rows += len(new)
        elif change == "pop":
            assert [index.pop(key) for key in keys] == [plain.pop(key, None) for key in keys]
        elif change == "remove":
            index.remove(key_array(known))
            for key in known:
                del plain[key]
        else:
            index.reserve(n_rows + len(keys), len(plain) + len(keys))
    return index, plain


@given(CHANGES)
def test_keys_come_and_go_as_in_a_dict(changes):
    index, plain = changed(changes)

    assert len(index) == len(plain)
    assert dict(index.items()) == plain
    assert index.present().tolist() == sorted(plain.values())
    assert [index.key(row) for row in plain.values()] == list(plain)


@given(CHANGES, SOME_KEYS)
def test_a_copy_and_a_restored_index_do_not_follow_later_changes(changes, later):
    index, plain = changed(changes)
    n_rows = len(index.by_row)
    others = [index.copy(), UuidIndex.from_tree(copied(index.array_tree(n_rows)))]

    new = [key for key in later if key not in plain]
    index.add(key_array(new), np.arange(n_rows, n_rows + len(new)))
    index.by_row[:n_rows] = bytes(16)

    assert [dict(other.items()) for other in others] == [plain, plain]


@pytest.mark.parametrize(("n_keys", "places"), [(2, (0, 1)), (1_000, (3, 4)), (100_000, (7, 99_999))])
def test_a_key_that_was_saved_twice_is_an_error(n_keys, places):
    index = UuidIndex(key_array([number.to_bytes(16) for number in range(n_keys)]))
    tree = copied(index.array_tree(n_keys))
    first, second = places
    tree["key"][second] = tree["key"][first]

    with pytest.raises(ValueError, match="twice"):
        UuidIndex.from_tree(tree)


def test_a_pickled_index_finds_its_keys_in_a_process_that_hashes_in_another_way(monkeypatch):
    keys = key_array([bytes([number]) * 16 for number in range(50)])
    index = UuidIndex(keys)
    index.remove(keys[:10])
    pickled = pickle.dumps(index)

    monkeypatch.setattr(uuid_index, "_MULTIPLIERS", (3, 5, 7, 11))
    found = pickle.loads(pickled)

    assert found.rows(keys).tolist() == [*[-1] * 10, *range(10, 50)]
    assert len(found) == 40


def test_bytes_of_another_length_are_no_key():
    index = UuidIndex(key_array([bytes(16)]))

    assert b"" not in index
    assert index.get(bytes(15)) is None


def test_a_key_takes_at_most_28_bytes_also_after_many_came_and_went():
    index = UuidIndex()
    for start in range(0, 40_000, 500):
        keys = np.frombuffer(os.urandom(16 * 1000), "V16")
        index.reserve(start + 1000, len(index) + 1000)
        index.add(keys, np.arange(start, start + 1000))
        index.remove(keys[500:])

    tracemalloc.start()
    copied_index = index.copy()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(copied_index) == 40_000
    assert size <= 28 * 40_000


@given(st.lists(st.uuids()))
def test_ids_as_postgres_writes_them_are_the_same_keys(ids: list[UUID]) -> None:
    texts = [str(one) for one in ids]

    assert uuid_keys_from_text(texts).tobytes() == uuid_keys(ids).tobytes()
    assert uuid_texts(uuid_keys(ids)) == texts
