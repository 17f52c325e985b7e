"""An artefact does not grow with the log, and artefacts of the previous format load."""

from typing import Any

import numpy as np
import pytest

from app.domain.errors import InvalidArtifact
from app.domain.feed import trending_posts
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedSnapshot, LogPosition
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.restricted_pickle import deserialise, serialise
from tests.support.feeds import generated
from training import preprocess
from training.training_run import fit_served_model


def an_artefact(events: int) -> dict[str, Any]:
    feed = FeedSnapshot(generated(100, 400, events), LogPosition("memory", 1), frozenset())
    return fit_served_model(feed, RankingOptions(), None, {}).to_artifact()


def test_the_size_of_an_artefact_does_not_depend_on_the_length_of_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preprocess, "MAX_COMPARED_INTERACTIONS", 300)
    monkeypatch.setattr(trending_posts.TrendingPosts.of.__func__, "__defaults__", (50,))

    short, long = (len(serialise(an_artefact(events))) for events in (1500, 9000))

    assert long < 1.1 * short


def an_earlier_artefact() -> dict[str, Any]:
    """As the previous format had it, with the parts that are read."""
    present = an_artefact(1500)
    dimensions = len(present["text"]["components"])
    author = np.array([1, -1, 0, 0], np.int32)
    feed = {
        "n_users": 2,
        "user_keys": [(b"a" * 16, 0), (b"b" * 16, 1)],
        "post_ids": [f"00000000-0000-0000-0000-00000000000{number}" for number in range(4)],
        "external_ids": ["first", None, "third", "for members"],
        "topic_ids": {"red": 0},
        "columns": {
            "created": np.arange(4.0),
            "author": author,
            "topic": np.array([0, -1, 0, 0], np.int32),
            "visible": np.ones(4, np.bool_),
            "seq": np.arange(4),
            "text": np.zeros((4, dimensions), np.float32),
            "engagements": np.array([1, 0, 2, 5]),
            "last_engaged": np.array([5.0, -np.inf, 6.0, 7.0]),
        },
        "visibility": {
            "posts": {"visibility": np.array([0, 0, 0, 2], np.uint8), "sensitive": np.zeros(4, np.bool_)},
            "discoverable": np.ones(2, np.bool_),
        },
        "heat": {
            "heat": {"level": np.zeros((7, 4))},
            "strong_heat": {"level": np.zeros((1, 4))},
            "author_heat": {"level": np.zeros((2, 2))},
        },
    }
    return {name: part for name, part in present.items() if name not in {"trending", "sizes"}} | {
        "format": 6,
        "snapshot": feed,
    }


def test_an_artefact_of_the_previous_format_loads_with_the_trending_posts_of_its_feed() -> None:
    model = ServedModel.from_artifact(deserialise(serialise(an_earlier_artefact())))

    state = model.trending_state()
    assert state.external_ids == ["first", None, "third"]
    assert state.engagements[:3].tolist() == [1, 0, 2]
    assert list(state.user_rows) == [b"a" * 16, b"b" * 16]
    assert state.author[:3].tolist() == [1, -1, 0]
    assert model.sizes == {"users": 2, "posts": 4, "interactions": 8}


def test_an_artefact_whose_trending_posts_do_not_fit_together_is_rejected() -> None:
    artefact = deserialise(serialise(an_artefact(1500)))
    artefact["trending"]["author"] = artefact["trending"]["author"][1:]

    with pytest.raises(InvalidArtifact, match="part 'trending' is"):
        ServedModel.from_artifact(artefact).trending_state()
