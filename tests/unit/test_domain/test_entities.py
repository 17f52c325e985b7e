"""Entities keep their invariants: what breaks one cannot be made."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.entities import INTERACTION_TYPES, Interaction, Post, User
from app.domain.entities.interaction import ADDED_METADATA_BYTES, MAX_METADATA_BYTES
from app.domain.entities.post import post_text

ALICE, POST = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_user_has_an_external_id() -> None:
    assert User(ALICE, "alice").external_id == "alice"
    with pytest.raises(ValueError, match="external_id"):
        User(ALICE, "")


def test_times_carry_a_time_zone() -> None:
    without_zone = NOON.replace(tzinfo=None)

    with pytest.raises(ValueError, match="created_at must carry a time zone"):
        Post(POST, "post-1", None, without_zone, seq=1)
    with pytest.raises(ValueError, match="occurred_at must carry a time zone"):
        Interaction(ALICE, POST, "view", without_zone)


def test_the_number_of_a_post_is_not_negative() -> None:
    assert Post(POST, "post-1", None, NOON, seq=0).visible
    with pytest.raises(ValueError, match="seq must not be negative, got -1"):
        Post(POST, "post-1", None, NOON, seq=-1)


def test_the_text_of_a_post_ends_with_its_tags() -> None:
    assert post_text("a red fox", ("animals", "red")) == "a red fox animals red"
    assert post_text("a red fox", ()) == "a red fox"


@pytest.mark.parametrize("kind", INTERACTION_TYPES)
def test_an_interaction_has_one_of_the_types(kind: str) -> None:
    assert Interaction(ALICE, POST, kind, NOON).interaction_type == kind
    with pytest.raises(ValueError, match="interaction_type must be one of"):
        Interaction(ALICE, POST, kind.upper(), NOON)


@given(st.sampled_from(["a", "\u00e9", "\u20ac", "\U0001f98a"]), st.integers(-2, 2))
def test_metadata_is_bounded_in_bytes_of_compact_json(character: str, more: int) -> None:
    frame, size = len('{"a":""}'), len(character.encode())
    limit = MAX_METADATA_BYTES + ADDED_METADATA_BYTES
    metadata = {"a": character * ((limit - frame) // size + more)}

    if more <= 0:
        assert Interaction(ALICE, POST, "view", NOON, metadata=metadata).metadata == metadata
    else:
        with pytest.raises(ValueError, match="metadata must be at most 4096 bytes of JSON"):
            Interaction(ALICE, POST, "view", NOON, metadata=metadata)


def test_entities_cannot_be_changed() -> None:
    for entity in (User(ALICE, "alice"), Post(POST, "post-1", None, NOON, seq=1)):
        with pytest.raises(AttributeError):
            entity.external_id = "another"  # type: ignore[misc]
