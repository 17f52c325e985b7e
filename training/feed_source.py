"""Reads the feed of a command: from the files on the command line, else from the database."""

import argparse
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from app.domain.feed.dataset import FeedDataset, PageColumns
from app.domain.feed.feed_window import within_window
from app.domain.feed.shown_pages import page_columns
from app.domain.repositories.feed_log import FeedSnapshot
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from data.feed_arguments import posts_beside, read_feed_of
from data.log_export.manifest import is_export
from data.log_export.reader import count_events, read_export
from training.memory_limit import workers_within

_UNDATED = datetime.min.replace(tzinfo=UTC)


def read_dataset(
    args: argparse.Namespace, settings: Settings, memory_limit: int | None = None
) -> FeedDataset:
    """The feed of the arguments, within the window of training.

    Raises FeedFileError, and the errors of `read_database` and `read_exported`. Pages of files are ignored unless
    --impressions names them, so that a replay counts pages of `served` as shown.
    """
    if args.interactions is None:
        return read_database(settings).dataset
    if is_export(args.interactions):
        return read_exported(args.interactions, settings, memory_limit).dataset
    dataset = read_feed_of(args, args.posts or posts_beside(args)).dataset
    dataset = within_window(dataset, settings.training_window_days)
    return dataset if args.impressions else replace(dataset, pages=PageColumns())


def read_database(settings: Settings) -> FeedSnapshot:
    """The feed in the database of the settings, within the window of training. Raises the errors of `cli_engine`."""
    with cli_engine(settings) as engine:
        snapshot = SqlFeedLog(
            engine, feed_schema(engine, settings.db_schema), load_budget_seconds=settings.load_budget_seconds
        ).read_all()
    snapshot = _with_controls_and_pages(snapshot)
    dataset = within_window(snapshot.dataset, settings.training_window_days)
    if dataset is snapshot.dataset:
        return snapshot
    users = set(dataset.users.key.tolist())
    controls = [of_user for of_user in snapshot.controls if of_user.user_id.bytes in users]
    return replace(snapshot, dataset=dataset, controls=controls, checksums=None)


def read_exported(folder: Path, settings: Settings, memory_limit: int | None = None) -> FeedSnapshot:
    """The feed of `data.export_log`, within the window of training.

    Raises the errors of `read_export`, and ConfigurationError before it is read if training needs more than
    `memory_limit` bytes.
    """
    workers_within(memory_limit, count_events(folder, settings.training_window_days), settings)
    return _with_controls_and_pages(read_export(folder, settings.training_window_days))


def _with_controls_and_pages(snapshot: FeedSnapshot) -> FeedSnapshot:
    """The dataset gets the controls that were not taken back and the newest pages, so that a replay applies them."""
    controls = [control for of_user in snapshot.controls for control in of_user.controls]
    controls.sort(key=lambda control: control.created_at or _UNDATED)
    pages = page_columns(snapshot.pages, snapshot.dataset)
    return replace(snapshot, dataset=replace(snapshot.dataset, controls=controls, pages=pages))
