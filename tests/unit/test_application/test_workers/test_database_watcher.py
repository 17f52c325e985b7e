"""An unavailable database is noticed between two reads of the log, and said once."""

from structlog.testing import capture_logs

from app.application.workers.database_watcher import DatabaseWatcher
from app.domain.errors import StorageUnavailable
from tests.support.small_service import service_with_posts


def test_the_database_is_down_until_the_log_was_read_again() -> None:
    service = service_with_posts()

    def fail() -> None:
        raise StorageUnavailable("frozen")

    with capture_logs() as lines:
        for _ in range(2):
            DatabaseWatcher(service.feed, fail).run()
        during = service.page("reader").degraded, service.state.database
        DatabaseWatcher(service.feed, lambda: None).run()
        afterwards = service.state.database
        service.catch_up()

    assert during == (True, "down")
    assert afterwards == "down"
    assert service.state.database == "up"
    assert [line["event"] for line in lines] == ["database.unavailable", "database.available"]
