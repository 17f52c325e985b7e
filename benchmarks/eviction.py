"""How fast posts leave memory, and how long each step holds the lock of the feed: `python -m benchmarks.eviction`.

Half of the posts of a feed are evicted, as after a turnover of the live posts. Figures are of CPU time, without the
refill of lists from the database.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from app.application.workers.post_evictor import POSTS_PER_CHANGE
from app.domain.feed.engaged_users import EngagedUsers
from app.domain.feed.eviction import recount_authors_of_evicted, remove_posts
from app.shared.command_line import OneLineParser, whole_number
from benchmarks.lock import feed_state, past_events


def main(argv: Sequence[str] | None = None) -> int:
    parser = OneLineParser(prog="benchmarks.eviction", description=__doc__)
    for name, default in (("users", 100_000), ("posts", 200_000), ("interactions", 2_000_000)):
        parser.add_argument(f"--{name}", type=whole_number(2), default=default, help="default: %(default)s")
    args = parser.parse_args(argv)
    state = feed_state(args.users, args.posts, past_events(args.users, args.posts, args.interactions))
    held_seconds: list[float] = []

    @contextmanager
    def writing() -> Iterator[None]:
        began = time.thread_time()
        yield
        held_seconds.append(time.thread_time() - began)

    rows = state.by_created[: args.posts // 2].copy()
    began = time.thread_time()
    engaged = EngagedUsers(state, rows)
    authors = [
        remove_posts(state, rows[start : start + POSTS_PER_CHANGE], writing, engaged)
        for start in range(0, len(rows), POSTS_PER_CHANGE)
    ]
    recount_authors_of_evicted(state, np.unique(np.concatenate(authors)), writing)
    seconds = time.thread_time() - began
    p99, longest = np.quantile(held_seconds, [0.99, 1.0]) * 1000
    print(f"evicted {len(rows):,} posts in {seconds:.1f} s: {len(rows) / seconds:,.0f} posts/s")
    print(f"{len(held_seconds):,} steps held the lock for {p99:.2f} ms (p99) and {longest:.2f} ms (longest)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
