"""After an erasure, a training and a restart, nothing that the service keeps holds the user's id."""

import pickle
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg2
import pytest

from app.domain.ids import user_uuid
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import model_keys
from tests.e2e.test_service.conftest import publish_a_model
from tests.support.postgres import settle
from tests.support.service_process import Service, ids, running

KEPT = {"tables", "memory", "model", "snapshots"}
OUTBOX_TIME = timedelta(hours=1)


@pytest.mark.slow
def test_an_erased_id_is_found_nowhere_after_a_training_and_a_restart(
    own_database_url: str, tmp_path: Path
) -> None:
    name = f"person-{uuid4().hex}"
    settings = {
        "DATABASE_URL": own_database_url,
        "LOG_LEVEL": "DEBUG",
        "SNAPSHOT_INTERVAL_SECONDS": "1",
    }
    with running(tmp_path, **settings) as service:
        make_known(service, name)
        publish_a_model(own_database_url, tmp_path)
        before = place_names(name, service, own_database_url, tmp_path)
        receipt = service.client.delete(f"/users/{name}")
        logs = [service.log_file]

    publish_a_model(own_database_url, tmp_path)
    purge_outbox_as_after(OUTBOX_TIME, own_database_url)
    with running(tmp_path, **settings) as service:
        service.until(lambda: service.health()["status"] == "healthy")
        service.generate("somebody")
        after = place_names(name, service, own_database_url, tmp_path)
        logs.append(service.log_file)

    assert receipt.status_code == 202, receipt.text
    assert before == KEPT, "the search finds an id where there is one"
    assert after == set()
    assert not [log for log in logs if holds(log.read_bytes(), name)]


def make_known(service: Service, name: str) -> None:
    """A user with an event, a follow, controls, interests and a page, who is in a snapshot."""
    assert service.client.put(f"/users/{name}", json={"tags": ["news"]}).status_code == 202
    assert service.client.put("/users/follower", json={}).status_code == 202
    for post in ("first", "second"):
        body = {"author_id": "follower", "content": "A post about news.", "tags": ["news"]}
        assert service.client.put(f"/posts/{post}", json=body).status_code == 202
    post = ids(service.generate(name))[0]
    assert service.track(name, post, "like").status_code == 202
    assert service.client.put(f"/users/follower/follows/{name}").status_code == 202
    mute = {"user_id": name, "action": "mute_tag", "tag": "sport"}
    assert service.client.post("/feedback", json=mute).status_code == 202
    folder = service.log_file.parent / "snapshots"
    service.until(lambda: any(holds(data, name) for data in contents(folder)), seconds=30)


def purge_outbox_as_after(time: timedelta, url: str) -> None:
    """Replicas read the outbox for an hour; then it is purged."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE feed_change SET created_at = created_at - %s", [time])
    engine = create_feed_engine(url, connect_seconds=10)
    settle(engine)
    assert SqlFeedLog(engine, SchemaName("public"), load_budget_seconds=60).purge(time) > 0
    engine.dispose()


def place_names(name: str, service: Service, url: str, folder: Path) -> set[str]:
    """Which of the places that the service keeps data in hold the id, as text or as 16 bytes."""
    keys = model_keys(None, [], folder / "keys", signs=False)
    registry = FileModelRegistry(folder / "models", keys)
    active = registry.active()
    assert active is not None
    places: dict[str, Iterable[bytes]] = {
        "tables": rows(url),
        "memory": memory(service.process.pid),
        "model": [pickle.dumps(registry.load(active.version))],
        "snapshots": contents(folder / "snapshots"),
    }
    return {place for place, parts in places.items() if any(holds(part, name) for part in parts)}


def holds(data: bytes, name: str) -> bool:
    key: UUID = user_uuid(name)
    return any(one in data for one in (name.encode(), str(key).encode(), key.hex.encode(), key.bytes))


def contents(folder: Path) -> Iterator[bytes]:
    for file in folder.rglob("*"):
        if file.is_file():
            yield file.read_bytes()


def rows(url: str) -> Iterator[bytes]:
    """The rows of every table of the database, as text."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT relid::regclass::text FROM pg_stat_user_tables")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT one::text FROM {table} one")
            yield from (row.encode() for (row,) in cursor.fetchall())


def memory(process: int) -> Iterator[bytes]:
    """The writable memory of a process."""
    ranges = [line.split()[:2] for line in Path(f"/proc/{process}/maps").read_text().splitlines()]
    with Path(f"/proc/{process}/mem").open("rb", buffering=0) as file:
        for place, rights in ranges:
            if "w" in rights:
                first, last = (int(end, 16) for end in place.split("-"))
                file.seek(first)
                yield file.read(last - first)
