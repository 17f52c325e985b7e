"""Memory of a process by the size of its feed: `python -m benchmarks.capacity --users 4000000 --live-posts 200000`.

A feed state is built as a service builds it, and the anonymous memory of the process is read after each part: idle
users, posts, and the events of active users. User of rank r has `--events` / r events, up to the length of a list. One
size is built in one process, so run the command once for each size.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from app.domain.feed.dataset import KEY_DTYPE, EventColumns
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.state import FeedState
from app.shared.command_line import OneLineParser, whole_number

_USERS_PER_STEP: Final = 50_000
_POSTS_PER_STEP: Final = 5_000
_EVENTS_PER_STEP: Final = 100_000
_TEXT_DIMENSIONS: Final = 64
_START: Final = 1_700_000_000.0
_SECONDS: Final = 90 * 86_400.0


def anonymous_bytes(process: int | str = "self") -> int:
    """The resident anonymous memory of a process, or of this one. Raises OSError if there is none."""
    kilobytes = re.findall(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return sum(map(int, kilobytes)) * 1024  # a process that ended has no such line


def add_users(state: FeedState, users: int, random: np.random.Generator) -> None:
    """Add users without follows and events."""
    for start in range(0, users, _USERS_PER_STEP):
        count = min(_USERS_PER_STEP, users - start)
        state.append_users(np.frombuffer(random.bytes(16 * count), KEY_DTYPE))


def add_posts(state: FeedState, posts: int, random: np.random.Generator) -> None:
    """Add posts of twenty words and two tags, by random users."""
    words = np.array([f"word{number}" for number in range(20_000)])
    for start in range(0, posts, _POSTS_PER_STEP):
        count = min(_POSTS_PER_STEP, posts - start)
        texts = [" ".join(of_post) for of_post in random.choice(words, (count, 20)).tolist()]
        vectors = random.standard_normal((count, _TEXT_DIMENSIONS)).astype(np.float32)
        state.add_posts(
            np.frombuffer(random.bytes(16 * count), KEY_DTYPE).tolist(),
            external_ids=[None] * count,
            author=random.integers(0, state.n_users, count).astype(np.int32),
            created=_START + np.arange(start, start + count, dtype=np.float64) * (_SECONDS / posts),
            visible=np.ones(count, np.bool_),
            seq=np.arange(start, start + count),
            texts=texts,
            tags=[(f"tag{number % 500}", f"tag{number % 77}") for number in range(count)],
            vectors=PostVectors(vectors, np.zeros((count, 0), np.float16)),
        )


def record_events(state: FeedState, active: int, events: int, random: np.random.Generator) -> int:
    """Record the newest events of the `active` first users. Returns how many."""
    rank = np.arange(1, active + 1)
    of_user = np.minimum(events / np.log(state.n_users) / rank, state.limits.events_per_user)
    by_user = np.cumsum(of_user / of_user.sum())
    by_post = np.cumsum(1.0 / np.arange(1, state.n_posts + 1))
    total = int(of_user.sum())
    for start in range(0, total, _EVENTS_PER_STEP):
        count = min(_EVENTS_PER_STEP, total - start)
        times = _START + _SECONDS * (1 + (start + np.arange(count)) / total)
        state.record(
            EventColumns(
                np.searchsorted(by_user, random.random(count)).clip(max=active - 1).astype(np.int32),
                np.searchsorted(by_post, by_post[-1] * random.random(count)).astype(np.int32),
                random.integers(0, 5, count).astype(np.uint8),
                (times * 1e6).astype(np.int64),
                np.arange(start + 1, start + count + 1),
            ),
            np.ones(count, np.bool_),
        )
    return total


def measure(users: int, active: int, posts: int, events: int) -> dict[str, float]:
    """Mebibytes of each part, and of the whole process."""
    random, state, before = np.random.default_rng(1), FeedState(), [anonymous_bytes()]
    add_users(state, users, random)
    before.append(anonymous_bytes())
    add_posts(state, posts, random)
    before.append(anonymous_bytes())
    record_events(state, active, events, random)
    for owner, name in state.growing_arrays():
        setattr(owner, name, getattr(owner, name).compacted())
    before.append(anonymous_bytes())
    parts = np.diff(before, prepend=0) / 2**20
    names = ("interpreter", "users", "posts", "events")
    return {**dict(zip(names, parts.tolist(), strict=True)), "process": before[-1] / 2**20}


def main(argv: Sequence[str] | None = None) -> int:
    parser = OneLineParser(prog="benchmarks.capacity", description=__doc__)
    for name, default, meaning in (
        ("users", 4_000_000, "users in the database"),
        ("active", 100_000, "users with events in memory"),
        ("live-posts", 200_000, "posts in memory"),
        ("events", 50_000_000, "events in the log"),
    ):
        parser.add_argument(
            f"--{name}", type=whole_number(2), default=default, help=f"{meaning}; default: %(default)s"
        )
    args: argparse.Namespace = parser.parse_args(argv)
    figures = measure(args.users, min(args.active, args.users), args.live_posts, args.events)
    print(json.dumps({name: round(size) for name, size in figures.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
