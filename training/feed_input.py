"""Where training's commands get their feed from: files named on the command line, else the database."""

import argparse
from pathlib import Path
from typing import Final

from app.domain.errors import StorageUnavailable
from app.domain.feed.history import FeedHistory
from app.domain.repositories.feed_log import WholeFeed
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.command_database import command_database
from app.infrastructure.database.embedded import EmbeddedUnavailable
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.sql_feed_log import SqlFeedLog
from app.shared.exceptions import ConfigurationError
from data.command_line import event_map, existing_file
from data.feed_files import read_feed
from data.open_files import sibling
from data.schemas import FeedFileError

UNREADABLE: Final = (
    FeedFileError,
    ConfigurationError,
    StorageUnavailable,
    EmbeddedUnavailable,
    OSError,
    ValueError,
)
"""What ends a command with one line and exit code 2 when its feed cannot be had."""


def add_feed_arguments(parser: argparse.ArgumentParser) -> None:
    """The files of a feed; without --interactions the database is read."""
    feed = parser.add_argument_group(
        "feed", "files (CSV, NDJSON, JSON or Parquet); without them, the database"
    )
    feed.add_argument("--interactions", type=existing_file, metavar="PATH", help="interactions of the feed")
    feed.add_argument(
        "--posts", type=existing_file, metavar="PATH", help="default: posts.parquet beside the interactions"
    )
    feed.add_argument("--users", type=existing_file, metavar="PATH")
    feed.add_argument("--follows", type=existing_file, metavar="PATH")
    feed.add_argument(
        "--event-map", type=event_map, default={}, metavar="A=B,…", help="names of events, e.g. VIEW=view"
    )


def check_feed_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what makes no sense together."""
    for name in ("posts", "users", "follows", "event_map"):
        if getattr(args, name) and args.interactions is None:
            parser.error(f"argument --{name.replace('_', '-')}: goes with --interactions")


def read_history(args: argparse.Namespace, settings: Settings) -> FeedHistory:
    """The feed that the arguments name. Raises one of UNREADABLE."""
    if args.interactions is not None:
        posts = args.posts or _posts_beside(
            args.interactions, alone=args.users is None and args.follows is None
        )
        return read_feed(args.interactions, posts, args.users, args.follows, args.event_map).history()
    return read_database(settings).history


def read_database(settings: Settings) -> WholeFeed:
    """The feed in the database that the settings name. Raises one of UNREADABLE."""
    with command_database(settings) as engine:
        return SqlFeedLog(
            engine, SchemaName(settings.db_schema), load_budget_seconds=settings.load_budget_seconds
        ).whole()


def _posts_beside(interactions: Path, *, alone: bool) -> Path | None:
    if interactions.suffix.lower() == ".json" or (alone and sibling(interactions, "posts").is_file()):
        return None  # it brings its own
    beside = interactions.with_name("posts.parquet")
    return beside if beside.is_file() and beside != interactions else None
