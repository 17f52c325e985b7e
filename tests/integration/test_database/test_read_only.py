"""A database that rejects writes: feeds go on, events get 503, and /health shows it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg2
import pytest

from tests.support.fake_use_cases import FixedClock
from tests.support.replicas import Replica

EVENT = {"user_id": "ann", "post_id": "first", "interaction_type": "like"}


def set_read_only(url: str, value: str) -> None:
    """For new connections; those of the service are closed."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        database = cursor.fetchone()[0]
        cursor.execute("SET default_transaction_read_only = off")
        cursor.execute(f'ALTER DATABASE "{database}" SET default_transaction_read_only = {value}')
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    connection.close()


@pytest.fixture
def replica(own_database_url: str) -> Iterator[Replica]:
    replica = Replica(own_database_url, FixedClock(datetime.now(UTC)))
    yield replica
    replica.close()


@pytest.mark.parametrize("starts_read_only", [False, True])
def test_a_read_only_database_is_visible_and_rejects_events_until_it_accepts_writes_again(
    replica: Replica, own_database_url: str, starts_read_only: bool
) -> None:
    replica.call("PUT", "/posts/first", {"author_id": "bob"})
    replica.call("PUT", "/users/ann", {})
    set_read_only(own_database_url, "on")
    if starts_read_only:
        replica.restart(None)

    replica.service.catch_up()
    health = replica.call("GET", "/health")
    writes = [
        replica.call("POST", "/interactions/track", EVENT),
        replica.call("POST", "/interactions/batch", {"interactions": [EVENT]}),
        replica.call("POST", "/interactions/retract", EVENT),
        replica.call("PUT", "/users/ann/follows/bob"),
        replica.call("PUT", "/posts/second", {}),
        replica.call("DELETE", "/posts/first"),
        replica.call("POST", "/feedback", {"user_id": "ann", "action": "hide_post", "post_id": "first"}),
    ]
    feed = replica.call("POST", "/recommendations/generate", {"user_id": "ann"})
    set_read_only(own_database_url, "off")
    replica.service.catch_up()
    after = replica.call("GET", "/health").json()["database"]

    assert (health.status_code, health.json()["status"], health.json()["database"]) == (
        200,
        "degraded",
        "read_only",
    )
    assert {(one.status_code, one.json()["code"]) for one in writes} == {(503, "storage_unavailable")}
    assert all(int(one.headers["retry-after"]) > 0 for one in writes)
    assert [post["external_id"] for post in feed.json()["recommendations"]] == ["first"]
    assert after == "up"
    assert replica.call("POST", "/interactions/track", EVENT).status_code == 202
