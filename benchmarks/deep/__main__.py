"""Measures what neural models add to `learned`, on one feed by one protocol: `python -m benchmarks.deep --help`.

Needs the packages of requirements-deep.lock, in an environment of their own:

    uv venv .local/deep && uv pip sync --python .local/deep requirements-deep.lock
    .local/deep/bin/python -m benchmarks.deep --interactions PATH --posts PATH

A replay (docs/evaluation-protocol.md) ranks each request with `learned`, with `learned` and one or two inputs of a
two-tower model, with the two-tower model alone, and with `ncf` (NeuMF). The neural models are refitted when the
service's neighbour models are. The table shows NDCG@10 with a 95 % interval over users, and the difference from
`learned` on the same requests.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from rich.table import Table
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.infrastructure.config.settings import Settings, read_settings
from app.shared.command_line import OneLineParser
from app.shared.progress import Progress, progress_bars
from benchmarks.compared_feed import add_comparison, compared_replay, sizes
from benchmarks.deep.models import INPUTS, LearnedWith, Ncf, TwoTowerAlone, TwoTowerInputs
from benchmarks.peers.comparison import Selected, compare_with_peers, select_settings
from benchmarks.peers.peer import PeerKind
from data.command_line import run_command
from data.feed_arguments import check_feed_arguments
from training.command_line import print_json
from training.deep.fit_two_tower import TowerOptions
from training.deep.live_towers import LiveTowers
from training.deep.requirements import check_requirements
from training.evaluation.acceptance import paired_difference
from training.evaluation.metrics import Estimate
from training.evaluation.prequential import ReplayResult
from training.evaluation.summary import RankerSummary, summarise
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay
from training.reporting.console import interval, print_table

_PROG: Final = "benchmarks.deep"
_OURS: Final = "learned"
_WITH: Final = {"learned + two-tower": INPUTS[1:], "learned + two-tower, newest": ()}
"""Rankings by the learned model -> the inputs of the two-tower model that they lack."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _arguments(argv)
    return run_command(_PROG, lambda: _compare(args, read_settings()))


def _compare(args: argparse.Namespace, settings: Settings) -> None:
    check_requirements()
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # before JAX is imported
    replay = compared_replay(args, settings)
    with (inputs := TwoTowerInputs()).registered(), threadpool_limits(limits=1), progress_bars() as progress:
        result, milliseconds = compare(replay, args, inputs, progress)
    users = replay.events.user[result.requests]
    differences = {
        name: paired_difference(ranks, result.ranks[_OURS], users) for name, ranks in result.ranks.items()
    }
    summaries = summarise(replay, result, args.seed)
    if args.json:
        rankers = {
            name: {"difference": differences[name], "ms": milliseconds[name], **summary.to_json()}
            for name, summary in summaries.items()
        }
        print_json({"feed": sizes(replay.dataset), "rankers": rankers})
    else:
        print_table(_table(summaries, differences, milliseconds))


def compare(
    replay: Replay, args: argparse.Namespace, inputs: TwoTowerInputs, progress: Progress
) -> tuple[ReplayResult, dict[str, float]]:
    """The replay with the neural rankers, and ranker -> milliseconds CPU per request, p50."""
    learning, options = LearningOptions(seed=args.seed), TowerOptions(seed=args.seed)

    def alone(towers: Callable[[], LiveTowers]) -> dict[str, PeerKind]:
        return {"two-tower": PeerKind(lambda: TwoTowerAlone(towers())), "ncf": PeerKind(Ncf)}

    selected = select_settings(
        replay,
        alone(lambda: LiveTowers(replay.dataset, options)),
        learning,
        max_requests=args.search_requests,
        progress=partial(progress, "settings"),
    )
    shared = LiveTowers(replay.dataset, options)
    inputs.use(replay, shared)
    learned = {
        name: PeerKind(partial(LearnedWith, replace(learning, without=without)), uses_choice_sets=True)
        for name, without in _WITH.items()
    }
    return compare_with_peers(
        replay,
        alone(lambda: shared) | learned,
        selected | dict.fromkeys(learned, Selected({}, None)),
        [_OURS],
        replace(learning, without=INPUTS),
        max_requests=args.max_requests,
        timed_requests=args.timed_requests,
        progress=partial(progress, "replay"),
    )


def _table(
    summaries: Mapping[str, RankerSummary],
    differences: Mapping[str, Estimate],
    milliseconds: Mapping[str, float],
) -> Table:
    table = Table("ranker")
    for name in ("ndcg@10", f"difference from {_OURS}", "ms CPU"):
        table.add_column(name, justify="right", no_wrap=True)
    ndcg = {name: summary.accuracy["ndcg@10"] for name, summary in summaries.items()}
    for name, estimate in sorted(ndcg.items(), key=lambda item: -item[1].mean):
        difference = "-" if name == _OURS else interval(differences[name])
        table.add_row(name, interval(estimate), difference, f"{milliseconds[name]:.2f}")
    return table


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(
        prog=_PROG, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_comparison(parser)
    args = parser.parse_args(argv)
    check_feed_arguments(parser, args)
    return args


if __name__ == "__main__":
    sys.exit(main())
