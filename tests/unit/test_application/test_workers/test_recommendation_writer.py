"""Responses are saved off the request path, and saving never delays a request."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from app.application.dto import RecommendationResponse
from app.application.workers import write_behind
from app.application.workers.recommendation_writer import RecommendationWriter
from app.domain.entities import Reason
from app.domain.errors import StorageUnavailable
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.recommendation_repository import SavedRecommendations
from tests.support.fake_use_cases import NOON, FixedClock

ANN, BEN, CAY = (user_uuid(name) for name in ("ann", "ben", "cay"))
TTL = timedelta(hours=24)


class RecordingRepository:
    """RecommendationRepository that fails with the errors `fail_with`."""

    def __init__(self) -> None:
        self.saved: list[SavedRecommendations] = []
        self.fail_with: list[Exception] = []
        self.cleanups: list[datetime] = []

    def save(self, recommendations: Sequence[SavedRecommendations]) -> None:
        if self.fail_with:
            raise self.fail_with.pop()
        self.saved += recommendations

    def remove_expired(self, now: datetime) -> int:
        self.cleanups.append(now)
        return 0


@pytest.fixture
def repository() -> RecordingRepository:
    return RecordingRepository()


@pytest.fixture
def writer(repository: RecordingRepository) -> RecommendationWriter:
    return RecommendationWriter(repository, FixedClock(), TTL, 2)


def a_response(*posts: str) -> RecommendationResponse:
    count = len(posts)
    return RecommendationResponse(
        user_id="someone",
        post_ids=[str(post_uuid(post)) for post in posts],
        external_ids=list(posts),
        scores=[1.0 / (position + 1) for position in range(count)],
        reasons=[Reason.RECENT] * count,
        evidence=[None] * count,
        source="personalized",
        degraded=False,
        exhausted=False,
        model_version="v1",
        generated_at=NOON,
        next_cursor=None,
    )


def test_a_response_is_saved_with_its_expiry(
    writer: RecommendationWriter, repository: RecordingRepository
) -> None:
    writer.enqueue(ANN, a_response("p1", "p2"))
    writer.save_pending()

    posts = [str(post_uuid("p1")), str(post_uuid("p2"))]
    assert repository.saved == [SavedRecommendations(ANN, posts, [1.0, 0.5], NOON, NOON + TTL)]
    assert writer.pending == 0


def test_only_the_newest_response_of_a_user_is_pending(
    writer: RecommendationWriter, repository: RecordingRepository
) -> None:
    writer.enqueue(ANN, a_response("old"))
    writer.enqueue(ANN, a_response("new"))
    assert writer.pending == 1
    writer.save_pending()

    assert [saved.post_ids for saved in repository.saved] == [[str(post_uuid("new"))]]
    assert writer.dropped == 0


def test_above_the_limit_the_oldest_pending_response_is_dropped_and_counted(
    writer: RecommendationWriter, repository: RecordingRepository
) -> None:
    for user in (ANN, BEN, ANN, CAY):  # the second response to ann is newer than the one to ben
        writer.enqueue(user, a_response("p1"))
    assert (writer.pending, writer.dropped) == (2, 1)
    writer.save_pending()

    assert [saved.user_id for saved in repository.saved] == [ANN, CAY]


def test_responses_above_the_batch_size_are_saved_by_the_next_statement(
    writer: RecommendationWriter, repository: RecordingRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecommendationWriter, "batch_size", 1)
    for user in (ANN, BEN):
        writer.enqueue(user, a_response("p1"))
    writer.save_pending()
    writer.save_pending()

    assert [saved.user_id for saved in repository.saved] == [ANN, BEN]


@pytest.mark.parametrize("error", [StorageUnavailable("unavailable"), ValueError("unexpected")])
def test_a_failed_save_does_not_prevent_later_ones(
    writer: RecommendationWriter, repository: RecordingRepository, error: Exception
) -> None:
    repository.fail_with = [error]
    writer.enqueue(ANN, a_response("p1"))
    pause_seconds = writer.save_pending()
    writer.enqueue(BEN, a_response("p2"))
    writer.save_pending()

    assert [saved.user_id for saved in repository.saved] == [BEN]
    assert pause_seconds == write_behind.PAUSE_AFTER_ERROR_SECONDS


def test_all_pending_responses_are_saved_at_the_end_though_a_batch_fails(
    repository: RecordingRepository,
) -> None:
    writer = RecommendationWriter(repository, FixedClock(), TTL, 100)
    for number in range(60):
        writer.enqueue(user_uuid(str(number)), a_response("p"))
    writer.save_all(until=float("-inf"))
    assert writer.pending == 60

    repository.fail_with = [ValueError("a bad row")]
    writer.save_all(until=float("inf"))

    assert writer.pending == 0
    assert len(repository.saved) == 60 - writer.batch_size


def test_without_a_database_the_end_does_not_wait(repository: RecordingRepository) -> None:
    writer = RecommendationWriter(repository, FixedClock(), TTL, 100)
    for number in range(60):
        writer.enqueue(user_uuid(str(number)), a_response("p"))
    repository.fail_with = [StorageUnavailable("away")] * 3

    writer.save_all(until=float("inf"))

    assert len(repository.fail_with) == 2


def test_expired_rows_are_removed_from_time_to_time(
    writer: RecommendationWriter, repository: RecordingRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_behind, "CLEANUP_SECONDS", 0.0)
    writer.save_pending()
    writer.save_pending()

    assert repository.cleanups == [NOON, NOON]


def test_enqueue_never_waits_for_a_slow_save(
    writer: RecommendationWriter, repository: RecordingRepository
) -> None:
    entered, release = threading.Event(), threading.Event()

    def save_slowly(*_: object) -> None:
        entered.set()
        release.wait(20)

    repository.save = save_slowly  # type: ignore[method-assign]
    writer.enqueue(ANN, a_response("p1"))
    saving = threading.Thread(target=writer.save_pending)
    saving.start()
    assert entered.wait(20)

    for number in range(1_000):
        writer.enqueue(user_uuid(f"user {number}"), a_response("p1"))
    assert (writer.pending, writer.dropped) == (2, 998)
    release.set()
    saving.join()


def test_the_pause_is_a_multiple_of_the_time_of_the_save(
    writer: RecommendationWriter, repository: RecordingRepository
) -> None:
    repository.save = lambda _: threading.Event().wait(0.05)  # type: ignore[assignment,return-value]
    writer.enqueue(ANN, a_response("p1"))

    assert writer.save_pending() >= 0.05 * write_behind.IDLE_TO_BUSY_RATIO
    assert writer.save_pending() == write_behind.MIN_PAUSE_SECONDS
