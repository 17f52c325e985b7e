"""Connections that wait too long or are too many, and the end of a process under load."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg2
import pytest

from tests.support.service_process import Service, running

GENERATE = "/recommendations/generate"
SETTINGS = {
    "HEADER_TIMEOUT_SECONDS": "0.5",
    "MAX_CONNECTIONS": "30",
    "DRAIN_SECONDS": "0.3",
    "SHED_AFTER_MS": "60000",
}
HEAD = b"GET /livez HTTP/1.1\r\nHost: feed\r\n"


@pytest.fixture(scope="module")
def bounded(feed_url: str, folder: Path) -> Iterator[Service]:
    with running(folder, DATABASE_URL=feed_url, **SETTINGS) as service:
        yield service


def connect(service: Service, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=5)
    connection.sendall(sent)
    return connection


@pytest.mark.parametrize(
    "sent", [b"", HEAD, HEAD + b"\r\n" + HEAD], ids=["nothing", "half", "one and a half"]
)
def test_a_connection_without_a_whole_head_in_time_is_closed(bounded: Service, sent: bytes) -> None:
    with closing(connect(bounded, sent)) as connection:
        began, received = monotonic(), b""
        while part := connection.recv(4096):
            received += part

    assert 0.4 < monotonic() - began < 3
    assert received.count(b"200 OK") == sent.count(b"\r\n\r\n")


def test_a_connection_between_two_requests_stays_open(bounded: Service) -> None:
    with closing(HTTPConnection("127.0.0.1", bounded.port, timeout=0.9)) as connection:
        readyz(connection)
        with pytest.raises(TimeoutError):
            connection.sock.recv(1)
        assert readyz(connection) == 200


def test_idle_connections_keep_nobody_out(bounded: Service) -> None:
    with ExitStack() as stack:
        for number in range(400):
            stack.enter_context(closing(connect(bounded, HEAD if number % 2 else b"")))
            if number % 100 == 99:
                with closing(HTTPConnection("127.0.0.1", bounded.port, timeout=5)) as caller:
                    caller.request("GET", "/livez")
                    assert caller.getresponse().status == 200

        bounded.until(lambda: number_of_connections(bounded) <= 30)
    figures = bounded.client.get("/metrics").text
    lines = [line for line in bounded.log_lines() if line["event"] == "connections.closed"]

    assert 'ml_http_connections_closed_total{reason="too_many"} ' in figures
    assert {line["reason"] for line in lines} == {"too_many", "head_timeout"}
    assert len(lines) < 100


def number_of_connections(service: Service) -> float:
    [line] = [
        one
        for one in service.client.get("/metrics").text.splitlines()
        if one.startswith("ml_http_connections ")
    ]
    return float(line.split()[1])


class Caller(threading.Thread):
    """Requests pages for some users on one connection, one after the other, until nothing listens any more.

    answered  request ids of the pages that arrived
    broken    calls that were sent and not answered
    closing   number of responses that closed the connection
    """

    def __init__(self, port: int, users: Sequence[str]) -> None:
        super().__init__()
        self._port, self._users = port, users
        self.answered: list[str] = []
        self.closing = 0
        self.broken: list[str] = []

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        for user in cycle(self._users):
            try:
                if connection.sock is None:
                    connection.connect()
            except ConnectionError:
                return
            try:
                connection.request("POST", GENERATE, json.dumps({"user_id": user}))
                response = connection.getresponse()
                self.closing += response.getheader("connection") == "close"
                page = json.loads(response.read())
            except (OSError, HTTPException) as error:
                self.broken.append(repr(error))
                return
            self.answered.append(page["metadata"]["request_id"])


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as database, database, database.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def readyz(probe: HTTPConnection) -> int:
    probe.request("GET", "/readyz")
    response = probe.getresponse()
    response.read()
    return response.status


def test_a_process_that_stops_under_load_breaks_no_call_and_loses_no_row(
    bounded: Service, feed_url: str
) -> None:
    stop_under_load(bounded, feed_url, 4)


@pytest.mark.slow
def test_many_callers_notice_nothing_of_a_stop(feed_url: str, folder: Path) -> None:
    with running(folder, DATABASE_URL=feed_url, **SETTINGS) as service:
        stop_under_load(service, feed_url, 16)


def stop_under_load(service: Service, feed_url: str, connections: int) -> None:
    """Check the answers of callers while the process gets SIGTERM, and the rows afterwards."""
    rows(feed_url, "TRUNCATE user_recommendation")
    users = [user for (user,) in rows(feed_url, "SELECT id::text FROM users")]
    callers = [Caller(service.port, users[number::connections]) for number in range(connections)]
    with closing(HTTPConnection("127.0.0.1", service.port, timeout=5)) as probe:
        before = readyz(probe)
        for caller in callers:
            caller.start()
        service.until(lambda: all(len(caller.answered) >= len(users) // connections for caller in callers))
        service.process.terminate()
        service.until(lambda: readyz(probe) == 503, seconds=0.3)
    for caller in callers:
        caller.join(20)
    code = service.process.wait(20)

    users_with_rows = rows(feed_url, "SELECT DISTINCT user_id::text FROM user_recommendation")
    pages = {page for (page,) in rows(feed_url, "SELECT request_id FROM impression")}
    assert (before, code) in {(200, 0), (200, -15)}
    assert [error for caller in callers for error in caller.broken] == []
    assert [caller.closing for caller in callers] == [1] * connections
    assert {user for (user,) in users_with_rows} == set(users)
    assert {page for caller in callers for page in caller.answered} - pages == set()
