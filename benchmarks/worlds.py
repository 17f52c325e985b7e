"""Compares the learned ranking with baselines on generated feeds: `python -m benchmarks.worlds`.

For each scenario and post half-life, the generator makes a feed, and the replay ranks it with every baseline, `learned`
and `served`. One row shows `learned` divided by the best baseline on the same requests, with the interval of a paired
bootstrap over users.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.infrastructure.config.ranking_settings import ranking_options
from app.infrastructure.config.settings import read_settings
from app.shared.command_line import OneLineParser, positive, whole_number
from app.shared.progress import progress_bars
from benchmarks.compared_feed import scenario_names
from data.generate_fake_data import DEFAULT_UNTIL
from data.synthetic.behaviour import SCENARIOS
from data.synthetic.feed import FeedSize, feed_days, make_feed
from training.evaluation.acceptance import compare
from training.evaluation.metrics import ndcg_of_rank
from training.evaluation.prequential import replay_rankers
from training.evaluation.rankers import BASELINES
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds

POST_HALF_LIVES = (3.0, 72.0, 8760.0)


def measure(size: FeedSize, max_requests: int) -> dict[str, Any]:
    """Generate the feed of a scenario, replay it, and compare the rankings; returns the JSON fields of one row."""
    history = make_feed(size)
    replay = Replay(history, ranking_options(read_settings()), targets=target_kinds(history))
    names = (*BASELINES, "learned", "served")
    with progress_bars() as bars:
        progress = partial(bars, f"{size.scenario}, {size.post_half_life_hours:g} h")
        outcome = replay_rankers(
            replay, names, LearningOptions(), max_requests=max_requests, progress=progress
        )
    ndcg = {name: float(ndcg_of_rank(outcome.ranks[name]).mean()) for name in names}
    best = max(BASELINES, key=ndcg.__getitem__)
    users = replay.events.user[outcome.requests]
    gain = compare(outcome.ranks["learned"], outcome.ranks[best], users)
    return {
        "requests": len(outcome.requests),
        "ndcg@10": ndcg,
        "best": best,
        "learned/best": asdict(gain),
        "served/learned": ndcg["served"] / ndcg["learned"] if ndcg["learned"] else None,
        "chosen": str(outcome.fits[-1].variant) if outcome.fits else None,
    }


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments(argv)
    table = Table("scenario", "post half-life")
    for name in ("requests", "learned", "best single", "learned / best", "served / learned"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("chosen", no_wrap=True)
    rows = []
    with threadpool_limits(limits=1):
        for half_life_hours in args.half_lives:
            for scenario in args.scenarios:
                size = FeedSize(
                    args.users,
                    args.posts,
                    args.interactions,
                    args.seed,
                    int(DEFAULT_UNTIL.timestamp() * 1000),
                    feed_days(half_life_hours),
                    half_life_hours,
                    scenario,
                )
                row = measure(size, args.max_requests)
                rows.append({"world": scenario, "life_hours": half_life_hours, **row})
                ndcg, gain = row["ndcg@10"], row["learned/best"]
                served_share = row["served/learned"]
                table.add_row(
                    scenario,
                    f"{half_life_hours:g} h",
                    str(row["requests"]),
                    f"{ndcg['learned']:.4f}",
                    f"{row['best']} {ndcg[row['best']]:.4f}",
                    f"{1 + gain['gain']:.2f} [{1 + gain['low']:.2f} {1 + gain['high']:.2f}]",
                    "-" if served_share is None else f"{served_share:.2f}",
                    row["chosen"] or "nothing learned",
                )
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(prog="python -m benchmarks.worlds", description=__doc__)
    parser.add_argument(
        "--worlds",
        dest="scenarios",
        type=scenario_names,
        default=[name for name, scenario in SCENARIOS.items() if scenario.later is None],
        metavar="A,B,…",
        help=f"scenarios: {', '.join(SCENARIOS)} (default: all without a change of behaviour)",
    )
    parser.add_argument(
        "--lives",
        dest="half_lives",
        type=lambda text: [positive(part) for part in text.split(",")],
        default=list(POST_HALF_LIVES),
        metavar="HOURS,…",
        help="median ages of a post when a user sees it, in hours (default: 3,72,8760)",
    )
    parser.add_argument("--users", type=whole_number(2), default=800)
    parser.add_argument("--posts", type=whole_number(1), default=3000)
    parser.add_argument("--interactions", type=whole_number(1), default=30_000)
    parser.add_argument("--seed", type=whole_number(0), default=1)
    parser.add_argument("--max-requests", type=whole_number(1), default=2000)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
