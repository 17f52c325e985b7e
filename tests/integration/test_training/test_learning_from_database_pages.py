"""A model of the feed in PostgreSQL learns from the pages that are stored there."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.domain.entities import Impression, Reason
from app.domain.feed.dataset import FeedDataset
from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.bulk_load import load_feed
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.impression_repository_impl import SqlImpressionRepository
from tests.support.pages_feed import effect_of_an_ignored_impression, feed_with_pages
from training.feed_source import read_database


def impressions(dataset: FeedDataset) -> list[Impression]:
    """The pages of a dataset as the service stores them."""
    pages, users, seq = dataset.pages, dataset.users.key, dataset.posts.seq
    found = []
    for page, (user, time) in enumerate(zip(pages.user.tolist(), pages.time.tolist(), strict=True)):
        posts = seq[pages.post[pages.places(page)]].tolist()
        shown_at, user_id = datetime.fromtimestamp(time, UTC), UUID(bytes=users[user].tobytes())
        reasons = [Reason.RECENT] * len(posts)
        found.append(Impression(f"request {page}", user_id, shown_at, "ranked", "v1", posts, reasons))
    return found


def test_what_users_ignored_on_stored_pages_is_worth_less(
    own_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.chdir(tmp_path)
    dataset, settings = feed_with_pages(ignores_shown_posts=True), read_settings()
    with cli_engine(settings) as engine:
        load_feed(engine, dataset)
        SqlImpressionRepository(engine, budget_seconds=60).save(impressions(dataset))

    stored = read_database(settings).dataset

    assert len(stored.pages) == len(dataset.pages)
    assert effect_of_an_ignored_impression(stored)[7] < -3
