"""Cursors: whole round trips, and nothing but the service's own tokens."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.application.cursor import CursorCodec, CursorState
from app.domain.errors import ExpiredCursor, InvalidCursor
from app.domain.feed.time_position import TimePosition

USER = UUID(int=7)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
CODEC = CursorCodec([b"first secret"], DAY)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def state(shown: object = (3, 5, 8), mode: str = "ranked", issued_at: datetime = NOON) -> CursorState:
    return CursorState(
        USER, mode, issued_at, issued_at - timedelta(minutes=3), np.array(shown, dtype=np.int64)
    )


sets_of_posts = st.one_of(
    st.sets(st.integers(0, 2**62 - 1), max_size=60),
    st.sets(st.integers(0, 40)),
    st.builds(
        lambda first, gone: {first + one for one in set(range(500)) - gone},
        st.integers(0, 10**9),
        st.sets(st.integers(0, 499), max_size=300),
    ),
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(
    shown=sets_of_posts,
    issued=moments,
    started=moments,
    mode=st.sampled_from(["ranked", "newest", "following"]),
    position=st.none() | st.builds(TimePosition, st.integers(0, 2**50), st.integers(0, 2**50)),
    variant_ids=st.binary(max_size=255),
)
def test_what_was_sealed_is_opened_as_it_was(
    shown: set[int],
    issued: datetime,
    started: datetime,
    mode: str,
    position: TimePosition | None,
    variant_ids: bytes,
) -> None:
    posts = np.array(sorted(shown), dtype=np.int64)
    sealed = CODEC.seal(CursorState(USER, mode, issued, started, posts, position, variant_ids))

    opened = CODEC.open(sealed, USER, mode, issued + DAY)

    assert opened.shown.tolist() == sorted(shown)
    assert opened.shown.dtype == np.int64
    assert (opened.position, opened.variant_ids) == (position, variant_ids)
    assert (opened.user, opened.mode, opened.issued_at, opened.started_at) == (USER, mode, issued, started)


@pytest.mark.parametrize("seed", range(5))
def test_two_thousand_posts_of_a_million_fit_four_kibibytes(seed: int) -> None:
    shown = np.sort(np.random.default_rng(seed).choice(1_000_000, 2_000, replace=False)).astype(np.int64)

    sealed = CODEC.seal(state(shown))

    assert len(sealed) <= 4096
    assert np.array_equal(CODEC.open(sealed, USER, "ranked", NOON).shown, shown)


def test_a_list_read_to_its_end_costs_a_bit_a_post_at_most() -> None:
    catalogue = np.arange(1, 100_001, dtype=np.int64)
    half = np.sort(np.random.default_rng(1).choice(catalogue, 50_000, replace=False))

    assert len(CODEC.seal(state(catalogue))) < 250
    assert len(CODEC.seal(state(half))) < 100_000 * 1.6 / 6
    assert np.array_equal(CODEC.open(CODEC.seal(state(half)), USER, "ranked", NOON).shown, half)


def test_a_cursor_of_earlier_versions_which_compressed_short_sets_opens() -> None:
    sealed = "hIYxL5NDPEaw3HznWnt5mAMABkv1Na8QAAAGS_UjzW0AA3icYmZseAMQAwMzL0AMDAyMgAEADdsBgg"

    opened = CursorCodec([b"secret"], DAY).open(sealed, USER, "ranked", NOON)

    assert opened.shown.tolist() == [3, 4, 900, 70000]
    assert opened.started_at == NOON - timedelta(minutes=5)


@pytest.mark.parametrize("size", [0, 1, 256, 257, 600])
def test_sets_on_both_sides_of_the_bound_of_compression_are_opened_as_sealed(size: int) -> None:
    shown = np.sort(np.random.default_rng(size).choice(10**9, size, replace=False)).astype(np.int64)

    sealed = CODEC.seal(state(shown))

    assert CODEC.open(sealed, USER, "ranked", NOON).shown.tolist() == shown.tolist()
    assert len(sealed) <= 4096


def test_any_single_character_changed_makes_the_cursor_invalid() -> None:
    for shown in ((), (1,), (1, 2), (3, 50, 900)):  # three residues of the length, so that spare bits occur
        sealed = CODEC.seal(state(shown))
        for place in range(len(sealed)):
            for other in ALPHABET.replace(sealed[place], ""):
                with pytest.raises(InvalidCursor):
                    CODEC.open(sealed[:place] + other + sealed[place + 1 :], USER, "ranked", NOON)


@given(given=st.text(max_size=80))
def test_foreign_text_is_an_invalid_cursor(given: str) -> None:
    with pytest.raises(InvalidCursor):
        CODEC.open(given, USER, "ranked", NOON)


@pytest.mark.parametrize("change", ["{}=", "{} ", "\n{}", "{}A", "{}====", "!{}"])
def test_the_same_cursor_spelled_otherwise_is_invalid(change: str) -> None:
    with pytest.raises(InvalidCursor):
        CODEC.open(change.format(CODEC.seal(state())), USER, "ranked", NOON)


def test_another_users_or_modes_cursor_is_invalid() -> None:
    sealed = CODEC.seal(state())

    with pytest.raises(InvalidCursor):
        CODEC.open(sealed, uuid5(USER, "other"), "ranked", NOON)
    with pytest.raises(InvalidCursor):
        CODEC.open(sealed, USER, "newest", NOON)


def test_a_cursor_lives_exactly_its_life() -> None:
    sealed = CODEC.seal(state())

    assert CODEC.open(sealed, USER, "ranked", NOON + DAY).shown.tolist() == [3, 5, 8]
    with pytest.raises(ExpiredCursor):
        CODEC.open(sealed, USER, "ranked", NOON + DAY + timedelta(microseconds=1))


def test_a_tampered_cursor_is_invalid_even_when_it_is_too_old() -> None:
    with pytest.raises(InvalidCursor):
        CODEC.open(CODEC.seal(state())[:-1], USER, "ranked", NOON + 9 * DAY)


def test_the_first_secret_signs_and_all_verify() -> None:
    old, rotated = CursorCodec([b"old"], DAY), CursorCodec([b"new", b"old"], DAY)

    assert rotated.open(old.seal(state()), USER, "ranked", NOON).shown.tolist() == [3, 5, 8]
    assert CursorCodec([b"new"], DAY).open(rotated.seal(state()), USER, "ranked", NOON).shown.tolist() == [
        3,
        5,
        8,
    ]
    with pytest.raises(InvalidCursor):
        old.open(rotated.seal(state()), USER, "ranked", NOON)


def test_a_codec_without_a_secret_is_rejected() -> None:
    for secrets in ([], [b""], [b"good", b""]):
        with pytest.raises(ValueError, match="secret"):
            CursorCodec(secrets, DAY)
