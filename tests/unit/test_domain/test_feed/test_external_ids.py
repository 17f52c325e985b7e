"""Which row an id means, compared with a search through all rows."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidId
from app.domain.feed.dataset import uuid_keys
from app.domain.feed.external_ids import ExternalIds, derived_keys
from app.domain.feed.uuid_index import UuidIndex
from app.domain.ids import canonical_id, is_id, post_uuid, user_uuid

ANN, BOB = UUID(int=1), UUID(int=2)
NAMES = ["ann", " ann", "bob", "caf\u00e9", "cafe\u0301", str(BOB), str(BOB).upper(), BOB.hex]
KEYS = [ANN, BOB, *map(user_uuid, NAMES)]


def searched(rows: dict[UUID, str], given: str) -> UUID:
    """The rule, one row at a time; the rows whose UUID is derived matter only if no other row matches."""
    for text in (given, canonical_id(given)):
        found = sorted(key for key, name in rows.items() if name == text and key != user_uuid(name))
        if found:
            return found[0]
    return user_uuid(given)


@given(
    st.lists(
        st.tuples(st.sampled_from(KEYS), st.none() | st.sampled_from(NAMES)), max_size=12
    )  # None removes the row
)
def test_ids_mean_the_rows_that_a_search_finds_whatever_was_renamed_or_removed(
    changes: list[tuple[UUID, str | None]],
) -> None:
    ids, rows = ExternalIds("user"), dict[UUID, str]()

    for key, name in changes:
        if name is None:
            ids.remove(key.bytes)
            rows.pop(key, None)
        else:
            ids.set([key.bytes], [name])
            rows[key] = name

    kept = ExternalIds.from_items("user", ids.items())
    for name in NAMES:
        assert ids.resolve(name) == kept.resolve(name) == searched(rows, name)
    assert len(ids) == sum(key != user_uuid(name) for key, name in rows.items())


def test_rows_that_swap_their_ids_are_found_under_the_new_ones() -> None:
    ids = ExternalIds("post")
    ids.set([ANN.bytes, BOB.bytes], ["first", "second"])

    ids.set([ANN.bytes, BOB.bytes], ["second", "first"])

    assert [ids.resolve(one) for one in ("first", "second")] == [BOB, ANN]


def test_derived_rows_take_no_memory() -> None:
    ids, names = ExternalIds("post"), ["p1", "gr\u00fc\u00dfe", str(uuid4())]

    ids.set([post_uuid(one).bytes for one in names], names)

    assert len(ids) == 0
    assert ids.resolve("p1") == post_uuid("p1")


@given(st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40).filter(is_id)))
def test_many_keys_are_derived_as_one_is(names: list[str]) -> None:
    names += [str(BOB).upper(), f"{{{BOB}}}"]

    assert derived_keys("user", names).tolist() == [user_uuid(one).bytes for one in names]


def test_an_id_is_repeated_if_several_rows_have_it_whether_derived_or_not() -> None:
    rows = {ANN: "ann", BOB: "ann", user_uuid("bob"): "bob", UUID(int=3): "bob", UUID(int=4): "once"}
    rows |= {user_uuid("free"): "renamed", UUID(int=5): "free", user_uuid("cat"): "cat"}
    ids, index = ExternalIds("user"), UuidIndex(uuid_keys(rows))
    ids.set([key.bytes for key in rows], list(rows.values()))

    assert ids.repeated(index) == 2


def test_a_text_that_is_no_id_is_rejected() -> None:
    ids = ExternalIds("user")
    ids.set([ANN.bytes], ["ann"])

    with pytest.raises(InvalidId):
        ids.resolve("a\0")
