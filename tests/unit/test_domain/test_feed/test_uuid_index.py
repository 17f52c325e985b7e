"""Finding the rows of many UUIDs at once."""

from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.dataset import uuid_keys
from app.domain.feed.uuid_index import UuidIndex, uuid_keys_from_text

FEW = st.integers(0, 40).map(lambda n: UUID(int=n << 64 | n % 3))  # so that some are met and some are not
ANY = st.one_of(FEW, st.uuids())
ODD = 0x9E3779B97F4A7C15


@given(st.lists(ANY, unique=True), st.lists(ANY))
def test_every_key_has_its_row_and_an_unknown_key_has_none(keys: list[UUID], asked: list[UUID]) -> None:
    rows = UuidIndex(uuid_keys(keys)).rows(uuid_keys(asked))

    place = {key: row for row, key in enumerate(keys)}
    assert rows.dtype == np.int32
    assert rows.tolist() == [place.get(key, -1) for key in asked]


def colliding(low: int) -> UUID:
    """Keys with other halves but the same mix of both: what somebody who chooses ids may send."""
    mixed = low * ODD % 2**64
    return UUID(bytes=mixed.to_bytes(8, "little") + low.to_bytes(8, "little"))


def test_keys_that_were_made_to_collide_have_different_rows() -> None:
    keys = [colliding(low) for low in range(1, 50)]
    unknown = colliding(99)

    rows = UuidIndex(uuid_keys(keys)).rows(uuid_keys([*reversed(keys), unknown]))

    assert rows.tolist() == [*reversed(range(49)), -1]


def test_an_unknown_key_that_collides_with_a_known_key_has_no_row() -> None:
    assert UuidIndex(uuid_keys([colliding(1)])).rows(uuid_keys([colliding(2)])).tolist() == [-1]


@given(st.lists(st.uuids()))
def test_ids_as_postgres_writes_them_are_the_same_keys(ids: list[UUID]) -> None:
    assert uuid_keys_from_text([str(one) for one in ids]).tobytes() == uuid_keys(ids).tobytes()
