"""Impressions through the running service and its database."""

from pathlib import Path

import psycopg2
import pytest

from tests.support.service_process import Service, ids, running


def test_a_page_is_reported_at_once_and_its_events_join_their_place(service: Service, feed_url: str) -> None:
    page = service.generate("user_3", limit=20)
    request_id, posts = page["metadata"]["request_id"], ids(page)

    # at once: the page still waits to be stored
    report = service.client.post(
        "/impressions", json={"user_id": "user_3", "request_id": request_id, "seen": posts[:3]}
    )
    service.track("user_3", posts[4], "like", request_id=request_id)

    assert (report.status_code, report.json()) == (202, {"status": "recorded", "seen": 3})
    with psycopg2.connect(feed_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT place, mode FROM interaction_impression WHERE request_id = %s", (request_id,))
        assert cursor.fetchall() == [(5, "ranked")]
        cursor.execute("SELECT seen::text FROM impression WHERE request_id = %s", (request_id,))
        assert cursor.fetchall() == [("111" + "0" * 17,)]
    connection.close()


def test_the_dropped_pages_are_a_metric(service: Service) -> None:
    metrics = service.client.get("/metrics").text

    assert "ml_impressions_dropped_total 0.0" in metrics
    assert "ml_impressions_waiting " in metrics


@pytest.mark.slow
def test_old_pages_are_removed_though_no_page_is_stored(feed_url: str, tmp_path: Path) -> None:
    with psycopg2.connect(feed_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT feed_impression_partition('2020-01-01')")
    connection.close()

    def has_old_pages() -> bool:
        with psycopg2.connect(feed_url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('impression_20200101') IS NOT NULL")
            found = bool(cursor.fetchall()[0][0])
        connection.close()
        return found

    with running(tmp_path, DATABASE_URL=feed_url, IMPRESSION_QUEUE_LIMIT="0") as service:
        service.until(lambda: not has_old_pages(), seconds=10)
