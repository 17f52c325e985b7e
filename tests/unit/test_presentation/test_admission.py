"""Under overload feed requests take turns and are rejected early, and probes and tracking are not."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from app.presentation.api.admission import AdmissionControl, FeedTurns
from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions
from app.shared.monitoring import Metrics
from tests.support.fake_use_cases import Running
from tests.support.http_server import served


@dataclass
class Loop:
    """Work in an event loop, on a clock that only this work moves. `done` has a letter for each piece of work."""

    max_wait_seconds: float = 0.1
    feed_seconds: float = 0.004
    other_seconds: float = 0.001
    others_end: float = 0.0
    now: float = 0.0
    arrivals: int = 0
    done: str = ""
    waits: list[float] = field(default_factory=list)
    shed: int = 0

    def __post_init__(self) -> None:
        self.turns = FeedTurns(self.max_wait_seconds, lambda: self.arrivals, lambda: self.now)

    async def feed(self) -> None:
        began = self.now
        self.arrivals += 1
        if not await self.turns.wait():
            self.shed += 1
            self.now += 0.0001
            await asyncio.sleep(0)
            return
        self.waits.append(self.now - began)
        self.now += self.feed_seconds
        self.done += "f"

    async def others(self) -> None:
        """Requests of another kind, one in each cycle of the loop."""
        while self.now < self.others_end:
            self.arrivals += 1
            self.now += self.other_seconds
            self.done += "o"
            await asyncio.sleep(0)

    async def feeds_at_once(self, count: int) -> None:
        await asyncio.gather(*(self.feed() for _ in range(count)))

    async def feeds_without_end(self, until: float) -> None:
        """Ten callers of feeds."""

        async def caller() -> None:
            while self.now < until:
                await self.feed()

        await asyncio.gather(*(caller() for _ in range(10)))

    def run(self, *work: object) -> None:
        async def everything() -> None:
            await asyncio.gather(*work)  # type: ignore[call-overload]

        asyncio.run(everything())


def test_a_feed_request_that_is_alone_does_not_wait() -> None:
    loop = Loop()

    loop.run(loop.feed())

    assert (loop.waits, loop.shed) == ([0.0], 0)


def test_other_requests_run_between_two_rankings() -> None:
    loop = Loop(max_wait_seconds=10, others_end=0.1)

    loop.run(loop.feeds_at_once(10), loop.others())

    assert loop.done.count("f") == 10
    assert "ff" not in loop.done


def test_cached_responses_share_a_turn() -> None:
    loop = Loop(max_wait_seconds=10, feed_seconds=0.0002, others_end=0.02, other_seconds=0.00001)

    loop.run(loop.feeds_at_once(40), loop.others())

    assert 6 <= max(map(len, loop.done.split("o"))) <= 10


def test_feed_requests_that_would_wait_too_long_are_rejected() -> None:
    loop = Loop(feed_seconds=0.03)

    loop.run(loop.feeds_at_once(20), loop.feeds_without_end(1.0))

    assert max(loop.waits) <= 0.1
    assert len(loop.waits) * 0.03 > 0.6 * loop.now  # rejections take the rest
    assert loop.shed > 20


@pytest.mark.parametrize(("end", "least", "most"), [(0.2, 0.65, 0.8), (2.0, 0.4, 0.6)])
def test_other_requests_and_feeds_have_their_shares_of_a_busy_loop(
    end: float, least: float, most: float
) -> None:
    loop = Loop(others_end=end, other_seconds=0.0005)  # the longer one has a backlog

    loop.run(loop.feeds_without_end(end), loop.others())

    assert least < loop.done.count("f") * loop.feed_seconds / loop.now < most


def test_a_cancelled_request_takes_no_turn() -> None:
    loop = Loop(max_wait_seconds=10)

    async def cancel_most() -> None:
        feeds = [asyncio.ensure_future(loop.feed()) for _ in range(10)]
        await asyncio.sleep(0)
        for one in feeds[3:]:
            one.cancel()
        await asyncio.wait(feeds)

    loop.run(cancel_most())

    assert loop.done == "fff"


def test_the_longest_wait_is_that_since_the_last_scrape() -> None:
    clock = iter([0.0, 0.52, 0.54])
    control = AdmissionControl(lambda: next(clock))
    for _ in range(3):
        control.tick()
    waits = [{metric.name: metric.samples[0].value for metric in control.collect()} for _ in range(2)]

    assert [one["ml_event_loop_wait_seconds"] for one in waits] == [pytest.approx(0.5), 0]


@pytest.fixture
def overloaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A service whose feed requests always come too late."""

    async def wait(_: FeedTurns) -> bool:
        return False

    monkeypatch.setattr(FeedTurns, "wait", wait)
    with served(create_api(ApiOptions(), Metrics(), Running().open, version="1")) as client:
        yield client


def test_an_overloaded_service_rejects_feeds_and_answers_probes_and_tracking(
    overloaded: httpx.Client,
) -> None:
    event = {"user_id": "alice", "post_id": "post-1", "interaction_type": "view"}

    feed = overloaded.post("/recommendations/generate", json={"user_id": "alice"})
    tracked = overloaded.post("/interactions/track", json=event)
    probes = [overloaded.get(path).status_code for path in ("/health", "/livez", "/readyz")]
    metrics = overloaded.get("/metrics").text

    assert (feed.status_code, feed.json()["code"], feed.headers["retry-after"]) == (503, "overloaded", "1")
    assert (tracked.status_code, probes) == (202, [200, 200, 200])
    assert "ml_http_requests_shed_total 1.0" in metrics
    assert "ml_http_requests_in_flight 1.0" in metrics  # this scrape
