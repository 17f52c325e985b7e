"""Pages are stored off the request path; under load they are dropped and counted."""

from collections.abc import Sequence

import pytest

from app.application.workers.impression_writer import ImpressionWriter
from app.domain.entities import Impression, Reason
from app.domain.errors import StorageUnavailable
from app.domain.ids import user_uuid
from tests.support.fake_storage import InMemoryImpressions, InMemoryTables
from tests.support.fake_use_cases import NOON
from tests.support.storage_under_test import a_user

ANN = user_uuid("ann")
TOO_LARGE = 2**31  # the store of these tests cannot hold posts with larger numbers


class RecordingImpressions(InMemoryImpressions):
    """Notes the days of each maintenance, and holds no large numbers of posts."""

    def __init__(self, tables: InMemoryTables) -> None:
        super().__init__(tables)
        self.maintained: list[int] = []

    def save(self, impressions: Sequence[Impression]) -> int:
        storable = [page for page in impressions if max(page.posts) < TOO_LARGE]
        super().save(storable)
        return len(impressions) - len(storable)

    def maintain(self, keep_days: int) -> int:
        self.maintained.append(keep_days)
        return 0


@pytest.fixture
def tables() -> InMemoryTables:
    tables = InMemoryTables()
    tables.add_users(a_user("ann"))
    return tables


@pytest.fixture
def repository(tables: InMemoryTables) -> RecordingImpressions:
    return RecordingImpressions(tables)


@pytest.fixture
def writer(repository: RecordingImpressions) -> ImpressionWriter:
    return ImpressionWriter(repository, keep_days=30, max_pending=2)


def page(request_id: str, posts: Sequence[int] = (1,)) -> Impression:
    return Impression(request_id, ANN, NOON, "ranked", "v1", posts, [Reason.RECENT] * len(posts))


def stored(tables: InMemoryTables) -> list[str]:
    return [row.request_id for row in tables.pages]


def test_pages_are_stored_once_and_the_first_save_prepares_the_store(
    writer: ImpressionWriter, repository: RecordingImpressions, tables: InMemoryTables
) -> None:
    for request_id in ("r1", "r1", "r2"):
        writer.enqueue(page(request_id))
    writer.save_pending()
    writer.save_pending()

    assert (stored(tables), writer.pending, writer.dropped) == (["r1", "r2"], 0, 0)
    assert repository.maintained == [30]


def test_above_the_limit_the_oldest_page_is_dropped_and_counted(
    writer: ImpressionWriter, tables: InMemoryTables
) -> None:
    for request_id in ("r1", "r2", "r3"):
        writer.enqueue(page(request_id))
    writer.save_pending()

    assert (stored(tables), writer.dropped) == (["r2", "r3"], 1)


def test_pages_that_cannot_be_stored_are_dropped_and_counted(
    writer: ImpressionWriter, tables: InMemoryTables
) -> None:
    writer.enqueue(page("r1"))
    writer.enqueue(page("r2"))
    tables.away = True
    writer.save_pending()
    tables.away = False
    writer.enqueue(page("r3"))
    writer.save_pending()

    assert (stored(tables), writer.dropped, writer.pending) == (["r3"], 2, 0)


def test_pages_that_the_store_leaves_out_are_counted_and_the_others_stored(
    writer: ImpressionWriter, tables: InMemoryTables
) -> None:
    writer.enqueue(page("r1", [1, TOO_LARGE]))
    writer.enqueue(page("r2"))
    writer.save_pending()

    assert (stored(tables), writer.dropped, writer.pending) == (["r2"], 1, 0)


def test_flush_stores_the_pages_of_one_response_only(
    writer: ImpressionWriter, tables: InMemoryTables
) -> None:
    writer.enqueue(page("r1"))
    writer.enqueue(page("r2"))

    writer.flush(ANN, "r2")
    writer.flush(ANN, "unknown")
    assert stored(tables) == ["r2"]

    tables.away = True
    with pytest.raises(StorageUnavailable):
        writer.flush(ANN, "r1")
