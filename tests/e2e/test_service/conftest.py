"""One small feed with a trained model behind the real service, for all tests of this folder."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.infrastructure.config.ranking_settings import ranking_options
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import model_keys
from data import seed_database
from data.generate_fake_data import main as generate
from tests.support.postgres import TestServer
from tests.support.service_process import Service, environment, running
from training.training_run import fit_served_model

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


def publish_a_model(url: str, folder: Path) -> None:
    """The owner's formula on this feed. Training would first ask whether it is any good, which takes a minute."""
    settings = Settings(_env_file=None, keys_dir=folder / "keys")  # type: ignore[call-arg]
    engine = create_feed_engine(url, connect_seconds=10)
    feed = SqlFeedLog(engine, SchemaName("public"), load_budget_seconds=60).read_all()
    keys = model_keys(None, [], settings.keys_dir, signs=True)
    model = fit_served_model(feed, ranking_options(settings), None, {})
    at = datetime.now(UTC).isoformat()
    FileModelRegistry(folder / "models", keys).publish(
        model.to_artifact(), metrics={}, config={}, created_at=at
    )


@pytest.fixture(scope="package")
def feed_url(postgres: TestServer, folder: Path) -> Iterator[str]:
    """A database with a small synthetic feed, and a model of it under `folder`/models."""
    sizes = ["--users", str(USERS), "--posts", str(POSTS), "--interactions", str(INTERACTIONS)]
    feed = str(folder / "feed.json")
    with postgres.database() as url:
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("DATABASE_URL", url)
            patched.setenv("KEYS_DIR", str(folder / "keys"))
            assert generate([*sizes, "--output", feed]) == 0
            assert seed_database.main(["--input", feed]) == 0
        publish_a_model(url, folder)
        yield url


@pytest.fixture(scope="package")
def service(feed_url: str, folder: Path) -> Iterator[Service]:
    with running(folder, DATABASE_URL=feed_url) as one:
        yield one
