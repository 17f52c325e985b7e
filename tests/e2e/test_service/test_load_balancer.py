"""Two replicas behind HAProxy with deploy/haproxy.cfg."""

import os
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.database.embedded.locks import wait_until
from tests.support.service_process import Service, free_port, ids, running

USERS = 1000
CONNECTIONS = 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed"),
]


@contextmanager
def balancer(folder: Path, *replicas: Service) -> Iterator[httpx.Client]:
    """A client of HAProxy before the replicas."""
    port = free_port()
    addresses = {f"REPLICA_{place}": f"127.0.0.1:{one.port}" for place, one in enumerate(replicas, start=1)}
    log = (folder / "haproxy.log").open("wb")
    process = subprocess.Popen(
        ["haproxy", "-db", "-f", str(CHECKOUT / "deploy/haproxy.cfg")],
        env={**os.environ, **addresses, "HAPROXY_BIND": f"127.0.0.1:{port}"},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=15) as client:
            assert wait_until(lambda: answers(client), 20), (folder / "haproxy.log").read_text()
            yield client
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def replicas(feed_url: str, folder: Path) -> Iterator[tuple[Service, Service]]:
    settings = {"DATABASE_URL": feed_url, "CURSOR_SECRET": "shared"}
    with ExitStack() as stack:
        yield (
            stack.enter_context(running(folder, **settings)),
            stack.enter_context(running(folder, own_interpreter=True, **settings)),
        )


def replica_of(client: httpx.Client, user: str) -> str:
    return client.post("/recommendations/generate", json={"user_id": user}).headers["x-replica"]


def test_replicas_share_the_users_and_return_the_lists_of_a_single_process(
    tmp_path: Path, replicas: tuple[Service, Service], service: Service
) -> None:
    users = [f"user_{number}" for number in range(1, USERS + 1)]
    served_by: Counter[str] = Counter()
    with balancer(tmp_path, *replicas) as client:
        for user in users:
            response = client.post("/recommendations/generate", json={"user_id": user})
            served_by[response.headers["x-replica"]] += 1
            lists = [ids(response.json()), *(ids(one.generate(user)) for one in (*replicas, service))]
            assert lists == [lists[0]] * 4, user

    assert served_by.total() == USERS
    assert all(0.4 * USERS <= count <= 0.6 * USERS for count in served_by.values()), served_by


def test_every_request_of_a_user_reaches_the_same_replica(
    tmp_path: Path, replicas: tuple[Service, Service]
) -> None:
    with balancer(tmp_path, *replicas) as client:
        post = ids(client.post("/recommendations/generate", json={"user_id": "user_1"}).json())[0]
        for user in ("user_1", "user_2", "user_3", "a user & ümlauts"):
            event = {"user_id": user, "post_id": post, "interaction_type": "view"}
            responses = [
                client.post("/recommendations/generate", json={"limit": 3, "user_id": user}),
                client.post("/interactions/track", json=event),
                client.post("/interactions/batch", json={"interactions": [event]}),
                client.get(f"/users/{quote(user)}/controls"),
            ]
            assert len({one.headers["x-replica"] for one in responses}) == 1, user


def test_a_replica_that_leaves_moves_only_its_users(
    tmp_path: Path, feed_url: str, folder: Path, replicas: tuple[Service, Service]
) -> None:
    users = [f"user_{number}" for number in range(1, 201)]
    with running(folder, DATABASE_URL=feed_url, CURSOR_SECRET="shared") as leaving:
        with balancer(tmp_path, replicas[0], leaving) as client:
            before = {user: replica_of(client, user) for user in users}
            leaving.stop()
            assert wait_until(lambda: {replica_of(client, user) for user in users} == {"replica1"}, 20)
        with balancer(tmp_path, replicas[0], replicas[1]) as client:  # another process in its place
            assert {user: replica_of(client, user) for user in users} == before


def test_a_killed_replica_fails_requests_on_its_open_connections_only(
    tmp_path: Path, feed_url: str, folder: Path, replicas: tuple[Service, Service]
) -> None:
    failed: list[str] = []
    answered: Counter[int] = Counter()
    ends = threading.Event()

    def load(first: int, url: str) -> None:
        number = first
        with httpx.Client(base_url=url, timeout=15) as caller:
            while not ends.is_set():
                body = {"user_id": f"user_{number % 100}", "limit": 10}
                number += CONNECTIONS
                try:
                    status = caller.post("/recommendations/generate", json=body).status_code
                except httpx.TransportError as error:
                    failed.append(repr(error))
                    continue
                answered[status] += 1
                if status != 200:
                    failed.append(str(status))

    with (
        running(folder, DATABASE_URL=feed_url, CURSOR_SECRET="shared") as killed,
        balancer(tmp_path, replicas[0], killed) as client,
    ):
        url = str(client.base_url)
        callers = [threading.Thread(target=load, args=(first, url)) for first in range(CONNECTIONS)]
        for caller in callers:
            caller.start()
        assert wait_until(lambda: answered[200] > 200, 30)
        killed.process.kill()
        before = answered[200]
        assert wait_until(lambda: answered[200] > before + 500, 60)
        ends.set()
        for caller in callers:
            caller.join(20)

    assert len(failed) <= CONNECTIONS, failed
