"""Training on a feed whose posts have embeddings: the replay, the artefact, and what the ranking gains."""

from dataclasses import replace

import numpy as np
import pytest

from app.domain.feed.dataset import FeedDataset
from app.domain.feed.embeddings import PROJECTED_DIMENSIONS
from app.domain.ranking import user_features
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedSnapshot, LogPosition
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.restricted_pickle import deserialise, serialise
from benchmarks.embeddings import measure_quality, with_embeddings
from data.synthetic.feed import FeedSize, make_feed
from training.replay.replay import Replay
from training.training_run import fit_served_model

UNTIL = 1_760_000_000_000
NAMES = user_features.names(embeddings=True)


@pytest.fixture(scope="module")
def feed() -> FeedDataset:
    return with_embeddings(make_feed(FeedSize(40, 150, 1500, 1, UNTIL)), seed=1)


def without_embeddings(feed: FeedDataset) -> FeedDataset:
    return replace(feed, posts=replace(feed.posts, embedding=None))


def test_a_replay_projects_the_embeddings_of_the_posts_that_exist(feed: FeedDataset) -> None:
    replay = Replay(feed, RankingOptions())

    request = replay.request_at(int(replay.test_requests(100)[0]))

    state = request.state
    assert state.embeddings.shape[1] == PROJECTED_DIMENSIONS
    lengths = np.linalg.norm(state.embeddings[: state.n_posts].astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=0.01)
    assert user_features.names(**replay.optional_inputs) == NAMES


def test_a_feed_with_few_embeddings_is_replayed_without(feed: FeedDataset) -> None:
    few = np.zeros_like(feed.posts.embedding)
    few[:20] = feed.posts.embedding[:20]

    replay = Replay(replace(feed, posts=replace(feed.posts, embedding=few)), RankingOptions())

    assert user_features.names(**replay.optional_inputs) == user_features.names()
    assert replay.request_at(int(replay.test_requests(100)[0])).state.embeddings.shape[1] == 0


def test_an_artefact_carries_the_projection_of_a_model_that_reads_it(feed: FeedDataset) -> None:
    def fitted(dataset: FeedDataset, names: tuple[str, ...] | None) -> ServedModel:
        model = None if names is None else ChoiceModel.untrained(names)
        snapshot = FeedSnapshot(dataset, LogPosition("feed", 1), frozenset())
        return fit_served_model(snapshot, RankingOptions(), model, {})

    model = fitted(feed, NAMES)
    read = ServedModel.from_artifact(deserialise(serialise(model.to_artifact())))

    assert feed.posts.embedding is not None
    vectors = [*feed.posts.embedding[:5], None]
    np.testing.assert_array_equal(read.project(vectors), model.project(vectors))
    assert model.project(vectors).any(axis=1).tolist() == [True] * 5 + [False]
    assert read.text_space_id == model.text_space_id != fitted(feed, None).text_space_id
    for other in (fitted(feed, None), fitted(without_embeddings(feed), user_features.names())):
        assert "embedding" not in other.to_artifact()
        assert other.project(vectors).shape == (6, 0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_informative_embeddings_improve_the_ranking() -> None:
    gain = measure_quality(FeedSize(600, 2500, 20_000, 1, UNTIL), max_requests=800)

    print(gain)
    assert gain["low"] > 0
