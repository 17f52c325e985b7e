"""The service as a process: how it starts, refuses to start, stops, and shares work with replicas."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import httpx
import psycopg2
import pytest

from app.domain.ids import user_uuid
from app.infrastructure.database.embedded import CHECKOUT
from tests.support.service_process import Service, environment, ids, running

GENERATE = "/recommendations/generate"
SLACK_SECONDS = 5.0  # for a machine that is busy with other tests
NOWHERE = "postgresql://nobody:secret-word@127.0.0.1:1/none"


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"DATABASE_URL": "mysql://u:secret-word@h/d"}, "DATABASE_URL"),
        pytest.param({"MODEL_TRUSTED_KEYS": "not-a-key"}, "MODEL_TRUSTED_KEYS", marks=pytest.mark.slow),
    ],
)
def test_a_bad_environment_ends_the_start_with_one_line_and_exit_code_2(
    tmp_path: Path, settings: dict[str, str], place: str
) -> None:
    own = {"DATABASE_URL": NOWHERE, "MODELS_DIR": str(tmp_path), "KEYS_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", "import uvicorn; uvicorn.run('app.main:app', port=0)"],
        cwd=CHECKOUT,
        env=environment(**own | settings),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2, done.stdout + done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith(place)
    assert "secret-word" not in done.stdout + done.stderr


def test_processes_that_were_forked_after_the_import_give_other_request_ids(tmp_path: Path) -> None:
    with running(tmp_path, DATABASE_URL=NOWHERE) as first, running(tmp_path, DATABASE_URL=NOWHERE) as second:
        given = [
            {service.client.get("/livez").headers["x-request-id"] for _ in range(40)}
            for service in (first, second)
        ]

    assert len(given[0] | given[1]) == 80


def test_more_than_one_worker_process_is_rejected(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "app.main:app", "--port", "0", "--workers", "2"],
        cwd=CHECKOUT,
        env=environment(DATABASE_URL=NOWHERE, MODELS_DIR=str(tmp_path), KEYS_DIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=90,
    )

    assert "--workers: one process per container" in done.stderr
    assert "Application startup complete" not in done.stderr


@pytest.mark.slow
def test_a_folder_for_the_metrics_of_several_workers_that_is_none_is_rejected(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from app.main import app"],
        cwd=CHECKOUT,
        env=environment(KEYS_DIR=str(tmp_path), PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "none")),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("PROMETHEUS_MULTIPROC_DIR: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_of_two_workers_each_reports_the_figures_of_both_and_its_own_state(tmp_path: Path) -> None:
    shared = tmp_path / "metrics"
    shared.mkdir()
    settings = {"DATABASE_URL": NOWHERE, "PROMETHEUS_MULTIPROC_DIR": str(shared)}
    with running(tmp_path, "--workers", "2", own_interpreter=True, **settings) as service:
        service.until(lambda: len(list(shared.glob("histogram_*.db"))) == 2, seconds=60)
        address = str(service.client.base_url)
        for _ in range(20):  # a connection each: the system hands them to either
            httpx.post(f"{address}{GENERATE}", json={"user_id": "anyone"}, timeout=15)

        figures = httpx.get(f"{address}/metrics", timeout=15).text

    assert 'ml_recommendation_requests_total{mode="ranked",source="fallback",status="200"} 20.0' in figures
    assert 'ml_recommendation_latency_seconds_count{stage="total"} 20.0' in figures
    assert "ml_ready 1.0" in figures
    assert "ml_degraded 1.0" in figures


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without a model and a database, and with secrets of its own."""
    with running(tmp_path_factory.mktemp("alone"), DATABASE_URL=NOWHERE) as one:
        yield one


def test_without_a_model_and_a_database_everybody_is_answered_all_the_same(alone: Service) -> None:
    health = alone.health()
    answer = alone.generate("anyone")

    assert (health["status"], health["model_loaded"], health["database"]) == ("degraded", False, "down")
    assert (answer["metadata"]["source"], answer["metadata"]["degraded"]) == ("fallback", True)
    assert (ids(answer), answer["metadata"]["exhausted"]) == ([], False)
    assert alone.client.get("/readyz").status_code == 503
    rejected = alone.track("anyone", "a-post")
    assert (rejected.status_code, rejected.json()["code"]) == (503, "storage_unavailable")
    assert "ml_degraded 1.0" in alone.client.get("/metrics").text
    assert "secret-word" not in alone.log_file.read_text()


def test_without_a_database_the_model_alone_fills_the_page_once_controls_do_not_matter(
    feed_url: str, folder: Path
) -> None:
    with running(folder, DATABASE_URL=NOWHERE) as service:
        unknown_controls = service.generate("anyone")
        is_ready = service.client.get("/readyz").status_code
    with running(folder, DATABASE_URL=NOWHERE, SERVE_WITHOUT_CONTROLS="true") as service:
        answer = service.generate("anyone")

    assert (ids(unknown_controls), unknown_controls["metadata"]["exhausted"], is_ready) == ([], False, 503)
    about = answer["metadata"]
    assert len(ids(answer)) == 50
    assert (about["degraded"], about["model_version"], about["source"]) == (True, "v1", "cold_start")


@pytest.fixture(scope="module")
def replica(feed_url: str, folder: Path) -> Iterator[Service]:
    """A replica next to `service`, with the same keys, models and database."""
    with running(folder, DATABASE_URL=feed_url) as one:
        yield one


def test_a_cursor_goes_on_at_another_replica_but_not_under_another_secret(
    service: Service, replica: Service, alone: Service
) -> None:
    shown: list[str] = []
    cursor = None
    for one in (service, replica, replica, service):
        answer = one.generate("pager", limit=40, cursor=cursor)
        shown += ids(answer)
        cursor = answer["metadata"]["next_cursor"]
    assert len(shown) == len(set(shown)) == 160

    rejected = alone.client.post(GENERATE, json={"user_id": "pager", "cursor": cursor})
    assert (rejected.status_code, rejected.json()["code"]) == (400, "invalid_cursor")


def test_another_replica_hears_of_an_event_within_a_second(
    feed_url: str, service: Service, replica: Service
) -> None:
    with psycopg2.connect(feed_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO users (id, external_id) VALUES (%s, 'listener')", [str(user_uuid("listener"))]
        )
    connection.close()
    post = ids(replica.generate("listener", limit=1))[0]
    assert service.track("listener", post, "view").status_code == 202

    replica.until(lambda: post not in ids(replica.generate("listener", limit=200)), seconds=1)


@pytest.mark.slow
@pytest.mark.parametrize("table", ["user_interaction", "posts", "feed_change"])
def test_with_a_locked_table_the_start_takes_the_snapshot_and_the_lock_is_not_waited_for(
    feed_url: str, folder: Path, table: str
) -> None:
    with running(folder, DATABASE_URL=feed_url) as before:
        posts = before.health()["posts"]
    with closing(psycopg2.connect(feed_url)) as owner, owner.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        began = monotonic()
        with running(folder, DATABASE_URL=feed_url) as service:
            took, health, page = monotonic() - began, service.health(), service.generate("user")
            owner.rollback()
            service.until(lambda: service.health()["status"] == "healthy", seconds=5)

    assert took < 5 + SLACK_SECONDS
    assert (health["status"], health["database"], health["posts"]) == ("degraded", "down", posts)
    assert page["metadata"]["degraded"] is True
    assert len(ids(page)) == 50


@pytest.mark.slow
def test_a_fixed_clock_fixes_the_answers(feed_url: str, folder: Path) -> None:
    noon = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()
    with running(folder, DATABASE_URL=feed_url, FEED_NOW=noon) as service:
        first, second = service.generate("user", limit=200), service.generate("user", limit=200)

    assert datetime.fromisoformat(first["metadata"]["generated_at"]) == datetime.fromisoformat(noon)
    assert first["recommendations"] == second["recommendations"]


def test_keys_that_are_unset_are_made_for_the_owner_alone_and_a_stop_is_clean(alone: Service) -> None:
    made = alone.log_file.parent / "keys" / "cursor_secret"
    assert made.stat().st_mode & 0o777 == 0o600
    alone.until(
        lambda: any(
            line["level"] == "warning" and line["event"] == "keys.created" for line in alone.log_lines()
        )
    )

    code = alone.stop(signal.SIGTERM)  # no test after this one asks it anything

    assert code in {0, -signal.SIGTERM}
    assert not [line for line in alone.log_lines() if line["level"] in {"error", "critical"}]
    assert "Traceback" not in alone.log_file.read_text()


@pytest.mark.slow
def test_importing_the_application_starts_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import app.main, threading; print(threading.active_count())"],
        cwd=CHECKOUT,
        env=environment(DATABASE_URL=NOWHERE, MODELS_DIR=str(tmp_path / "no"), WEIGHT_CONTENT="nan"),
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout.strip()) == (0, "1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_log_that_nobody_reads_holds_up_no_request_and_no_stop(tmp_path: Path) -> None:
    folders = {"MODELS_DIR": str(tmp_path / "models"), "KEYS_DIR": str(tmp_path / "keys")}
    reader, writer = os.pipe()
    unread = Service(tmp_path, {"DATABASE_URL": NOWHERE, **folders}, stdout=writer)
    try:
        unread.wait_until_ready()
        for number in range(600):  # a pipe holds about 300 lines
            unread.generate(f"user-{number}")
        health = unread.health()
    finally:
        code = unread.stop()
        os.close(reader)
        os.close(writer)

    assert health["warnings"] == []
    assert code in {0, -signal.SIGTERM}
