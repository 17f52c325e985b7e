"""The database freezes, dies and comes back while requests go on: no feed fails and no acknowledged event is lost."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg2
import pytest

from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.embedded import EmbeddedPostgres
from tests.integration.test_database.test_faults import Server
from tests.support.postgres import migrate
from tests.support.service_process import Service, running

pytestmark = pytest.mark.chaos

POSTS = 120
LONGEST_FEED, LONGEST_TRACK, NOTICED = 1.0, 1.0, 1.0
SLACK = 0.7  # for a machine that is busy with other tests


class Callers:
    """Somebody who reads and somebody who tracks, one request after the other, until they are stopped."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stop = threading.Event()
        self.feeds: list[tuple[float, httpx.Response]] = []
        self.tracks: list[tuple[float, httpx.Response]] = []
        self.acknowledged: list[str] = []
        self._threads = [threading.Thread(target=one) for one in (self._read, self._track)]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        for one in self._threads:
            one.start()
        try:
            yield
        finally:
            self._stop.set()
            for one in self._threads:
                one.join()

    def _read(self) -> None:
        with httpx.Client(base_url=self._service.client.base_url, timeout=10, verify=False) as client:
            while not self._stop.wait(0.01):
                began = time.monotonic()
                answer = client.post("/recommendations/generate", json={"user_id": "reader"})
                self.feeds.append((time.monotonic() - began, answer))

    def _track(self) -> None:
        with httpx.Client(base_url=self._service.client.base_url, timeout=10, verify=False) as client:
            while not self._stop.wait(0.01):
                event = {
                    "user_id": "tracker",
                    "post_id": f"post-{len(self.tracks) % POSTS}",
                    "interaction_type": "view",
                    "event_id": str(uuid4()),
                }
                began = time.monotonic()
                answer = client.post("/interactions/track", json=event)
                self.tracks.append((time.monotonic() - began, answer))
                if answer.status_code == 202:
                    self.acknowledged.append(event["event_id"])

    def stored_since(self, count: int) -> bool:
        return len(self.acknowledged) > count


def fill(url: str) -> None:
    migrate(url)
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        for one in ("reader", "tracker"):
            cursor.execute("INSERT INTO users (id, external_id) VALUES (%s, %s)", (str(user_uuid(one)), one))
        for one in (f"post-{number}" for number in range(POSTS)):
            cursor.execute("INSERT INTO posts (id, external_id) VALUES (%s, %s)", (str(post_uuid(one)), one))
    connection.close()


def test_a_frozen_and_a_killed_database_under_requests(tmp_path: Path) -> None:
    postgres = EmbeddedPostgres(tmp_path)  # durable: what is acknowledged survives the kill
    with postgres as url:
        fill(url)
        server = Server(tmp_path, url)
        with running(tmp_path, DATABASE_URL=url) as service:
            callers = Callers(service)
            with callers.at_work():
                service.until(lambda: callers.stored_since(20))

                with server.frozen():
                    service.until(lambda: service.health()["database"] == "down", seconds=NOTICED + SLACK)
                    frozen_from = len(callers.tracks)
                    service.until(lambda: len(callers.tracks) >= frozen_from + 2)
                    assert service.generate("reader")["metadata"]["degraded"] is True
                    assert service.client.get("/readyz").status_code == 200
                service.until(lambda: service.health()["database"] == "up")
                before = len(callers.acknowledged)
                service.until(lambda: callers.stored_since(before))
                assert service.generate("reader")["metadata"]["degraded"] is True  # there is no model here

                server.kill()
                service.until(lambda: service.health()["database"] == "down")
                assert postgres.start() == url
                service.until(lambda: service.health()["database"] == "up", seconds=30)
                before = len(callers.acknowledged)
                service.until(lambda: callers.stored_since(before))

            for took, answer in callers.feeds:
                assert answer.status_code == 200
                assert answer.json()["metadata"]["total"] == 50
                assert took < LONGEST_FEED + SLACK
            for took, answer in callers.tracks:
                assert answer.status_code in {202, 503}, answer.text
                assert answer.status_code == 202 or int(answer.headers["retry-after"]) > 0
                assert took < LONGEST_TRACK + SLACK
            assert {answer.status_code for _, answer in callers.tracks} == {202, 503}

        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT event_id::text FROM user_interaction")
            stored = [one for (one,) in cursor.fetchall()]
        connection.close()
    assert len(stored) == len(set(stored))
    assert set(callers.acknowledged) <= set(stored)
