"""Engines on the run's databases, and the store the contract suite runs on."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.migrate import migrate
from app.infrastructure.database.schema import SchemaName
from tests.support.postgres import TestServer
from tests.support.storage_under_test import SqlTables, Storage

OTHER_SCHEMA = SchemaName("feed_of_a_team")


@pytest.fixture
def engine(own_database_url: str) -> Iterator[Engine]:
    """On a fresh migrated database of the test's own."""
    yield from _engine(own_database_url)


@pytest.fixture
def tables(engine: Engine) -> SqlTables:
    """The tables of `engine`, as a test fills them."""
    return SqlTables(engine, SchemaName())


@pytest.fixture
def empty_engine(empty_database_url: str) -> Iterator[Engine]:
    """On a database without a table."""
    yield from _engine(empty_database_url)


@pytest.fixture(scope="module")
def shared_engine(postgres: TestServer) -> Iterator[Engine]:
    """On a database of the module, migrated in `public` and in another schema."""
    with postgres.database() as url:
        for engine in _engine(url):
            migrate(engine, OTHER_SCHEMA)
            yield engine


@pytest.fixture(params=["memory", "postgres", "postgres in another schema"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """An empty store; a test that takes it runs on each kind."""
    if request.param == "memory":
        return Storage.in_memory()
    engine: Engine = request.getfixturevalue("shared_engine")
    schema = SchemaName() if request.param == "postgres" else OTHER_SCHEMA
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {schema['users']}, {schema['posts']} CASCADE"))
        connection.execute(text(f"TRUNCATE {schema['feed_change']}"))
    return Storage.on_postgres(engine, schema)


def _engine(url: str) -> Iterator[Engine]:
    engine = create_feed_engine(url, connect_seconds=10, pool_size=8, pool_wait_seconds=10)
    yield engine
    engine.dispose()
