"""A database that is some round trips away, while another program stores events without a pause."""

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from app.infrastructure.database.embedded import EmbeddedPostgres
from benchmarks.load import request_of
from benchmarks.overload_callers import Callers
from tests.e2e.test_service.test_faults_database import POSTS, fill
from tests.integration.test_database.test_faults import Server
from tests.support.distant_database import distant
from tests.support.service_process import Service, running

pytestmark = pytest.mark.chaos

EVENTS_PER_SECOND = 500
USERS = 100
TRACK = "/interactions/track"


class Writer:
    """Another program, which stores ten events in each transaction."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self.stored = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with closing(psycopg2.connect(self._url)) as connection, connection.cursor() as cursor:
                    connection.autocommit = True
                    self._store(cursor)
            except psycopg2.Error:
                time.sleep(0.05)  # the database is stopped

    def _store(self, cursor: psycopg2.extensions.cursor) -> None:
        began, before = time.monotonic(), self.stored
        while not self._stop.is_set():
            cursor.execute(
                "INSERT INTO user_interaction (user_id, post_id, interaction_type) SELECT u.id, p.id, 'view' "
                "FROM (SELECT id FROM users LIMIT 1) u, (SELECT id FROM posts ORDER BY random() LIMIT 10) p"
            )
            self.stored += 10
            due = began + (self.stored - before) / EVENTS_PER_SECOND
            time.sleep(max(due - time.monotonic(), 0.0))


def lag_seconds(service: Service) -> float:
    found = re.search(r"^ml_feed_tail_lag_seconds (\S+)", service.client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_events_without_a_pause_delay_no_change_and_no_recovery(tmp_path: Path) -> None:
    postgres = EmbeddedPostgres(tmp_path)
    with postgres as url:
        fill(url)
        server, writer = Server(tmp_path, url), Writer(url)
        with distant(url, 0.01) as through, running(tmp_path, DATABASE_URL=through) as service:
            service.until(lambda: service.health()["database"] == "up")
            with writer.at_work():
                end, lags = time.monotonic() + 10, list[float]()
                while time.monotonic() < end:
                    lags.append(lag_seconds(service))
                    stored = writer.stored
                    service.until(lambda stored=stored: service.health()["interactions"] >= stored, seconds=2)
                server.kill()
                service.until(lambda: service.health()["database"] == "down")
                assert postgres.start() == url
                service.until(lambda: service.health()["database"] == "up", seconds=5)
                service.until(lambda: lag_seconds(service) < 1, seconds=5)

    assert writer.stored > 9 * EVENTS_PER_SECOND
    assert max(lags) <= 1


def test_many_callers_track_events_though_a_round_trip_takes_160_ms(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as url:
        fill(url)
        with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
            for name in (f"user-{number}" for number in range(USERS)):
                cursor.execute("INSERT INTO users (external_id) VALUES (%s)", (name,))
        with distant(url, 0.16) as through, running(tmp_path, DATABASE_URL=through) as service:
            service.until(lambda: service.health()["database"] == "up", seconds=30)

            outcomes = asyncio.run(track_at_once(service.port, callers=64, seconds=5.0))

    assert set(outcomes) == {"202"}
    assert outcomes["202"] > 64 * 5


async def track_at_once(port: int, callers: int, seconds: float) -> Counter[str]:
    """The outcomes of the calls of callers who send one event after the other."""
    events = [
        {"user_id": f"user-{number % USERS}", "post_id": f"post-{number % POSTS}", "interaction_type": "view"}
        for number in range(600)
    ]
    calls = Callers(port, [request_of(TRACK, event) for event in events], patience_seconds=10.0)
    until = time.perf_counter() + seconds
    await asyncio.gather(*(calls.repeat(until) for _ in range(callers)))
    return calls.outcomes
