"""Where training's commands get their feed from: files named on the command line, else the database."""

import argparse
from typing import Final

from app.domain.errors import StorageUnavailable
from app.domain.feed.dataset import FeedDataset
from app.domain.repositories.feed_log import FeedSnapshot
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.embedded import EmbeddedUnavailable
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.schema import SchemaName
from app.shared.exceptions import ConfigurationError
from data.feed_arguments import posts_beside
from data.feed_files.reader import read_feed
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


def read_dataset(args: argparse.Namespace, settings: Settings) -> FeedDataset:
    """The feed that the arguments name. Raises one of UNREADABLE."""
    if args.interactions is not None:
        posts = args.posts or posts_beside(
            args.interactions, alone=args.users is None and args.follows is None
        )
        return read_feed(args.interactions, posts, args.users, args.follows, args.event_map).dataset()
    return read_database(settings).dataset


def read_database(settings: Settings) -> FeedSnapshot:
    """The feed in the database that the settings name. Raises one of UNREADABLE."""
    with cli_engine(settings) as engine:
        return SqlFeedLog(
            engine, SchemaName(settings.db_schema), load_budget_seconds=settings.load_budget_seconds
        ).read_all()
