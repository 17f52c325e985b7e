"""The supervisor repeats the work of the workers in threads, until it is stopped."""

import threading

import pytest
import structlog

from tests.support.live_feeds import a_service, is_known
from tests.support.small_service import SmallService


def start_with_short_pauses(service: SmallService) -> None:
    service.set_interval(log_seconds=0.005, registry_seconds=0.005)
    service.workers.start()


def wait_until(condition: threading.Event) -> None:
    assert condition.wait(20)


def test_the_threads_follow_the_log_and_stop() -> None:
    service = a_service()
    supervisor, follower = service.workers, service.workers.follower
    arrived = threading.Event()

    def poll() -> None:
        type(follower).poll_log(follower)
        if is_known(service, "added later"):
            arrived.set()

    follower.poll_log = poll  # type: ignore[method-assign,union-attr]
    start_with_short_pauses(service)
    try:
        service.add_post("added later", "ann")
        wait_until(arrived)
    finally:
        supervisor.stop()

    assert not any(thread.is_alive() for thread in supervisor._threads)


def test_a_worker_that_fails_is_logged_and_tries_again() -> None:
    service = a_service()
    watcher, second_try = service.workers.watcher, threading.Event()
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        if len(tries) == 3:
            second_try.set()
        if len(tries) > 1:  # the first check is made by `start` itself
            raise RuntimeError("unexpected")

    watcher.check_for_new_model = fail  # type: ignore[method-assign]
    with structlog.testing.capture_logs() as logs:
        start_with_short_pauses(service)
        try:
            wait_until(second_try)
        finally:
            service.workers.stop()

    failures = [entry for entry in logs if entry["event"] == "worker.failed"]
    assert {entry["worker"] for entry in failures} == {"model-watcher"}


def test_pending_responses_are_saved_in_a_thread() -> None:
    service, saved, saved_at_the_end = SmallService(), threading.Event(), threading.Event()

    class Writer:
        pending = 0

        def save_pending(self) -> float:
            saved.set()
            return 0.01

        def save_all(self, until: float) -> None:
            saved_at_the_end.set()

    service.workers.writer = Writer()  # type: ignore[assignment]
    start_with_short_pauses(service)
    try:
        wait_until(saved)
    finally:
        service.workers.stop()

    assert saved_at_the_end.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "write-behind"]


@pytest.mark.parametrize("database", [True, False])
def test_without_a_database_only_the_registry_is_watched(database: bool) -> None:
    service = SmallService(database=database)
    supervisor = service.workers
    supervisor.start()
    supervisor.stop()

    of_registry = {"model-watcher", "experiments-watcher"}
    with_log = {
        "log-follower",
        "reconciler",
        "post-evictor",
        "user-evictor",
        "chosen-places",
        "outbox-purge",
        "feed-warnings",
    }
    started = {thread.name for thread in supervisor._threads}
    assert started == (of_registry | with_log if database else of_registry)
