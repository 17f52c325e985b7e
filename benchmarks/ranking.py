"""What one ranking costs inside the process: `python -m benchmarks.ranking --rankings 500 --json`.

The active model of MODELS_DIR ranks the feed in memory for sampled users with events, with the learned scorer and with
the formula. Rankings without a change, right after an event of another user, and right after a new post take turns on
one state, so that their ratios hold on a machine whose speed changes. `--posts` adds old posts up to given numbers.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter, thread_time
from typing import Any, Final
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from app.domain.feed.state import FeedState
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import OneLineParser, fail, whole_number
from benchmarks.served_state import served_state
from data.command_line import run_command
from training.feed_source import read_database

_PROG: Final = "benchmarks.ranking"
PAGE = 50
LIKE = 2


UNCHANGED, EVENT, POST = "", "an event before each", "a post before each"
_RANKINGS_PER_SECOND = 100
_WARM_UP = 20


class StageTimes:
    """A StageObserver that keeps every measurement."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def observe(self, stage: str, seconds: float) -> None:
        self._seconds.setdefault(stage, []).append(seconds)

    def p50(self) -> dict[str, float]:
        """The median of each stage, as `<stage>_p50_ms`."""
        return {f"{stage}_p50_ms": float(np.median(times)) * 1000 for stage, times in self._seconds.items()}


def measure(
    pipeline: FeedPipeline, state: FeedState, now: float, rankings: int
) -> dict[str, dict[str, float]]:
    """Each change (UNCHANGED, EVENT, POST) -> its figures, of `rankings` rankings each.

    p50 and p99 are in milliseconds, of the clock and of this thread's processor time. `cpu_ratio` is the p50 divided by
    that without a change; `apply_cpu_p50_ms` is the time to apply the change.
    """
    random = np.random.default_rng(1)
    known = np.flatnonzero(state.events_by_user.lengths(np.arange(state.n_users)))
    tags = list(state.topic_ids) or ["tag"]
    engaged = np.flatnonzero(np.isfinite(state.last_engaged[: state.n_posts]))
    next_seq = _next_seq(state)
    times: dict[str, list[tuple[float, float, float]]] = {UNCHANGED: [], EVENT: [], POST: []}
    for number in range(rankings + _WARM_UP):
        for change, taken in times.items():
            now += 1 / _RANKINGS_PER_SECOND
            began = thread_time()
            if change == EVENT:
                happens(state, int(random.choice(known)), int(random.choice(engaged)), now)
            elif change == POST:
                author = random.choice(known, 1)
                add_posts(state, next_seq + number, np.array([now]), author, [tags[number % len(tags)]])
            applied = thread_time() - began
            clock_began, thread_began = perf_counter(), thread_time()
            context = RankingContext(state, int(random.choice(known)), now)
            pipeline.page(context, pipeline.rank(context), PAGE)
            taken.append((perf_counter() - clock_began, thread_time() - thread_began, applied))
    return {
        change: _figures(taken[_WARM_UP:], times[UNCHANGED][_WARM_UP:]) for change, taken in times.items()
    }


def _figures(
    taken: Sequence[tuple[float, float, float]], unchanged: Sequence[tuple[float, float, float]]
) -> dict[str, float]:
    wall, cpu, applied = np.array(taken).T * 1000
    p50 = np.median(cpu)
    return {
        "wall_p50_ms": float(np.median(wall)),
        "wall_p99_ms": float(np.quantile(wall, 0.99)),
        "cpu_p50_ms": float(p50),
        "cpu_p99_ms": float(np.quantile(cpu, 0.99)),
        "cpu_ratio": float(p50 / np.median(np.array(unchanged)[:, 1] * 1000)),
        "apply_cpu_p50_ms": float(np.median(applied)),
    }


def happens(state: FeedState, user: int, post: int, now: float) -> None:
    """Record a like."""
    time_us = np.array([now * 1e6]).astype(np.int64)
    one = np.array([user], np.int32), np.array([post], np.int32), np.array([LIKE], np.uint8)
    state.record(EventColumns(*one, time_us, np.zeros(1, np.int64)))


def _next_seq(state: FeedState) -> int:
    """A number above those of all posts."""
    return 1 + int(state.seq[: state.n_posts].max(initial=0))


def add_posts(
    state: FeedState,
    first_seq: int,
    created: NDArray[np.float64],
    authors: NDArray[np.intp],
    tags: Sequence[str],
) -> None:
    """Add posts with numbers from `first_seq`, `created` times in seconds, authors (user rows), and one tag each."""
    keys = [uuid4() for _ in created]
    state.add_posts(
        [key.bytes for key in keys],
        external_ids=[None] * len(keys),
        author=authors.astype(np.int32),
        created=created,
        visible=np.ones(len(keys), np.bool_),
        seq=first_seq + np.arange(len(keys)),
        texts=[""] * len(keys),
        tags=[(tag,) for tag in tags],
    )


def pad(state: FeedState, n_posts: int) -> None:
    """Add posts that are older than all others, until the state has `n_posts`."""
    missing = n_posts - state.n_posts
    if missing <= 0:
        return
    first = float(state.created[: state.n_posts].min())
    known = np.flatnonzero(state.events_by_user.lengths(np.arange(state.n_users)))
    tags = list(state.topic_ids) or ["tag"]
    authors = np.random.default_rng(missing).choice(known, missing)
    created = first - 86_400 * np.linspace(365, 1, missing)
    add_posts(state, _next_seq(state), created, authors, [tags[i % len(tags)] for i in range(missing)])


def post_counts(text: str) -> list[int]:
    """An argument type: numbers of posts, separated by commas."""
    return [whole_number(1)(part) for part in text.split(",")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns its exit code."""
    parser = OneLineParser(prog=_PROG, description=__doc__)
    parser.add_argument("--rankings", type=whole_number(1), default=500)
    parser.add_argument(
        "--posts", type=post_counts, metavar="N,N,…", help="posts in memory (default: those of the model)"
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    return run_command(_PROG, lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    registry = open_registry(read_settings())
    record = registry.active()
    if record is None:
        return fail(_PROG, "no model is active; run python -m training.train first")
    trained = ServedModel.from_artifact(registry.load(record.version))
    feed = read_database(read_settings())
    results: dict[str, Any] = {}
    for name, model in (("learned", trained), ("formula", replace(trained, choice_model=None))):
        if name == "learned" and trained.choice_model is None:
            continue
        for n_posts in args.posts or [0]:
            state = served_state(feed, model)
            pad(state, n_posts)
            now = float(state.last_engaged[: state.n_posts].max(initial=0.0))
            stages = StageTimes()
            measured = measure(model.pipeline(state, stages), state, now, args.rankings)
            measured[UNCHANGED] |= stages.p50()
            size = [f"{n_posts:,} posts"] if n_posts else []
            results |= {", ".join([name, *size, *filter(None, [key])]): row for key, row in measured.items()}
    if args.json:
        print(json.dumps(results))
    else:
        for name, figures in results.items():
            print(name, *(f"{key} {value:.3f}" for key, value in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
