"""Answers are copied to storage off the request path; a copy is never worth a request."""

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest

from app.application.dto import RecommendationResponse
from app.application.workers import recommendation_writer
from app.application.workers.recommendation_writer import WriteBehind
from app.domain.entities import Reason, Recommendation
from app.domain.errors import StorageUnavailable
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.recommendation_repository import SavedRecommendations
from tests.support.fake_use_cases import NOON, FixedClock

ANN, BEN, CAY = (user_uuid(name) for name in ("ann", "ben", "cay"))
LIFE = timedelta(hours=24)


class Copies:
    """RecommendationRepository that remembers, and fails as often as it is told; `came` opens with each call."""

    def __init__(self) -> None:
        self.saved: list[SavedRecommendations] = []
        self.fail_with: list[Exception] = []
        self.cleaned: list[datetime] = []
        self.calls = 0
        self.came = threading.Condition()

    def save(self, answers: Sequence[SavedRecommendations]) -> None:
        with self.came:
            self.calls += 1
            self.came.notify_all()
            if self.fail_with:
                raise self.fail_with.pop()
            self.saved += answers

    def remove_expired(self, now: datetime) -> int:
        with self.came:
            self.cleaned.append(now)
            self.came.notify_all()
        return 0

    def wait_for(self, calls: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: self.calls >= calls, 20)


@pytest.fixture
def copies() -> Copies:
    return Copies()


@pytest.fixture
def behind(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteBehind]:
    monkeypatch.setattr(recommendation_writer, "_IDLE_SECONDS", 0.001)
    one = WriteBehind(copies, FixedClock(), LIFE, 2)
    yield one
    one.close()


def an_answer(*posts: str, version: str = "v1") -> RecommendationResponse:
    count = len(posts)
    return RecommendationResponse(
        user_id="someone",
        post_ids=[str(post_uuid(one)) for one in posts],
        external_ids=list(posts),
        scores=[1.0 / (place + 1) for place in range(count)],
        reasons=[Reason.RECENT] * count,
        source="personalized",
        degraded=False,
        exhausted=False,
        model_version=version,
        generated_at=NOON,
        next_cursor=None,
    )


def test_an_answer_is_copied_whole_with_its_life(behind: WriteBehind, copies: Copies) -> None:
    behind.enqueue(ANN, an_answer("p1", "p2"))
    behind.open()
    copies.wait_for(1)

    offered = [
        Recommendation(post_uuid("p1"), 1.0, Reason.RECENT),
        Recommendation(post_uuid("p2"), 0.5, Reason.RECENT),
    ]
    assert copies.saved == [SavedRecommendations(ANN, offered, NOON, NOON + LIFE)]
    assert behind.pending == 0


def test_of_one_user_the_newest_answer_alone_waits(behind: WriteBehind, copies: Copies) -> None:
    behind.enqueue(ANN, an_answer("old"))
    behind.enqueue(ANN, an_answer("new"))
    assert behind.pending == 1
    behind.open()
    copies.wait_for(1)

    [[offered]] = [one.recommendations for one in copies.saved]
    assert (offered.post_id, behind.dropped) == (post_uuid("new"), 0)


def test_beyond_the_limit_the_answer_that_waited_longest_is_dropped_and_counted(
    behind: WriteBehind, copies: Copies
) -> None:
    for user in (ANN, BEN, ANN, CAY):  # ann asked again, so ben waits longest
        behind.enqueue(user, an_answer("p1"))
    assert (behind.pending, behind.dropped) == (2, 1)
    behind.open()
    copies.wait_for(1)

    assert [one.user_id for one in copies.saved] == [ANN, CAY]


def test_what_is_too_much_for_one_statement_comes_with_the_next(
    behind: WriteBehind, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommendation_writer, "_BATCH_SIZE", 1)
    for user in (ANN, BEN):
        behind.enqueue(user, an_answer("p1"))
    behind.open()
    copies.wait_for(2)

    assert [one.user_id for one in copies.saved] == [ANN, BEN]


@pytest.mark.parametrize("error", [StorageUnavailable("away"), ValueError("unforeseen")])
def test_a_copy_that_fails_stops_no_later_one(
    behind: WriteBehind, copies: Copies, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    copies.fail_with = [error]
    behind.enqueue(ANN, an_answer("p1"))
    behind.open()
    copies.wait_for(1)
    behind.enqueue(BEN, an_answer("p2"))
    copies.wait_for(2)

    assert [one.user_id for one in copies.saved] == [BEN]


def test_expired_rows_are_removed_now_and_then(
    behind: WriteBehind, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommendation_writer, "_CLEAN_EVERY_SECONDS", 0.0)
    behind.open()

    with copies.came:
        assert copies.came.wait_for(lambda: len(copies.cleaned) > 1, 20)
    assert set(copies.cleaned) == {NOON}


def test_handing_over_never_waits_for_a_slow_copy(behind: WriteBehind, copies: Copies) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        entered.set()
        release.wait(20)

    copies.save = slow  # type: ignore[method-assign]
    behind.enqueue(ANN, an_answer("p1"))
    behind.open()
    assert entered.wait(20)

    for number in range(1_000):
        behind.enqueue(user_uuid(f"user {number}"), an_answer("p1"))
    assert (behind.pending, behind.dropped) == (2, 998)
    release.set()


def test_closing_ends_the_thread_and_gives_up_what_waits(behind: WriteBehind, copies: Copies) -> None:
    behind.open()
    behind.close()
    behind.enqueue(ANN, an_answer("p1"))

    assert not [one for one in threading.enumerate() if one.name == "write-behind"]
    assert copies.saved == []
