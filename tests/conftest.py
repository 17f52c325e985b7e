"""What every test may ask for: a PostgreSQL of this run's own, and fresh databases on it."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg2.extensions
import pytest
import structlog
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from app.infrastructure.database.embedded import EmbeddedPostgres
from tests.support.postgres import TestServer

# Time limits of single examples would fail on a busy machine; a failure seen in CI must come back at home.
_in_ci = bool(os.environ.get("CI"))
hypothesis.settings.register_profile("thorough", deadline=None, derandomize=_in_ci, print_blob=_in_ci)
hypothesis.settings.register_profile("default", hypothesis.settings.get_profile("thorough"), max_examples=15)
hypothesis.settings.load_profile("default")

# By default, structlog prints an exception with the variables of each frame, which takes a second of CPU time.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


LONGEST = ("tests/web/test_web_application.py", "tests/e2e/test_service/")
"""What begins first: a long part at the end would run on one core alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest parts first."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect without looking for garbage: imports and items are none."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


class FilesAndPackages(LoadFileScheduling):
    """A worker runs a whole file, and the whole package of the service's tests: they share a database and a service."""

    def _split_scope(self, nodeid: str) -> str:
        return LONGEST[1] if nodeid.startswith(LONGEST[1]) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return FilesAndPackages(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of this run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own


MEMORY = Path("/dev/shm")
MEMORY_FOLDER = "FEED_TEST_MEMORY_FOLDER"
"""The variable with the folder in memory, from the process that starts the workers to them."""
LEAST_FREE_BYTES = 4 << 30


def pytest_configure(config: pytest.Config) -> None:
    """Make a folder in memory for the databases, if there is room: a database has 400 files to create and remove."""
    if os.environ.get("PYTEST_XDIST_WORKER") or not os.access(MEMORY, os.W_OK):
        return
    if shutil.disk_usage(MEMORY).free >= LEAST_FREE_BYTES:
        os.environ[MEMORY_FOLDER] = tempfile.mkdtemp(prefix="feed-tests-", dir=MEMORY)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder. The last worker has stopped the server in it."""
    if not os.environ.get("PYTEST_XDIST_WORKER") and (folder := os.environ.pop(MEMORY_FOLDER, None)):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(run_folder: Path) -> Iterator[TestServer]:
    """The run's own server; TEST_DATABASE_URL names another, whose user may create databases."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield TestServer(given, run_folder)
        return
    with EmbeddedPostgres(Path(os.environ.get(MEMORY_FOLDER, run_folder)), durable=False) as url:
        yield TestServer(url, run_folder)


@pytest.fixture(scope="module", autouse=True)
def _deadlines_end_with_their_module() -> Iterator[None]:
    """A service that a test opens in its own process sets deadlines for all of it, which rule COPY out."""
    yield
    psycopg2.extensions.set_wait_callback(None)


@pytest.fixture(scope="module")
def database_url(postgres: TestServer) -> Iterator[str]:
    """A fresh migrated database, for all tests of the module."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def own_database_url(postgres: TestServer) -> Iterator[str]:
    """A fresh migrated database for one test, which may break or fill it as it likes."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def empty_database_url(postgres: TestServer) -> Iterator[str]:
    """A fresh database for one test, without a single table of ours."""
    with postgres.database(migrated=False) as url:
        yield url
