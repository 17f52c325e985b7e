"""Training on small and odd feeds publishes a ranking that suits the feed, and `served` is what is published."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.entities.model_record import ModelRecord
from app.domain.errors import InvalidArtifact
from app.domain.feed.dataset import FeedDataset
from app.domain.ranking.assembly import NoObserver
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.simple_rankings import SIMPLE_RANKINGS
from app.domain.repositories.feed_log import FeedSnapshot, LogPosition
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.manifest import plain_json
from app.infrastructure.ml.registry.signing import model_keys
from tests.support.feeds import LIKE, VIEW, Feed, Post, cut
from training.evaluation.acceptance import SELECTABLE
from training.evaluation.prequential import replay_rankers
from training.evaluation.replay_workers import LocalEngine
from training.learning.model_selection import LearningOptions
from training.learning.training_options import TrainingOptions
from training.replay.replay import Replay
from training.training_run import Stopwatch, TrainedModel, train

QUICK = LearningOptions(requests=250, candidates=10, ridges=(1e-3,), units=())


def stored(model: ServedModel, folder: Path) -> dict[str, Any]:
    """The artefact of a model, written to a registry and read again."""
    registry = FileModelRegistry(folder / "models", model_keys(None, [], folder / "keys", signs=True))
    record = registry.publish(
        model.to_artifact(), metrics={}, config={}, created_at="2026-03-01T12:00:00+00:00"
    )
    return dict(registry.load(record.version))


def trained(feed: FeedDataset) -> TrainedModel:
    snapshot = FeedSnapshot(feed, LogPosition("test", 1), frozenset())
    options = TrainingOptions(RankingOptions(), QUICK)
    return train(snapshot, options, None, lambda *_: None, Stopwatch(), LocalEngine(1))


def board(posts: int = 60, readers: int = 30) -> FeedDataset:
    """Every ten minutes there is a new post, and three users like it before the next one."""
    random = np.random.default_rng(2)
    events = [
        (int(user), post, LIKE, post * 600.0 + 60.0 * (1 + number))
        for post in range(posts)
        for number, user in enumerate(random.choice(readers, 3, replace=False))
    ]
    return Feed(readers, [Post(created=post * 600.0) for post in range(posts)], events).dataset()


def popular_posts(users: int = 60, posts: int = 40) -> FeedDataset:
    """Users like posts of the first day in the order of their fixed popularity, all over thirty days."""
    random = np.random.default_rng(3)
    weight = 1.0 / np.arange(1, posts + 1)
    events = [
        (user, int(post), LIKE, 86_400.0 * random.uniform(1, 30))
        for user in range(users)
        for post in random.choice(posts, 4, replace=False, p=weight / weight.sum())
    ]
    return Feed(users, [Post(created=float(number)) for number in range(posts)], events).dataset()


@pytest.mark.parametrize(("feed", "best"), [(board(), {"newest"}), (popular_posts(), {"popular"})])
def test_the_ranking_that_suits_the_feed_is_published_and_served(feed, best, tmp_path):
    result = trained(feed)

    assert {result.model.ranking} == {result.config["algorithm"]} == best
    assert list(result.rejection_reasons) == []
    state = result.model.trending_state()
    pipeline = ServedModel.from_artifact(stored(result.model, tmp_path)).pipeline(state, NoObserver())
    listed = pipeline.rank(RankingContext(state, -1, float(state.last_engaged.max()))).rows
    value = {"newest": state.created, "popular": state.engagements}[result.model.ranking][listed]
    assert (np.diff(value) <= 0).all()


def test_a_version_stores_how_it_differs_from_an_earlier_one_of_the_same_feed():
    result = trained(board())
    earlier = ModelRecord("v1", "f", "t", "active", "sha", 9, result.metrics_beside([]), result.config)

    metrics = plain_json(result.metrics_beside([earlier]), "metrics")

    assert earlier.metrics["differences"] == {}
    [difference] = metrics["differences"].values()
    assert (difference["mean"], difference["low"], difference["high"]) == (0, 0, 0)
    assert difference["n"] == metrics["requests"] > 0


def test_what_the_replay_serves_is_what_training_publishes():
    feed = board()
    result = replay_rankers(Replay(feed, RankingOptions()), ["newest", "served"], QUICK, max_requests=1000)

    assert [one.ranking for one in result.served] == ["newest"]
    assert result.ranks["served"].tolist() == result.ranks["newest"].tolist() == [1] * len(result.requests)


def test_the_replay_serves_by_what_users_chose_before_the_refit():
    """The users of a board take the newest posts, and from the test part on the oldest ones."""
    feed = board()
    start = float(feed.events.time[120])
    oldest = np.arange(len(feed.events) - 120) // 3
    feed.events.post[120:] = oldest
    serves = []
    for dataset in (feed, cut(feed, start + 1)):
        replay = Replay(dataset, RankingOptions(), test_from=start)
        serves.append(replay_rankers(replay, ["served"], QUICK, max_requests=1000).served[0])

    assert serves[0] == serves[1]
    assert serves[0].ranking == "newest"


@pytest.mark.parametrize(
    "feed",
    [
        Feed(1, [Post()], [(0, 0, LIKE, 5.0)]),
        Feed(2, [Post()], [(0, 0, VIEW, 5.0), (1, 0, LIKE, 9.0)]),
        Feed(
            1, [Post(float(post)) for post in range(30)], [(0, post, LIKE, 50.0 + post) for post in range(30)]
        ),
        Feed(25, [Post()], [(user, 0, LIKE, 5.0 + user) for user in range(25)]),
        Feed(5, [Post()] * 7, [(n % 5, n % 7, LIKE, 5.0) for n in range(35)]),
        Feed(5, [Post()] * 7, [(n % 5, n % 7, VIEW, 5.0 + n) for n in range(35)]),
        Feed(9, [Post(author=0)] * 3, [(0, n % 3, LIKE, 5.0 + n) for n in range(9)]),
    ],
    ids=["one event", "one request", "one user", "one post", "one time", "views", "own posts"],
)
def test_a_tiny_feed_gets_a_simple_ranking_that_can_serve(feed):
    result = trained(feed.dataset())

    assert result.model.ranking in SIMPLE_RANKINGS
    assert list(result.rejection_reasons) == []
    assert set(result.metrics["prequential"]) == {"random", *SELECTABLE}
    state = result.model.trending_state()
    ranked = result.model.pipeline(state, NoObserver()).rank(RankingContext(state, -1, 100.0))
    assert len(ranked.rows) == state.n_posts


def test_an_artefact_of_an_earlier_version_serves_the_formula_and_an_unknown_ranking_is_rejected(tmp_path):
    model = trained(Feed(1, [Post()], [(0, 0, LIKE, 5.0)]).dataset()).model
    artifact = stored(model, tmp_path)
    earlier = {name: value for name, value in artifact.items() if name != "simple_ranking"}

    assert ServedModel.from_artifact(earlier).ranking == "formula"
    with pytest.raises(InvalidArtifact, match="part 'simple_ranking' is"):
        ServedModel.from_artifact(artifact | {"simple_ranking": "fame"})
