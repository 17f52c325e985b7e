"""Tracking: what is checked before the store is asked, and what happens after the commit."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from app.application.use_cases.track_interaction import TrackedEvent, TrackInteraction
from app.domain.errors import InvalidId, InvalidInteraction, StorageUnavailable, UnknownPost
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.interaction_repository import StoredInteraction
from tests.support.fake_use_cases import NOON, FixedClock, MemoryInteractions


@pytest.fixture
def repository() -> MemoryInteractions:
    return MemoryInteractions({user_uuid("alice")}, {post_uuid("post-1")})


def viewed(**changes: object) -> TrackedEvent:
    given = {"user_id": "alice", "post_id": "post-1", "interaction_type": "view", **changes}
    return TrackedEvent(**given)  # type: ignore[arg-type]


def test_events_are_applied_after_they_were_committed(repository: MemoryInteractions) -> None:
    committed_when_applied: list[int] = []

    def apply(stored: Sequence[StoredInteraction]) -> None:
        committed_when_applied.append(len(repository.rows))

    TrackInteraction(repository, FixedClock(), apply)([viewed(), viewed()])

    assert committed_when_applied == [2]


def test_a_feed_that_cannot_take_them_does_not_take_the_commit_back(repository: MemoryInteractions) -> None:
    def broken(stored: Sequence[StoredInteraction]) -> None:
        raise RuntimeError("the feed is being swapped")

    recorded = TrackInteraction(repository, FixedClock(), broken)([viewed()])

    assert len(recorded.stored) == len(repository.rows) == 1


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (viewed(user_id=""), InvalidId),
        (viewed(post_id="a\0"), InvalidId),
        (viewed(interaction_type="hug"), InvalidInteraction),
        (viewed(metadata={"a": "x" * 5000}), InvalidInteraction),
        (viewed(occurred_at=NOON + timedelta(seconds=6)), InvalidInteraction),
        (viewed(occurred_at=NOON - timedelta(days=7, microseconds=1)), InvalidInteraction),
    ],
)
def test_one_wrong_event_keeps_the_whole_batch_out_and_its_place_is_named(
    repository: MemoryInteractions, wrong: TrackedEvent, error: type[Exception]
) -> None:
    applied: list[StoredInteraction] = []
    track = TrackInteraction(repository, FixedClock(), applied.extend)

    with pytest.raises(error, match=r"^interactions\[1\]: "):
        track([viewed(), wrong, viewed()])

    assert repository.rows == applied == []


def test_what_the_store_refuses_is_not_applied(repository: MemoryInteractions) -> None:
    applied: list[StoredInteraction] = []
    track = TrackInteraction(repository, FixedClock(), applied.extend)

    with pytest.raises(UnknownPost, match=r"^another$"):
        track([viewed(post_id="another")])
    with pytest.raises(UnknownPost, match=r"^interactions\[1\]: another$"):
        track([viewed(), viewed(post_id="another")])
    repository.away = True
    with pytest.raises(StorageUnavailable):
        track([viewed()])

    assert applied == []


def test_an_event_of_a_fast_clock_is_stored_as_of_now(repository: MemoryInteractions) -> None:
    track = TrackInteraction(repository, FixedClock(), lambda stored: None)

    track(
        [
            viewed(occurred_at=NOON + timedelta(seconds=4)),
            viewed(occurred_at=NOON - timedelta(days=7)),
            viewed(),
        ]
    )

    assert [row.occurred_at for row in repository.rows] == [NOON, NOON - timedelta(days=7), NOON]
