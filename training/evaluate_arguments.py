"""The arguments of training.evaluate."""

import argparse
from collections.abc import Callable, Sequence
from typing import Final

from app.domain.entities import INTERACTION_TYPES
from app.infrastructure.database.past_query import PastQuery
from app.shared.command_line import OneLineParser, duration, whole_number
from data.feed_arguments import DEFAULT_FEED, add_feed_arguments, check_feed_arguments, timestamp
from training.command_line import add_seed, add_test_from, output_file, plot_file
from training.evaluation.acceptance import SELECTABLE
from training.evaluation.against import parse_against
from training.evaluation.rankers import LEARNED_RANKERS, RANKERS
from training.memory_limit import add_memory_limit

PROG: Final = "training.evaluate"
_MAX_REQUESTS: Final = 20_000
_MAX_SQL_REQUESTS: Final = 1_000
"""With SQL, an evaluation ends within minutes."""


def _names(allowed: Sequence[str], what: str) -> Callable[[str], list[str]]:
    """An argument type: some of the allowed names, separated by commas."""

    def parse(text: str) -> list[str]:
        names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        if unknown := [name for name in names if name not in allowed]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no {what} (there are {', '.join(allowed)})")
        if not names:
            raise argparse.ArgumentTypeError(f"has no {what}")
        return names

    return parse


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, checked; ends the process with one line for those that do not fit together."""
    parser = _parser()
    args = parser.parse_args(argv)
    check_feed_arguments(parser, args)
    if args.off_policy:
        _check_off_policy(parser, args)
    if args.max_requests is None:
        args.max_requests = _MAX_SQL_REQUESTS if isinstance(args.against, PastQuery) else _MAX_REQUESTS
    if args.protocol != "prequential":
        for name in ("dump", "html", "against"):
            if getattr(args, name):
                parser.error(f"argument --{name}: requires --protocol prequential")
    if args.protocol == "continuous" and args.rankers:
        parser.error("argument --rankers: --protocol continuous has its own")
    for name in ("changed_at", "plot"):
        if args.protocol != "continuous" and getattr(args, name):
            parser.error(f"argument --{name.replace('_', '-')}: requires --protocol continuous")
    if args.protocol == "owner" and LEARNED_RANKERS & set(args.rankers or ()):
        parser.error(
            "argument --rankers: --protocol owner has no learned ranker; use training.train or prequential"
        )
    return args


def _check_off_policy(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with an error if the other arguments do not fit --off-policy."""
    given = ["protocol"] if args.protocol != "prequential" else []
    given += [
        name for name in ("interactions", "against", "dump", "html", "test_from") if getattr(args, name)
    ]
    if given:
        name = given[0].replace("_", "-")
        parser.error(f"argument --off-policy: evaluates pages in the database; leave out --{name}")
    if others := [name for name in args.rankers or () if name not in SELECTABLE]:
        parser.error(
            f"argument --off-policy: {others[0]!r} cannot serve; use some of {', '.join(SELECTABLE)}"
        )


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=PROG, description="Measure how well rankers would have ranked a feed.")
    add = parser.add_argument
    add(
        "--protocol",
        choices=("prequential", "owner", "continuous"),
        default="prequential",
        help="prequential: replay the feed request by request (default); owner: first five posts at a split in time; "
        "continuous: continuous training",
    )
    add_feed_arguments(parser, default=DEFAULT_FEED)
    add(
        "--rankers",
        type=_names(RANKERS, "ranker"),
        metavar="A,B,…",
        help=f"some of {', '.join(RANKERS)} (default: all)",
    )
    add(
        "--targets",
        type=_names(INTERACTION_TYPES, "interaction type"),
        metavar="A,B,…",
        help="types that count as a choice (default: all but view and click, if there are others)",
    )
    add_test_from(parser)
    add(
        "--off-policy",
        action="store_true",
        help="estimate what rankings would have got on the pages that RANDOMISED_SHARE drew at random",
    )
    add(
        "--against",
        type=parse_against,
        metavar="SQL_OR_RANKER",
        help="compare `served` with the order that the feed has now: a ranker, a file with a SELECT, or the SELECT",
    )
    add(
        "--max-requests",
        type=whole_number(1),
        metavar="N",
        help=f"default: {_MAX_REQUESTS}; with SQL of --against {_MAX_SQL_REQUESTS}",
    )
    add(
        "--refit-every",
        type=duration,
        default=86_400.0,
        metavar="24h",
        help="feed time between fits of the neighbour models (default: 24h)",
    )
    add(
        "--changed-at",
        type=timestamp,
        metavar="TIME",
        help="when users began to choose otherwise: compares continuous training with weights of later choices alone",
    )
    add_memory_limit(parser)
    add_seed(parser)
    add("--dump", type=output_file, metavar="PATH", help="write every ranking as one line of JSON")
    add("--html", type=output_file, metavar="PATH", help="write a report with plots as one page")
    add(
        "--plot",
        type=plot_file,
        metavar="PATH",
        help="write a plot of NDCG@10 by number of requests (.svg, .png or .pdf); requires --protocol continuous",
    )
    add("--json", action="store_true", help="print the results as JSON")
    return parser
