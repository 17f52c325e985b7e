"""The two-tower model of a feed that grows, with random weights instead of a fit."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.domain.feed.dataset import FeedDataset
from app.domain.feed.timeline import FeedTimeline
from tests.support.feeds import generated
from tests.support.neural_models import random_towers
from training.deep import live_towers
from training.deep.fit_two_tower import TowerOptions
from training.deep.live_towers import LiveTowers
from training.deep.two_tower import TwoTower


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The fits, each with random weights."""
    made: list[dict[str, Any]] = []

    def fit(examples, posts, n_authors, n_tags, first, last, options, start) -> TwoTower:
        sizes = {"authors": n_authors, "tags": n_tags, "posts": posts}
        made.append({"first": first, "last": last, "starts": start is not None, **sizes})
        return random_towers(posts.text.shape[1], n_authors, n_tags, options.dimensions, len(made))

    monkeypatch.setattr(live_towers, "fit_two_tower", fit)
    return made


def at(feed: FeedTimeline, share: float) -> float:
    """Replay a share of the events; returns the time."""
    time = float(feed.events.time[int(share * len(feed.events)) - 1])
    feed.advance(time)
    return time


def fit(towers: LiveTowers, feed: FeedTimeline, time: float) -> None:
    towers.fit(feed.events[: int(np.searchsorted(feed.events.time, time))], time, feed.state)


def test_a_refit_continues_until_the_examples_have_grown_by_30_percent(fits: list[dict[str, Any]]) -> None:
    dataset = generated(users=40, posts=150, interactions=3000)
    feed, towers = FeedTimeline(dataset, replay=True), LiveTowers(dataset, TowerOptions())

    for share in (0.5, 0.5, 0.6, 0.9):
        fit(towers, feed, at(feed, share))

    assert [one["starts"] for one in fits] == [False, True, False]
    assert [one["last"] for one in fits] == sorted(one["last"] for one in fits)
    assert fits[-1]["first"] == 0


def test_posts_and_events_after_a_fit_have_scores(fits: list[dict[str, Any]]) -> None:
    dataset = generated(users=40, posts=150, interactions=3000)
    feed, towers = FeedTimeline(dataset, replay=True), LiveTowers(dataset, TowerOptions())
    fit(towers, feed, at(feed, 0.5))
    n_before = feed.state.n_posts
    before = towers.logits(feed.state, np.array([0, 1]), np.arange(n_before))

    at(feed, 1.0)
    rows = np.arange(feed.state.n_posts)
    after = towers.logits(feed.state, np.array([0, 1]), rows)

    assert len(rows) > n_before
    assert np.isfinite(after).all()
    assert after[:n_before] == pytest.approx(before, abs=1e-5)
    assert towers.logits(feed.state, np.array([0, 1, n_before]), rows) != pytest.approx(after, abs=1e-3)


def test_without_an_example_all_posts_are_equal(fits: list[dict[str, Any]]) -> None:
    dataset = generated(users=40, posts=150, interactions=3000)
    feed, towers = FeedTimeline(dataset, replay=True), LiveTowers(dataset, TowerOptions())
    feed.advance(np.inf)

    towers.fit(feed.events[:0], 0.0, feed.state)

    assert fits == []
    assert not towers.logits(feed.state, np.zeros(0, np.intp), np.arange(feed.state.n_posts)).any()


def test_a_fit_reads_nothing_of_posts_that_come_later(fits: list[dict[str, Any]]) -> None:
    dataset = generated(users=40, posts=150, interactions=3000)
    end = float(dataset.events.time[1500])
    n_posts = int((FeedTimeline(dataset, replay=True).exists_since < end).sum())
    for posts in (dataset.posts, with_other_content(dataset, n_posts).posts):
        changed = replace(dataset, posts=posts)
        feed, towers = FeedTimeline(changed, replay=True), LiveTowers(changed, TowerOptions())
        feed.advance(end)
        fit(towers, feed, end)
        assert feed.state.n_posts == n_posts
        assert np.isfinite(towers.logits(feed.state, np.array([0]), np.arange(n_posts))).all()

    whole, cut = fits
    assert (whole["authors"], whole["tags"], whole["last"]) == (cut["authors"], cut["tags"], cut["last"])
    for name in ("text", "author", "tags"):
        assert (getattr(whole["posts"], name)[:n_posts] == getattr(cut["posts"], name)[:n_posts]).all()


def with_other_content(dataset: FeedDataset, n_posts: int) -> FeedDataset:
    """The feed with other texts and tags of the posts after the first `n_posts`."""
    timeline, posts = FeedTimeline(dataset, replay=True), dataset.posts
    text, tags = list(posts.text), list(posts.tags)
    for row in timeline.post_order[n_posts:].tolist():
        text[row], tags[row] = "other words", (f"later {row}",)
    return replace(dataset, posts=replace(posts, text=text, tags=tags))
