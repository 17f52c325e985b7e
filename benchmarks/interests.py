"""What declared interests change for users without history: `python -m benchmarks.interests --interactions FILE`.

The feed is replayed request by request (docs/evaluation-protocol.md). A request counts if its user has no event before
it and makes at least three requests later. Declared are up to three tags of these later requests, the most frequent
first, never of the request itself. The same requests are ranked as the service does: without interests, with the
declared ones, and with as many random tags of the feed. The result is NDCG@10, and its ratio to that without interests
with a 95 % interval over users.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.domain.feed.interests import NO_INTERESTS, Interests
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.options import RankingOptions
from app.domain.services.ranking_context import RankingContext
from app.domain.words import tag_codes
from app.infrastructure.config.ranking_settings import ranking_options
from app.infrastructure.config.settings import read_settings
from app.shared.command_line import whole_number
from app.shared.progress import progress_bars
from data.feed_arguments import add_feed_arguments, check_feed_arguments
from training.evaluation.metrics import ndcg_of_rank
from training.evaluation.prequential import replay_rankers
from training.feed_source import read_dataset
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, ReplayRequest

MAX_TAGS: Final = 3
MIN_LATER_REQUESTS: Final = 3
WITHOUT, DECLARED, RANDOM = "without", "declared", "random"
_RESAMPLES: Final = 1000


class FirstRequestReplay(Replay):
    """A replay whose test requests are the event rows `chosen`, in order of time."""

    chosen: NDArray[np.intp] = np.empty(0, np.intp)

    def test_requests(self, at_most: int) -> NDArray[np.intp]:
        """The chosen ones."""
        return self.chosen[:at_most]


@dataclass(frozen=True)
class RankWithInterests:
    """The `diagnose` of a replay: the rank of the chosen post with each of the interests of its request.

    tags  event row of a request -> name -> tags
    """

    options: RankingOptions
    tags: Mapping[int, Mapping[str, Sequence[str]]]

    def __call__(self, request: ReplayRequest, model: ChoiceModel | None) -> dict[str, int]:
        """One request."""
        pipeline = ranking_pipeline(self.options, request.neighbour_models.served, model, NoObserver())
        ranks = {}
        for name, tags in self.tags[request.event].items():
            known = request.live
            context = RankingContext(known.state, known.user, known.now, known.excluded)
            context.interests = (
                Interests(tag_codes(tuple(tags)), NO_INTERESTS.authors) if tags else NO_INTERESTS
            )
            ranked = pipeline.rank(context).rows
            places = np.flatnonzero(ranked == request.target)
            ranks[name] = int(places[0]) + 1 if len(places) else len(ranked) + 1
        return ranks


def declared_tags(replay: Replay, seed: int) -> dict[int, dict[str, Sequence[str]]]:
    """For each first request of a user without history in the test part: the tags by name (see the module)."""
    requests = replay.requests_between(replay.test_from, np.inf, len(replay.requests))
    no_history = set(requests[replay.history_lengths(requests) == 0].tolist())
    posts, tags = replay.dataset.events.post, replay.dataset.posts.tags
    by_user: dict[int, list[int]] = {}
    for event in replay.requests.tolist():
        by_user.setdefault(int(replay.dataset.events.user[event]), []).append(event)
    every = sorted({tag for of_post in tags for tag in of_post})
    random = np.random.default_rng(seed)
    chosen: dict[int, dict[str, Sequence[str]]] = {}
    for events in by_user.values():
        first, later = events[0], events[1:]
        if first not in no_history or len(later) < MIN_LATER_REQUESTS:
            continue
        counts = Counter(tag for event in later for tag in tags[posts[event]])
        declared = [tag for tag, _ in counts.most_common(MAX_TAGS)]
        if declared:
            others = [every[i] for i in random.permutation(len(every))[: len(declared)].tolist()]
            chosen[first] = {WITHOUT: (), DECLARED: declared, RANDOM: others}
    return chosen


def evaluate(replay: FirstRequestReplay, max_requests: int, seed: int) -> dict[str, Any]:
    """Name -> its figures, and the number of requests `n`."""
    tags = declared_tags(replay, seed)
    if len(tags) > max_requests:
        kept = np.random.default_rng(seed).permutation(sorted(tags))[:max_requests].tolist()
        tags = {event: tags[event] for event in kept}
    replay.chosen = np.array(sorted(tags), np.intp)
    # As in training.evaluate: one thread gives the same bits on every machine.
    with threadpool_limits(limits=1), progress_bars() as progress:
        result = replay_rankers(
            replay,
            ["learned"],
            LearningOptions(seed=seed),
            max_requests=len(tags),
            progress=partial(progress, "replay"),
            diagnose=RankWithInterests(replay.options, tags),
        )
    ranks = result.diagnoses
    values = {
        name: ndcg_of_rank(np.array([one[name] for one in ranks], np.int64))
        for name in (WITHOUT, DECLARED, RANDOM)
    }
    return {"n": len(ranks)} | {
        name: {"ndcg@10": float(of_name.mean()), "ratio": _ratio(of_name, values[WITHOUT], seed)}
        for name, of_name in values.items()
    }


def _ratio(values: NDArray[np.float64], base: NDArray[np.float64], seed: int) -> list[float]:
    """The ratio of the means, and the bounds of its interval. Each user has one request."""
    draws = np.random.default_rng(seed).integers(0, len(base), (_RESAMPLES, len(base)))
    ratios = values[draws].mean(axis=1) / base[draws].mean(axis=1)
    return [float(values.mean() / base.mean()), *np.quantile(ratios, [0.025, 0.975]).tolist()]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.interests", description=__doc__)
    add_feed_arguments(parser)
    parser.add_argument("--max-requests", type=whole_number(1), default=2000)
    parser.add_argument("--seed", type=whole_number(0), default=0)
    parser.add_argument("--json", action="store_true", help="print the figures for a program")
    args = parser.parse_args(argv)
    check_feed_arguments(parser, args)
    settings = read_settings()
    figures = evaluate(
        FirstRequestReplay(read_dataset(args, settings), ranking_options(settings)),
        args.max_requests,
        args.seed,
    )
    if args.json:
        print(json.dumps(figures))
        return 0
    print(f"users without history, with at least {MIN_LATER_REQUESTS} later requests: {figures['n']}")
    for name in (WITHOUT, DECLARED, RANDOM):
        ratio, low, high = figures[name]["ratio"]
        print(f"{name:10} NDCG@10 {figures[name]['ndcg@10']:.4f}  x {ratio:.3f} [{low:.3f}, {high:.3f}]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
