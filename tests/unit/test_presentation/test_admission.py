"""Under overload feed requests are rejected early, and probes and tracking are not."""

from collections.abc import Iterator

import httpx
import pytest

from app.presentation.api.admission import AdmissionControl
from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions
from app.shared.monitoring import Metrics
from tests.support.fake_use_cases import Running
from tests.support.http_server import served


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_requests_are_late_once_the_loop_has_been_busy_for_too_long() -> None:
    clock = Seconds()
    control = AdmissionControl(0.1, clock)
    late = [control.is_too_late()]  # before the start
    control.tick()

    for clock.now in (0.11, 0.13):
        late.append(control.is_too_late())
    control.tick()
    late.append(control.is_too_late())

    assert late == [False, False, True, False]


def test_the_longest_wait_is_that_since_the_last_scrape() -> None:
    clock = Seconds()
    control = AdmissionControl(0.1, clock)
    for clock.now in (0.0, 0.52, 0.54):
        control.tick()
    waits = [{metric.name: metric.samples[0].value for metric in control.collect()} for _ in range(2)]

    assert [one["ml_event_loop_wait_seconds"] for one in waits] == [pytest.approx(0.5), 0]


@pytest.fixture
def overloaded() -> Iterator[httpx.Client]:
    """A service whose feed requests have always waited too long."""
    options = ApiOptions(max_wait_seconds=-1.0)
    with served(create_api(options, Metrics(), Running().open, version="1")) as client:
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
