"""What a new developer does first: clone, run one command, ask for a feed."""

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.database.embedded.locks import free_port, is_free, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FIRST_ANSWER_SECONDS = 300
SETTINGS = {"DATABASE_URL", "MODELS_DIR", "MODEL_PATH", "API_KEYS", "VIRTUAL_ENV", "FEED_NOW", "DB_SCHEMA"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("new-developer") / "a new folder"
    subprocess.run(["git", "clone", "--quiet", CHECKOUT, place], check=True)
    return place


@pytest.fixture(scope="module")
def service(clone: Path) -> Iterator[str]:
    port = str(free_port())
    own_programs = str(CHECKOUT / ".venv")
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    environment["PATH"] = ":".join(
        p for p in environment["PATH"].split(":") if not p.startswith(own_programs)
    )
    with (clone.parent / "log").open("w") as log:
        process = subprocess.Popen(
            ["./scripts/run_dev.sh"],
            cwd=clone,
            env=environment | {"PORT": port},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        up = wait_until(lambda: process.poll() is not None or is_up(address), FIRST_ANSWER_SECONDS)
        assert up, "no answer in time"
        assert process.poll() is None, (clone.parent / "log").read_text()[-3000:]
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def is_up(address: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{address}/health", timeout=5).status == 200)
    except OSError:
        return False


def generate(address: str, user: str) -> dict[str, object]:
    body = json.dumps({"user_id": user}).encode()
    request = urllib.request.Request(
        f"{address}/recommendations/generate", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_one_command_in_a_clean_clone_serves_fifty_posts_from_a_trained_model(
    service: str, clone: Path
) -> None:
    feed = generate(service, "somebody new")

    assert len(feed["recommendations"]) == 50
    assert feed["metadata"]["degraded"] is False
    assert feed["metadata"]["model_version"]
    assert not is_free(clone / ".local/postgres/server")


def test_the_set_up_of_a_clean_clone_leaves_nothing_for_git_to_see(service: str, clone: Path) -> None:
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
    )

    assert status.stdout == ""


def test_set_up_again_takes_at_most_a_second(service: str, clone: Path) -> None:
    again = subprocess.run(["bash", "scripts/setup.sh"], cwd=clone, timeout=1, check=False)

    assert again.returncode == 0
