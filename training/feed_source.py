"""Reads the feed of a command: from the files on the command line, else from the database."""

import argparse
from dataclasses import replace
from datetime import UTC, datetime

from app.domain.feed.dataset import FeedDataset, PageColumns
from app.domain.feed.shown_pages import page_columns
from app.domain.repositories.feed_log import FeedSnapshot
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from data.feed_arguments import posts_beside, read_feed_of

_UNDATED = datetime.min.replace(tzinfo=UTC)


def read_dataset(args: argparse.Namespace, settings: Settings) -> FeedDataset:
    """The feed of the arguments. Raises FeedFileError, and the errors of `read_database`.

    Pages of files are ignored unless --impressions names them, so that a replay counts pages of `served` as shown.
    """
    if args.interactions is not None:
        posts = args.posts or posts_beside(args)
        dataset = read_feed_of(args, posts).dataset
        return dataset if args.impressions else replace(dataset, pages=PageColumns())
    return read_database(settings).dataset


def read_database(settings: Settings) -> FeedSnapshot:
    """The feed in the database of the settings. Raises the errors of `cli_engine`.

    Its dataset contains the controls that were not taken back and the newest pages, so that a replay applies them.
    """
    with cli_engine(settings) as engine:
        snapshot = SqlFeedLog(
            engine, feed_schema(engine, settings.db_schema), load_budget_seconds=settings.load_budget_seconds
        ).read_all()
    controls = [control for of_user in snapshot.controls for control in of_user.controls]
    controls.sort(key=lambda control: control.created_at or _UNDATED)
    pages = page_columns(snapshot.pages, snapshot.dataset)
    return replace(snapshot, dataset=replace(snapshot.dataset, controls=controls, pages=pages))
