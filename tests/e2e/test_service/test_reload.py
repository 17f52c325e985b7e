"""Models come, go and are refused while requests run; a service that is killed comes back to where it was."""

import os
import pickle
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.registry_index import read_versions, write_versions
from app.infrastructure.ml.registry.signing import model_keys
from tests.e2e.test_service.conftest import command
from tests.support.postgres import migrate
from tests.support.registries import plant
from tests.support.service_process import Service, ids, running
from training.registry import main as registry_command


def copy_of(folder: Path, own: Path) -> Path:
    """Models and keys in a folder of their own, v1 active."""
    for name in ("models", "keys"):
        shutil.copytree(folder / name, own / name)
    return own


@pytest.fixture
def own_folder(feed_url: str, folder: Path, tmp_path: Path) -> Path:
    """Models and keys of the test's own."""
    return copy_of(folder, tmp_path)


@pytest.fixture(scope="module")
def served_folder(feed_url: str, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models and keys of `service`."""
    return copy_of(folder, tmp_path_factory.mktemp("reload"))


@pytest.fixture(scope="module")
def service(served_folder: Path, feed_url: str) -> Iterator[Service]:
    """A service with further models from test to test."""
    with running(served_folder, DATABASE_URL=feed_url, REGISTRY_POLL_SECONDS="0.1") as one:
        yield one


def registry_of(folder: Path) -> FileModelRegistry:
    return FileModelRegistry(folder / "models", model_keys(None, [], folder / "keys", signs=True))


def publish_again(folder: Path) -> str:
    """The first model once more, as the next version."""
    registry = registry_of(folder)
    at = datetime.now(UTC).isoformat()
    return registry.publish(registry.load("v1"), metrics={}, config={}, created_at=at).version


def run_registry(folder: Path, *words: str) -> None:
    """The command `training.registry`."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("models", "keys"):
            patched.setenv(f"{name.upper()}_DIR", str(folder / name))
        assert registry_command(words) == 0


@contextmanager
def readers(service: Service) -> Iterator[list[httpx.Response]]:
    """A user requests their feed again and again."""
    answers: list[httpx.Response] = []
    stop = threading.Event()

    def read() -> None:
        with httpx.Client(base_url=service.client.base_url, timeout=10, verify=False) as client:
            while not stop.wait(0.03):
                answers.append(client.post("/recommendations/generate", json={"user_id": "reader"}))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join()


def serving(service: Service) -> str:
    return str(service.health()["model_version"])


def test_published_promoted_and_rolled_back_models_serve_without_a_restart(
    service: Service, served_folder: Path
) -> None:
    before = serving(service)
    with readers(service) as answers:
        service.until(lambda: answers)
        published = publish_again(served_folder)
        service.until(lambda: serving(service) == published)
        run_registry(served_folder, "rollback")
        service.until(lambda: serving(service) == before)
        run_registry(served_folder, "promote", published)
        service.until(lambda: serving(service) == published)

    assert published != before
    assert {one.status_code for one in answers} == {200}
    assert {one.json()["metadata"]["total"] for one in answers} == {50}
    assert {one.json()["metadata"]["model_version"] for one in answers} == {before, published}
    assert service.health()["status"] == "healthy"


def test_a_list_goes_on_without_repeats_when_the_model_changes_on_the_way(
    service: Service, served_folder: Path
) -> None:
    first = service.generate("pager", limit=40)
    published = publish_again(served_folder)
    service.until(lambda: serving(service) == published)
    second = service.generate("pager", limit=40, cursor=first["metadata"]["next_cursor"])

    assert first["metadata"]["model_version"] != published
    assert second["metadata"]["model_version"] == published
    assert len({*ids(first), *ids(second)}) == 80


def make_active(folder: Path, version: str) -> None:
    """As somebody would who can write to the folder: without `promote`, which verifies."""
    path = folder / "models" / "registry.json"
    write_versions(path, read_versions(path).with_active(version))


def test_a_damaged_artefact_is_rejected_while_the_old_model_serves_on(
    service: Service, served_folder: Path
) -> None:
    good = serving(service)
    registry = registry_of(served_folder)
    at = datetime.now(UTC).isoformat()
    artifact = registry.load("v1")
    artifact["sizes"]["users"] += 1  # another artefact: a service does not read one again that it has
    bad = registry.publish(artifact, metrics={}, config={}, created_at=at, status="inactive")
    path = served_folder / "models" / bad.filename
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with readers(service) as answers:
        make_active(served_folder, bad.version)
        service.until(lambda: service.health()["last_reload_error"] is not None)
        assert "SHA-256" in service.health()["last_reload_error"]
        seen = len(answers)
        service.until(lambda: len(answers) > seen + 5)
        assert serving(service) == good
        make_active(served_folder, good)
        service.until(lambda: service.health()["last_reload_error"] is None)

    assert {one.status_code for one in answers} == {200}
    assert {one.json()["metadata"]["model_version"] for one in answers} == {good}


def test_a_start_with_a_bad_newest_model_serves_the_one_before_and_says_so(
    own_folder: Path, feed_url: str
) -> None:
    publish_again(own_folder)
    registry = registry_of(own_folder)
    (own_folder / "models" / registry.record("v2").filename).unlink()

    with running(own_folder, DATABASE_URL=feed_url, REGISTRY_POLL_SECONDS="0.1") as service:
        health = service.health()
        assert (health["model_version"], health["status"]) == ("v1", "healthy")
        assert health["last_reload_error"].startswith("v2 is not served: ")
        assert service.client.get("/readyz").status_code == 200
        assert "ml_model_reload_failing 1.0" in service.client.get("/metrics").text
        publish_again(own_folder)
        service.until(lambda: serving(service) == "v3")
        assert service.health()["last_reload_error"] is None


class Intrusion:
    """A pickle that runs what it likes."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.slow
def test_a_rightly_signed_pickle_that_would_run_code_is_rejected_unrun(
    feed_url: str, own_folder: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "was-run"
    signer = registry_of(own_folder).keys.signer
    assert signer is not None
    with running(own_folder, DATABASE_URL=feed_url, REGISTRY_POLL_SECONDS="0.1") as service:
        shutil.rmtree(own_folder / "models")
        plant(own_folder / "models", pickle.dumps(Intrusion(marker), protocol=5), signer)
        service.until(lambda: service.health()["last_reload_error"] is not None)

        assert serving(service) == "v1"
        assert service.generate("reader")["metadata"]["total"] == 50
        assert not marker.exists()


@pytest.mark.slow
def test_a_registry_that_cannot_be_read_takes_no_model_away(service: Service, served_folder: Path) -> None:
    good = serving(service)
    path = served_folder / "models" / "registry.json"
    whole = path.read_bytes()
    for content in (b"", b"{", b'{"models": 7}', b"\x80\x05."):
        path.write_bytes(content)
        service.until(lambda: service.health()["last_reload_error"] is not None)

        assert serving(service) == good
        assert service.generate("reader")["metadata"]["source"] == "cold_start"
        path.write_bytes(whole)
        service.until(lambda: service.health()["last_reload_error"] is None)


@pytest.mark.slow
def test_a_killed_service_comes_back_with_all_that_was_acknowledged(own_folder: Path, feed_url: str) -> None:
    settings = {"DATABASE_URL": feed_url}
    with running(own_folder, **settings) as service:
        first = service.generate("user_1", limit=40)
        user = next(
            name
            for name in ("user_1", "user-1", "u1", "1")
            if service.track(name, ids(first)[0]).status_code == 202
        )
        page = service.generate(user, limit=40)
        liked = [post for post in ids(page)[:5] if service.track(user, post, "like").status_code == 202]
        service.stop(signal.SIGKILL)

    with running(own_folder, **settings) as again:
        cursor = page["metadata"]["next_cursor"]
        second = again.generate(user, limit=40, cursor=cursor)
        ranked_again = again.generate(user, limit=200)

    assert len(liked) == 5
    assert not set(ids(second)) & set(ids(page))
    assert not set(ids(ranked_again)) & {*liked, ids(first)[0]}


@pytest.mark.slow
def test_a_database_without_tables_is_answered_and_filled_later_without_a_restart(
    empty_database_url: str, folder: Path, feed_url: str, tmp_path: Path
) -> None:
    with running(tmp_path, DATABASE_URL=empty_database_url) as service:
        empty = service.generate("reader")
        rejected = service.track("reader", "post")
        migrate(empty_database_url)
        service.until(lambda: service.health()["database"] == "up", seconds=30)
        migrated = service.generate("reader")
        command(tmp_path, empty_database_url, "data.seed_database", "--input", str(folder / "feed.json"))
        service.until(lambda: service.generate("reader")["metadata"]["total"] == 50, seconds=30)
        filled = service.generate("reader")

    assert (ids(empty), empty["metadata"]["degraded"], empty["metadata"]["exhausted"]) == ([], True, False)
    assert (rejected.status_code, rejected.json()["code"]) == (503, "storage_unavailable")
    assert (ids(migrated), migrated["metadata"]["source"]) == ([], "fallback")
    assert filled["metadata"]["source"] == "fallback"


def test_a_first_model_is_taken_up_by_a_service_that_began_without(
    folder: Path, feed_url: str, tmp_path: Path
) -> None:
    shutil.copytree(folder / "keys", tmp_path / "keys")
    with running(tmp_path, DATABASE_URL=feed_url, REGISTRY_POLL_SECONDS="0.1") as service:
        before = service.generate("reader")["metadata"]
        shutil.copytree(folder / "models", tmp_path / "models", dirs_exist_ok=True)
        service.until(lambda: serving(service) == "v1")
        after = service.generate("reader")["metadata"]

    assert (before["source"], before["degraded"]) == ("fallback", True)
    assert (after["source"], after["degraded"]) == ("cold_start", False)
