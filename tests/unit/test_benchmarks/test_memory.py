"""The benchmark of memory holds the feed itself."""

import pytest

from benchmarks import capacity
from benchmarks.memory import feed_bytes, idle_users_bytes


def test_more_posts_and_interactions_take_more_memory() -> None:
    small = feed_bytes(30, 50, 500)

    assert feed_bytes(30, 50, 5_000) > small + 4_500 * 8  # at least a post and a time for each
    assert feed_bytes(30, 500, 500) > small + 450 * 16  # at least the key of each


def test_a_user_without_events_takes_at_most_140_bytes():
    assert (idle_users_bytes(40_000) - idle_users_bytes(20_000)) / 20_000 < 140


def test_the_memory_of_a_process_is_the_sum_of_its_parts():
    figures = capacity.measure(users=200, active=50, posts=100, events=1000)

    process = figures.pop("process")
    assert process == pytest.approx(sum(figures.values()))
