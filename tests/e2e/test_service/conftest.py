"""One small feed with a trained model behind the real service, for all tests of this folder."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.infrastructure.database.embedded import CHECKOUT
from tests.e2e.service import Service, environment, running
from tests.postgres import TestServer

USERS, POSTS, INTERACTIONS = 100, 500, 1_500


def command(folder: Path, url: str, *words: str) -> None:
    settings = {"DATABASE_URL": url, "MODELS_DIR": str(folder / "models"), "KEYS_DIR": str(folder / "keys")}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=CHECKOUT,
        env=environment(**settings),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="package")
def feed_url(postgres: TestServer, folder: Path) -> Iterator[str]:
    """A database with a small synthetic feed, and a model of it under `folder`/models."""
    sizes = ["--users", str(USERS), "--posts", str(POSTS), "--interactions", str(INTERACTIONS)]
    with postgres.database() as url:
        command(folder, url, "data.generate_fake_data", *sizes, "--output", str(folder / "feed.json"))
        command(folder, url, "data.seed_database", "--input", str(folder / "feed.json"))
        command(folder, url, "training.train")
        yield url


@pytest.fixture(scope="package")
def service(feed_url: str, folder: Path) -> Iterator[Service]:
    with running(folder, DATABASE_URL=feed_url) as one:
        yield one
