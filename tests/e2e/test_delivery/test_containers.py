"""The images and the compose file, built and run by a real container engine."""

import json
import os
import secrets
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.database.embedded.locks import free_port, wait_until

pytestmark = [pytest.mark.container, pytest.mark.timeout(900)]

IMAGE_LIMIT_BYTES = 600_000_000
BARE_START_SECONDS = 5


def docker(*arguments: str, check: bool = True, **environment: str) -> str:
    done = subprocess.run(
        ["docker", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 or not check, done.stderr[-4000:] + done.stdout[-4000:]
    return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def engine() -> None:
    if shutil.which("docker") is None:
        pytest.skip("no docker command")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("the docker engine does not answer")


@pytest.fixture(scope="module")
def serve_image(engine: None) -> str:
    docker("build", "--target", "serve", "--tag", "feed-recommendations-serve:test", ".")
    return "feed-recommendations-serve:test"


@contextmanager
def running(image: str) -> Iterator[str]:
    """A container without database, model, volume or writable root; yields its name."""
    name = f"feed-bare-{secrets.token_hex(4)}"
    confined = [
        "--read-only",
        "--tmpfs",
        "/tmp",
        "--cap-drop",
        "ALL",
        "--init",
        "--publish",
        "127.0.0.1::8000",
    ]
    docker("run", "--detach", "--name", name, *confined, image)
    try:
        yield name
    finally:
        docker("rm", "--force", name, check=False)


def seconds_to_answer(name: str) -> float:
    """From the start to the first answer; on a machine that others use too, the processor time that it took."""
    started = time.monotonic()
    address = docker("port", name, "8000/tcp").splitlines()[0]
    assert wait_until(lambda: get(f"http://{address}/health")[0] == 200, 60), docker("logs", name)
    clock = time.monotonic() - started
    processor = sum(
        int(line.split()[1]) for line in docker("top", name, "-o", "pid,cputimes").splitlines()[1:]
    )
    return min(clock, float(processor + 1))


def get(url: str, body: object = None) -> tuple[int, dict[str, object]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {}
    except OSError:
        return 0, {}


def test_the_service_image_is_small_and_holds_no_compiler_and_no_tests(serve_image: str) -> None:
    size = int(docker("image", "inspect", "--format", "{{.Size}}", serve_image))
    looks = "command -v gcc cc uv; python -c 'import pandas' 2>&1; ls; id -u"

    found = docker("run", "--rm", serve_image, "sh", "-c", looks)

    assert size <= IMAGE_LIMIT_BYTES
    assert "ModuleNotFoundError" in found
    assert found.splitlines()[-2:] == ["app", "10001"]
    assert "/gcc" not in found
    assert "/uv" not in found


def test_without_a_database_and_a_model_the_image_answers_within_five_seconds(serve_image: str) -> None:
    with running(serve_image) as bare:
        assert seconds_to_answer(bare) <= BARE_START_SECONDS


def test_without_a_database_and_a_model_the_image_is_healthy_and_its_feed_empty(serve_image: str) -> None:
    with running(serve_image) as bare:
        seconds_to_answer(bare)
        address = docker("port", bare, "8000/tcp").splitlines()[0]

        status, feed = get(f"http://{address}/recommendations/generate", {"user_id": "someone"})

        assert status == 200
        assert feed["recommendations"] == []
        assert feed["metadata"]["degraded"] is True
        inspect = ("inspect", "--format", "{{.State.Health.Status}}", bare)
        assert wait_until(lambda: docker(*inspect) == "healthy", 30)


def test_a_stopped_container_ends_by_itself_within_its_grace(serve_image: str) -> None:
    with running(serve_image) as bare:
        seconds_to_answer(bare)

        docker("stop", "--time", "20", bare)

        assert docker("inspect", "--format", "{{.State.ExitCode}}", bare) in {"0", "143"}


@dataclass(frozen=True)
class System:
    address: str
    compose: tuple[str, ...]
    ports: dict[str, str]

    def sql(self, question: str) -> str:
        return docker(
            *self.compose, "exec", "-T", "postgres", "psql", "-U", "feed", "-Atc", question, **self.ports
        )


@pytest.fixture(scope="module")
def system(engine: None) -> Iterator[System]:
    """The part of the compose file that answers feeds, up and healthy."""
    ports = {
        name: str(free_port())
        for name in ("ML_SERVICE_PORT", "POSTGRES_PORT", "WEB_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
    }
    compose = ("compose", "--project-name", f"feedtest{os.getpid()}", "--file", "docker-compose.dev.yml")
    try:
        docker(
            *compose, "up", "--build", "--detach", "--wait", "--wait-timeout", "300", "ml-service", **ports
        )
        yield System(f"http://127.0.0.1:{ports['ML_SERVICE_PORT']}", compose, ports)
    finally:
        docker(*compose, "down", "--volumes", "--remove-orphans", check=False, **ports)


def test_the_composed_system_serves_a_personal_feed_from_a_trained_model(system: System) -> None:
    reader = system.sql(
        "SELECT u.external_id FROM user_interaction JOIN users u ON u.id = user_id"
        " GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
    )

    _, health = get(f"{system.address}/health")
    status, feed = get(f"{system.address}/recommendations/generate", {"user_id": reader})

    assert health["status"] == "healthy"
    assert health["model_loaded"] is True
    assert status == 200
    assert len(feed["recommendations"]) == 50
    assert feed["metadata"]["source"] == "personalized"
    assert feed["metadata"]["degraded"] is False


def test_what_is_tracked_in_the_composed_system_is_in_its_database(system: System) -> None:
    reader = system.sql("SELECT external_id FROM users ORDER BY seq LIMIT 1")
    _, feed = get(f"{system.address}/recommendations/generate", {"user_id": reader, "limit": 1})
    post = feed["recommendations"][0]["post_id"]

    status, _ = get(
        f"{system.address}/interactions/track",
        {"user_id": reader, "post_id": post, "interaction_type": "like"},
    )

    assert status == 202
    assert (
        system.sql(
            f"SELECT count(*) FROM user_interaction WHERE post_id = '{post}' AND interaction_type = 'like'"
            f" AND user_id = (SELECT id FROM users WHERE external_id = '{reader}')"
        )
        == "1"
    )
