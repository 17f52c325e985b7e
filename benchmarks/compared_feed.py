"""The feed on which recommenders are compared: files, the database, or a generated one."""

import argparse

from app.domain.feed.dataset import FeedDataset
from app.infrastructure.config.settings import Settings
from app.shared.command_line import positive, whole_number
from data.feed_arguments import DEFAULT_FEED, add_feed_arguments
from data.generate_fake_data import DEFAULT_UNTIL
from data.synthetic.behaviour import SCENARIOS
from data.synthetic.feed import FeedSize, feed_days, make_feed
from training.feed_source import read_dataset


def add_compared_feed(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `compared_feed`."""
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


def compared_feed(args: argparse.Namespace, settings: Settings) -> FeedDataset:
    """The feed that the arguments name. It needs --seed too."""
    if args.scenario is None:
        return read_dataset(args, settings)
    hours = args.post_half_life
    size = args.n_users, args.n_posts, args.n_interactions
    until = int(DEFAULT_UNTIL.timestamp() * 1000)
    return make_feed(FeedSize(*size, args.seed, until, feed_days(hours), hours, args.scenario))
