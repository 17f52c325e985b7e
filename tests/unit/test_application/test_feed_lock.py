"""The lock of the feed: rankings run between the steps of a change, and each step is measured."""

import gc
import threading
from time import thread_time

from app.application.feed_lock import FeedLock


def use_processor(seconds: float) -> None:
    until = thread_time() + seconds
    while thread_time() < until:
        pass


def test_a_ranking_that_waits_runs_before_the_next_step_of_a_change():
    lock, order = FeedLock(), []

    def rank() -> None:
        with lock:
            order.append("ranking")

    for _ in range(20):
        ranking = threading.Thread(target=rank)
        with lock.writing("events"):
            ranking.start()
            while not lock._next.locked():
                pass
        with lock.writing("events"):
            order.append("step")
        ranking.join()

    assert order == ["ranking", "step"] * 20


def test_each_step_is_measured_in_processor_time_of_its_own_thread():
    lock, measured = FeedLock(), []
    lock.on_released = lambda writer, seconds: measured.append((writer, seconds))
    other = threading.Thread(target=use_processor, args=(0.05,))

    with lock.writing("events"):
        use_processor(0.02)
    with lock.writing("posts"):
        other.start()
        other.join()

    (first, working), (second, waiting) = measured
    assert (first, second) == ("events", "posts")
    assert working >= 0.02
    assert waiting < 0.02


def test_a_step_that_fails_releases_the_lock_and_is_measured():
    lock, measured = FeedLock(), []
    lock.on_released = lambda writer, seconds: measured.append(writer)

    try:
        with lock.writing("events"):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass

    assert measured == ["events"]
    assert not lock._lock.locked()


def test_python_collects_no_garbage_in_a_step() -> None:
    lock = FeedLock()

    with lock.writing("events"):
        assert not gc.isenabled()

    assert gc.isenabled()
