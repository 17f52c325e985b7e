"""What one ranking costs inside the process: `python -m benchmarks.ranking --rankings 500 --json`.

The active model of MODELS_DIR ranks the feed in memory for sampled users with events, once with the learned scorer and
once with the formula. Each is measured twice: without changes, and with one event before each ranking, as in a live
feed. An event invalidates what is memoised for all users.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter, thread_time
from typing import Any

import numpy as np

from app.domain.feed.dataset import EventColumns
from app.domain.feed.state import FeedState
from app.domain.feed.state_snapshot import from_snapshot
from app.domain.ranking.assembly import NoObserver
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import whole_number

PAGE = 50
LIKE = 2


def measure(
    pipeline: FeedPipeline, state: FeedState, now: float, rankings: int, *, events: bool
) -> dict[str, float]:
    """p50 and p99 in milliseconds: of the clock, and of this thread's processor time."""
    random = np.random.default_rng(1)
    known = np.flatnonzero(state.events_by_user.lengths(np.arange(state.n_users)))
    users = random.choice(known, rankings + 20)
    clock, processor = [], []
    for user in users.tolist():
        if events:
            now += 1.0
            happens(state, int(random.choice(known)), int(random.integers(state.n_posts)), now)
        clock_began, thread_began = perf_counter(), thread_time()
        context = RankingContext(state, user, now)
        pipeline.page(context, pipeline.rank(context), PAGE)
        processor.append(thread_time() - thread_began)
        clock.append(perf_counter() - clock_began)
    figures: dict[str, float] = {}
    for name, took in (("wall", clock), ("cpu", processor)):
        p50, p99 = np.quantile(np.array(took[20:]) * 1000, [0.5, 0.99])  # the first ones warm up
        figures |= {f"{name}_p50_ms": float(p50), f"{name}_p99_ms": float(p99)}
    return figures


def happens(state: FeedState, user: int, post: int, now: float) -> None:
    state.record(
        EventColumns(
            np.array([user], np.int32),
            np.array([post], np.int32),
            np.array([LIKE], np.uint8),
            np.array([now * 1e6]).astype(np.int64),
            np.zeros(1, np.int64),
        )
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.ranking", description=__doc__)
    parser.add_argument("--rankings", type=whole_number(1), default=500)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    registry = open_registry(read_settings())
    record = registry.active()
    if record is None:
        print("benchmarks.ranking: no version is active", file=sys.stderr)
        return 2
    trained = ServedModel.from_artifact(registry.load(record.version))
    results: dict[str, Any] = {}
    for name, model in (("learned", trained), ("formula", replace(trained, choice_model=None))):
        if name == "learned" and trained.choice_model is None:
            continue
        for events in (False, True):
            state = from_snapshot(model.snapshot)
            now = float(state.last_engaged[: state.n_posts].max(initial=0.0))
            pipeline = model.pipeline(state, NoObserver())
            key = f"{name}, an event before each" if events else name
            results[key] = measure(pipeline, state, now, args.rankings, events=events)
    if args.json:
        print(json.dumps(results))
    else:
        for name, figures in results.items():
            print(name, *(f"{key} {value:.3f}" for key, value in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
