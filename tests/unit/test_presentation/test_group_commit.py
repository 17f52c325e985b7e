"""Concurrent events share a commit, and each call gets the outcome of its own event."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from app.application.use_cases.track_interaction import TrackedEvent, TrackResult
from app.domain.errors import DomainError, InvalidInteraction, StorageUnavailable, UnknownPost
from app.presentation.api.group_commit import MAX_COMMITS, MAX_EVENTS, GroupCommit
from app.presentation.api.request_threads import RequestThreads
from app.shared.monitoring import Metrics


@dataclass
class SlowTracking:
    """Stores events while `may_go_on`; an event on the post `unknown` is rejected, one on `poison` spoils its call."""

    may_go_on: threading.Event = field(default_factory=threading.Event)
    calls: list[int] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    away: bool = False

    def __call__(self, events: Sequence[TrackedEvent], *, partial: bool = False) -> TrackResult:
        assert partial
        self.calls.append(len(events))
        self.may_go_on.wait(10)
        if self.away:
            raise StorageUnavailable("away")
        if any(event.post_id == "poison" for event in events):
            raise InvalidInteraction("poison")
        rejected: dict[int, DomainError] = {
            place: UnknownPost(event.post_id)
            for place, event in enumerate(events)
            if event.post_id == "unknown"
        }
        self.stored += [event.user_id for place, event in enumerate(events) if place not in rejected]
        return TrackResult(len(events) - len(rejected), 0, rejected)


async def outcomes(tracking: SlowTracking, posts: Sequence[str], budget_seconds: float = 5.0) -> list[str]:
    """What each of the concurrent calls gets. The first commits wait until all events have arrived."""
    commit = GroupCommit(RequestThreads(2, budget_seconds), Metrics())
    events = [TrackedEvent(str(number), post, "like", None) for number, post in enumerate(posts)]
    calls = [asyncio.ensure_future(commit.store(tracking, event)) for event in events]  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    if budget_seconds > 1:
        tracking.may_go_on.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    tracking.may_go_on.set()
    return ["stored" if error is None else type(error).__name__ for error in results]


def test_events_that_arrive_during_a_commit_share_the_next_one() -> None:
    tracking = SlowTracking()

    found = asyncio.run(outcomes(tracking, ["post"] * 500))

    assert found == ["stored"] * 500
    assert sorted(tracking.stored, key=int) == [str(number) for number in range(500)]
    assert max(tracking.calls) <= MAX_EVENTS
    assert len(tracking.calls) <= MAX_COMMITS + 500 // MAX_EVENTS + 1


def test_events_that_wait_for_a_distant_database_are_stored_by_a_further_commit() -> None:
    tracking = SlowTracking()

    async def later_event() -> int:
        commit = GroupCommit(RequestThreads(2, 5.0), Metrics())
        stored = []
        for number in (1, 2):
            event = TrackedEvent(str(number), "post", "like")
            stored.append(asyncio.ensure_future(commit.store(tracking, event)))  # type: ignore[arg-type]
            while len(tracking.calls) < number:
                await asyncio.sleep(0.005)
        finished = sum(one.done() for one in stored)
        tracking.may_go_on.set()
        await asyncio.gather(*stored)
        return finished

    assert asyncio.run(asyncio.wait_for(later_event(), 10)) == 0
    assert tracking.calls == [1, 1]


@pytest.mark.parametrize(("post", "outcome"), [("unknown", "UnknownPost"), ("poison", "InvalidInteraction")])
def test_an_event_that_cannot_be_stored_spoils_no_other(post: str, outcome: str) -> None:
    posts = ["post"] * 30
    posts[17] = post

    found = asyncio.run(outcomes(SlowTracking(), posts))

    assert found == ["stored"] * 17 + [outcome] + ["stored"] * 12


def test_without_a_database_every_call_fails_and_none_is_repeated() -> None:
    tracking = SlowTracking(away=True)

    assert asyncio.run(outcomes(tracking, ["post"] * 30)) == ["StorageUnavailable"] * 30
    assert len(tracking.calls) <= MAX_COMMITS + 1


def test_a_call_gives_up_after_its_budget_and_its_event_is_not_stored_later() -> None:
    tracking = SlowTracking()

    found = asyncio.run(outcomes(tracking, ["post"] * 30, budget_seconds=0.1))

    assert found == ["StorageUnavailable"] * 30
    assert sum(tracking.calls) <= MAX_COMMITS * MAX_EVENTS
