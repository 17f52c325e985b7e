"""Compares `served` with other recommenders, on one feed by one protocol: `python -m benchmarks.peers --help`.

Needs the packages of requirements-peers.lock, in an environment of their own:

    uv venv .local/peers && uv pip sync --python .local/peers requirements-peers.lock
    .local/peers/bin/python -m benchmarks.peers --interactions PATH --posts PATH

A replay (docs/evaluation-protocol.md) ranks each request with the service's rankings and with each peer. A peer is
refitted when the service's neighbour models are, and its settings are those that rank best on the requests of the day
before the test part. The table shows NDCG@10 with a 95 % interval over users, and the CPU time of one request.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Final

from rich.table import Table
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.infrastructure.config.settings import Settings, read_settings
from app.infrastructure.database.past_query import PastQuery
from app.shared.atomic_file import write_atomically
from app.shared.command_line import OneLineParser
from app.shared.progress import Progress, progress_bars
from benchmarks.compared_feed import add_comparison, compared_replay, sizes
from benchmarks.peers.comparison import compare_with_peers, select_settings
from benchmarks.peers.models import PEERS
from benchmarks.peers.peer import PeerKind
from data.command_line import run_command
from data.feed_arguments import check_feed_arguments
from training.command_line import output_file, print_json
from training.evaluation.rankers import RANKERS
from training.evaluation.replay_job import AGAINST
from training.evaluation.sql_order import SqlOrders, read_orders
from training.evaluation.summary import RankerSummary, summarise
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay
from training.reporting.console import interval, print_table

_PROG: Final = "benchmarks.peers"
OURS: Final = ("trending_1h", "trending_6h", "trending_1d", "formula", "learned", "served")
SQL: Final = "SQL hot"
_HOT: Final = """
SELECT p.id
FROM feed_posts p
LEFT JOIN (SELECT post_id, count(*) AS n FROM user_interaction GROUP BY post_id) e ON e.post_id = p.id
WHERE p.author_id IS DISTINCT FROM :user_id
  AND NOT EXISTS (SELECT FROM user_interaction seen WHERE seen.user_id = :user_id AND seen.post_id = p.id)
ORDER BY coalesce(e.n, 0) / power(extract(epoch FROM :at - p.created_at) / 3600 + 2, 1.8) DESC, p.created_at DESC
LIMIT 50
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One ranker of the table. `milliseconds` is CPU time per request; of the SQL, its time in PostgreSQL."""

    name: str
    summary: RankerSummary
    milliseconds: float
    settings: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _arguments(argv)
    return run_command(_PROG, lambda: _compare(args, read_settings()))


def _compare(args: argparse.Namespace, settings: Settings) -> None:
    kinds = {name: PEERS[name] for name in args.peers}
    with threadpool_limits(limits=1), progress_bars() as progress:
        replay = compared_replay(args, settings)
        rows = compare(
            replay, kinds, args, progress, _sql_orders(replay, settings, args, progress) if args.sql else None
        )
    if args.plot is not None:
        from training.reporting.plots import quality_and_time  # matplotlib takes a second

        by_name = {row.name: (row.summary.accuracy["ndcg@10"], row.milliseconds) for row in rows}
        write_atomically(args.plot, [quality_and_time(by_name).encode()])
    if args.json:
        rankers = {
            row.name: {"ms": row.milliseconds, "settings": row.settings, **row.summary.to_json()}
            for row in rows
        }
        print_json({"feed": sizes(replay.dataset), "rankers": rankers})
    else:
        print_table(_table(rows))


def compare(
    replay: Replay,
    kinds: dict[str, PeerKind],
    args: argparse.Namespace,
    progress: Any,
    sql: tuple[SqlOrders, float] | None = None,
) -> list[Row]:
    """The rows of all rankers, largest NDCG@10 first."""
    learning = LearningOptions(seed=args.seed)
    selected = select_settings(
        replay, kinds, learning, max_requests=args.search_requests, progress=partial(progress, "settings")
    )
    result, milliseconds = compare_with_peers(
        replay,
        kinds,
        selected,
        args.rankers,
        learning,
        max_requests=args.max_requests,
        timed_requests=args.timed_requests,
        progress=partial(progress, "replay"),
        against=sql[0].by_event if sql else None,
    )
    summaries = summarise(replay, result, args.seed)
    if sql:
        milliseconds[SQL] = sql[1]
        summaries[SQL] = summaries.pop(AGAINST)
    rows = [
        Row(name, summary, milliseconds[name], str(selected.get(name, "")))
        for name, summary in summaries.items()
    ]
    return sorted(rows, key=lambda row: -row.summary.accuracy["ndcg@10"].mean)


def _sql_orders(
    replay: Replay, settings: Settings, args: argparse.Namespace, progress: Progress
) -> tuple[SqlOrders, float]:
    """The lists of _HOT, and milliseconds per list."""
    times: list[float] = []

    def watch(stage: str, done: int, total: int | None) -> None:
        if stage == "their order":
            times.append(perf_counter())
        progress(stage, done, total)

    requests = replay.test_requests(args.max_requests)
    orders = read_orders(settings, PastQuery(SQL, _HOT), replay, requests, watch)
    return orders, (times[-1] - times[0]) / max(len(times) - 1, 1) * 1e3


def _table(rows: Sequence[Row]) -> Table:
    served = next((row.milliseconds for row in rows if row.name == "served"), None)
    table = Table("ranker")
    for name in ("ndcg@10", "ms CPU", "x served"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("settings")
    for row in rows:
        ratio = f"{row.milliseconds / served:.1f}" if served else "-"
        ndcg = interval(row.summary.accuracy["ndcg@10"])
        table.add_row(row.name, ndcg, f"{row.milliseconds:.2f}", ratio, row.settings)
    return table


def _names(known: Sequence[str], text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"unknown name {unknown[0]!r} (choose from {', '.join(known)})")
    return names


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(
        prog=_PROG, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--peers",
        type=partial(_names, tuple(PEERS)),
        default=list(PEERS),
        metavar="A,B,…",
        help=", ".join(PEERS),
    )
    add(
        "--rankers",
        type=partial(_names, RANKERS),
        default=list(OURS),
        metavar="A,B,…",
        help=f"rankings of the service (default: {', '.join(OURS)})",
    )
    add("--sql", action="store_true", help=f"also rank by {SQL}, a query in PostgreSQL")
    add("--plot", type=output_file, metavar="PATH", help="write NDCG@10 against the time per request as SVG")
    add_comparison(parser)
    args = parser.parse_args(argv)
    check_feed_arguments(parser, args)
    return args


if __name__ == "__main__":
    sys.exit(main())
