"""What one more interaction, user and post cost in memory: `python -m benchmarks.memory`.

Feeds of the generator are held as the service holds them, and one size at a time is doubled. An idle user has neither
events nor follows. The figures are of Python's allocator, so they do not depend on the machine. Arrays grow in steps,
and their spare room is included.
"""

import argparse
import gc
import json
import sys
import tracemalloc
from collections.abc import Sequence

import numpy as np

from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from app.shared.command_line import OneLineParser, whole_number
from data.generate_fake_data import DEFAULT_UNTIL
from data.synthetic.feed import FeedSize, make_feed

_SEED = 1


def feed_bytes(users: int, posts: int, interactions: int) -> int:
    """The memory of the feed state of a generated feed."""
    until = int(DEFAULT_UNTIL.timestamp() * 1000)
    tracemalloc.start()
    state = FeedTimeline(
        make_feed(FeedSize(users, posts, interactions, _SEED, until)), replay=False
    ).apply_all()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert state.n_posts == posts
    return size


def idle_users_bytes(users: int) -> int:
    """The memory of a feed state of so many users without events and follows."""
    keys = np.frombuffer(np.random.default_rng(_SEED).bytes(16 * users), KEY_DTYPE)
    tracemalloc.start()
    state = FeedState()
    state.append_users(keys)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert state.n_users == users
    return size


def measure(users: int, posts: int, interactions: int) -> dict[str, float]:
    """Bytes of one more interaction, user (with the follows of the generator), idle user and post."""
    base = feed_bytes(users, posts, interactions)
    return {
        "interaction": (feed_bytes(users, posts, 2 * interactions) - base) / interactions,
        "user": (feed_bytes(2 * users, posts, interactions) - base) / users,
        "idle user": (idle_users_bytes(2 * users) - idle_users_bytes(users)) / users,
        "post": (feed_bytes(users, 2 * posts, interactions) - base) / posts,
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = OneLineParser(prog="benchmarks.memory", description=__doc__)
    for name, default in (("users", 40_000), ("posts", 10_000), ("interactions", 200_000)):
        parser.add_argument(f"--{name}", type=whole_number(2), default=default, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    args: argparse.Namespace = parser.parse_args(argv)
    figures = measure(args.users, args.posts, args.interactions)
    if args.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"bytes per {name:<12}{size:>8.0f}" for name, size in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
