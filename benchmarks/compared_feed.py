"""The feed on which recommenders are compared, and its requests: files, the database, or a generated feed."""

import argparse

from app.domain.feed.dataset import FeedDataset
from app.infrastructure.config.ranking_settings import ranking_options
from app.infrastructure.config.settings import Settings
from app.shared.command_line import positive, whole_number
from data.feed_arguments import DEFAULT_FEED, add_feed_arguments
from data.generate_fake_data import DEFAULT_UNTIL
from data.synthetic.behaviour import SCENARIOS
from data.synthetic.feed import FeedSize, feed_days, make_feed
from training.command_line import add_seed, add_test_from
from training.feed_source import read_dataset
from training.replay.replay import Replay, target_kinds


def add_comparison(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a comparison: its requests, those of `compared_replay`, and --json."""
    for name, default, what in (
        ("max", 1000, "requests to rank"),
        ("search", 300, "earlier requests that select the settings"),
        ("timed", 200, "requests that are timed"),
    ):
        parser.add_argument(
            f"--{name}-requests", type=whole_number(1), default=default, help=f"{what} (default: %(default)s)"
        )
    add_test_from(parser)
    add_seed(parser)
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    generated = parser.add_argument_group("generated feed", "instead of files or the database")
    generated.add_argument("--scenario", choices=SCENARIOS)
    generated.add_argument(
        "--post-half-life", type=positive, default=72.0, metavar="HOURS", help="default: %(default)s"
    )
    for name, default in (("users", 800), ("posts", 3000), ("interactions", 30_000)):
        generated.add_argument(
            f"--n-{name}", type=whole_number(2), default=default, help="default: %(default)s"
        )
    add_feed_arguments(parser, default=DEFAULT_FEED)


def scenario_names(text: str) -> list[str]:
    """Names of scenarios that are separated by commas. Raises ArgumentTypeError."""
    names = text.split(",")
    if unknown := [name for name in names if name not in SCENARIOS]:
        raise argparse.ArgumentTypeError(
            f"unknown scenario {unknown[0]!r} (choose from {', '.join(SCENARIOS)})"
        )
    return names


def compared_replay(args: argparse.Namespace, settings: Settings) -> Replay:
    """The replay of the feed that the arguments name."""
    dataset = _feed(args, settings)
    return Replay(
        dataset,
        ranking_options(settings),
        targets=target_kinds(dataset),
        test_from=args.test_from,
        seed=args.seed,
    )


def sizes(dataset: FeedDataset) -> dict[str, int]:
    """The size of a feed, as JSON output has it."""
    return {"users": len(dataset.users), "posts": len(dataset.posts), "interactions": len(dataset.events)}


def _feed(args: argparse.Namespace, settings: Settings) -> FeedDataset:
    if args.scenario is None:
        return read_dataset(args, settings)
    hours = args.post_half_life
    size = args.n_users, args.n_posts, args.n_interactions
    until = int(DEFAULT_UNTIL.timestamp() * 1000)
    return make_feed(FeedSize(*size, args.seed, until, feed_days(hours), hours, args.scenario))
