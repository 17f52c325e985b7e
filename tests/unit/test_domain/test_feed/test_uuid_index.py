"""Finding the rows of many UUIDs at once."""

from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.dataset import uuid_keys
from app.domain.feed.uuid_index import UuidIndex, uuid_keys_from_text

FEW = st.integers(0, 40).map(lambda n: UUID(int=n << 64 | n % 3))  # so that some are met and some are not
ANY = st.one_of(FEW, st.uuids())


@given(st.lists(ANY, unique=True), st.lists(ANY))
def test_every_key_has_its_row_and_an_unknown_key_has_none(keys: list[UUID], asked: list[UUID]) -> None:
    rows = UuidIndex(uuid_keys(keys)).rows(uuid_keys(asked))

    place = {key: row for row, key in enumerate(keys)}
    assert rows.dtype == np.int32
    assert rows.tolist() == [place.get(key, -1) for key in asked]


@given(st.lists(st.uuids()))
def test_ids_as_postgres_writes_them_are_the_same_keys(ids: list[UUID]) -> None:
    assert uuid_keys_from_text([str(one) for one in ids]).tobytes() == uuid_keys(ids).tobytes()
