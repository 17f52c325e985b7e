"""The benchmark of memory holds the feed itself."""

from benchmarks.memory import feed_bytes


def test_more_posts_and_interactions_take_more_memory() -> None:
    small = feed_bytes(30, 50, 500)

    assert feed_bytes(30, 50, 5_000) > small + 4_500 * 8  # at least a post and a time for each
    assert feed_bytes(30, 500, 500) > small + 450 * 16  # at least the key of each
