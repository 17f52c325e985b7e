"""Versions of models that may hold erased users are deleted within ERASURE_DAYS."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_bytes

import psycopg2
import pytest

from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from tests.support.registries import publish
from training import registry as command
from training.erased_versions import delete_erased_versions

TODAY = datetime.now(UTC)


@pytest.fixture
def registry(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> FileModelRegistry:
    """Versions that were made 9, 6, 5 and 0 days ago; the last one is active. Nobody was erased."""
    run(database_url, "TRUNCATE erased_user")
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    found = open_registry(read_settings(), publishes=True)
    for days in (9, 6, 5, 0):
        publish(found, f"{days} days", created_at=(TODAY - timedelta(days=days)).isoformat())
    return found


def run(database_url: str, statement: str, *values: object) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values)


def erase(database_url: str, days_ago: float) -> None:
    statement = "INSERT INTO erased_user (hash, key_id, receipt, erased_at) VALUES (%s, '', '{}', %s)"
    run(database_url, statement, token_bytes(32), TODAY - timedelta(days=days_ago))


def versions(registry: FileModelRegistry) -> Sequence[str]:
    return [record.version for record in registry.records()]


def test_versions_made_before_an_erasure_or_within_a_day_after_it_are_deleted(
    registry: FileModelRegistry, database_url: str, tmp_path: Path
) -> None:
    erase(database_url, days_ago=6.5)
    erase(database_url, days_ago=1)  # its time has not come

    found = delete_erased_versions(registry, read_settings())

    assert ([record.version for record in found.deleted], found.warning) == (["v1", "v2"], None)
    assert versions(registry) == ["v3", "v4"]
    assert len(list((tmp_path / "models").glob("*.pkl"))) == 2


def test_without_erasures_no_version_is_deleted(registry: FileModelRegistry) -> None:
    assert delete_erased_versions(registry, read_settings()).deleted == ()


def test_the_active_version_stays_with_a_warning(
    registry: FileModelRegistry, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.promote("v2")
    erase(database_url, days_ago=6.5)

    assert command.main(["delete-erased"]) == 0

    output = capsys.readouterr()
    assert output.out == "removed: v1\n"
    assert "v2 is active and may hold erased users; train again" in output.err
    assert versions(registry) == ["v2", "v3", "v4"]
