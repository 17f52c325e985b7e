"""data.simulate_visits against a service over real HTTP."""

from collections import Counter

import httpx
import numpy as np
import pytest

from app.domain.ids import post_uuid
from app.shared.exceptions import ConfigurationError
from data import simulate_visits
from data.simulate_visits import Service, begin_visit, end_visit
from tests.support.fake_use_cases import Running

TAGS = {str(post_uuid(f"post-{number}")): ["red" if number % 2 else "blue"] for number in range(300)}


@pytest.fixture(autouse=True)
def nobody_hides_or_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake service has the posts of a page in no table, and stores no page."""
    monkeypatch.setattr(simulate_visits, "HIDES", {True: 0.0, False: 0.0})
    monkeypatch.setattr(simulate_visits, "READ_SECONDS", 0.0)


def visit(service: Service, user: str, rng: np.random.Generator) -> Counter[str]:
    return end_visit(service, begin_visit(service, user, TAGS, rng), TAGS, rng)


def test_a_person_declares_tags_reads_a_page_and_acts_on_it(api: httpx.Client, running: Running) -> None:
    service, rng = Service(str(api.base_url), None), np.random.default_rng(3)

    done = sum((visit(service, "alice", rng) for _ in range(20)), start=visit(service, "bob", rng))

    events = [one.interaction for one in running.applied]
    assert done["shown"] == 21 * simulate_visits.PAGE_POSTS
    assert done["likes"] == sum(one.interaction_type == "like" for one in events) > 0
    assert len(events) > done["likes"]
    assert all(one.request_id for one in events)


def test_the_same_seed_makes_the_same_visits(api: httpx.Client) -> None:
    service = Service(str(api.base_url), None)

    first, second = (visit(service, "alice", np.random.default_rng(5)) for _ in range(2))

    assert first == second


def test_a_rejected_call_and_a_service_that_is_away_are_one_line(api: httpx.Client) -> None:
    service = Service(str(api.base_url), None)
    with pytest.raises(ConfigurationError, match=r"^POST /recommendations/generate: status 422: "):
        service.send("POST", "/recommendations/generate", {"user_id": "alice", "limit": 0})
    with pytest.raises(ConfigurationError, match=r"does not respond: .* is the service running"):
        Service("http://127.0.0.1:1", None).send("GET", "/health", {})
    with pytest.raises(ConfigurationError, match=r"is no address; use one such as"):
        Service("localhost:8000", None)
