"""An artefact whose content is not as training writes it is rejected in full before it is used."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidArtifact
from app.domain.feed.event_counting import CountingRule
from app.domain.ranking.assembly import NoObserver
from app.domain.ranking.input_stability import InputDistribution
from app.domain.ranking.options import RankingOptions
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.config.ranking_settings import ranking_options
from app.infrastructure.config.settings import Settings
from app.infrastructure.ml.content_scorer import TextSpace
from app.infrastructure.ml.embedding_projection import EmbeddingProjection
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.restricted_pickle import deserialise, serialise
from tests.support.live_feeds import a_service


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    """An artefact as training writes it, which a test copies before it changes anything."""
    service = a_service()
    for post in ("p1", "p2", "p3"):
        service.track("reader", post, "like")
    model = service.train(learned=True).model
    assert isinstance(model, ServedModel)
    space = TextSpace(["one", "two"], np.ones(2, np.float32), np.ones((3, 2), np.float32))
    trending = replace(model.trending, vectors=np.ones((len(model.trending.ids), 3), np.float32))
    assert model.choice_model is not None
    random = np.random.default_rng(1)
    inputs = InputDistribution.of([random.normal(size=(len(model.choice_model.names), 50))])
    projection = EmbeddingProjection(np.ones(4, np.float32), np.ones((2, 4), np.float32))
    whole = replace(
        model, text_space=space, trending=trending, inputs=inputs, embedding_projection=projection
    )
    return deserialise(serialise(whole.to_artifact()))


def use(artefact: dict[str, Any]) -> int:
    """What a service does with a model: start from it, embed a text, rank for an unknown user."""
    model = ServedModel.from_artifact(artefact)
    state = model.trending_state()
    assert np.isfinite(model.embed(["one word"])).all()
    assert np.isfinite(model.project([np.array([1, 0, 0, 0], np.float16)])).all()
    ranked = model.pipeline(state, NoObserver()).rank(RankingContext(state, -1, 2e9))
    return len(ranked.rows)


def test_an_artefact_as_training_writes_it_is_used(good: dict[str, Any]) -> None:
    assert use(deepcopy(good)) == len(good["trending"]["ids"]) == 12


def places(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in the dicts of an artefact."""
    for key, one in part.items():
        yield (*path, key)
        if type(one) is dict:
            yield from places(one, (*path, key))


HOSTILE: list[Any] = [
    None, True, -1, 0, 2**70, 1.5, float("nan"), float("inf"), "", "text", "\ud800", b"bytes", [], [[]], [None], (), {},
    {"a": 1}, np.zeros(0), np.full(3, np.nan), np.zeros((2, 2), np.int32), np.array([-9, 9**9]),
]  # fmt: skip


@given(data=st.data(), value=st.sampled_from(HOSTILE))
def test_any_value_in_any_place_is_rejected_or_served(
    good: dict[str, Any], data: st.DataObject, value: Any
) -> None:
    path = data.draw(st.sampled_from(list(places(good))))
    artefact = deepcopy(good)
    part = artefact
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value

    with suppress(InvalidArtifact):
        use(artefact)


def arrays(artefact: dict[str, Any]) -> list[tuple[str, str]]:
    """The paths of all arrays in the dicts of an artefact."""
    return [
        (name, key)
        for name, part in artefact.items()
        if type(part) is dict
        for key, one in part.items()
        if isinstance(one, np.ndarray)
    ]


@given(
    data=st.data(),
    number=st.sampled_from([np.nan, np.inf, -np.inf, -1, 2**31 - 1, 0]),
    position=st.integers(0, 10**6),
)
def test_any_number_in_any_array_is_rejected_or_served(
    good: dict[str, Any], data: st.DataObject, number: float, position: int
) -> None:
    name, key = data.draw(st.sampled_from(arrays(good)))
    artefact = deepcopy(good)
    array = artefact[name][key].copy()
    if not array.size or (array.dtype.kind in "iu" and not np.isfinite(number)):
        return
    array.flat[position % array.size] = number
    artefact[name][key] = array

    with suppress(InvalidArtifact):
        use(artefact)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("matrix", lambda one: one["matrix"].data.fill(np.nan)),
        ("matrix", lambda one: one["matrix"].indices.fill(99)),
        ("user_keys", lambda one: one["user_keys"].append(b"short")),
        ("matrix", lambda one: one["user_keys"].append(b"k" * 16)),
        ("choice", lambda one: one["choice"]["linear"].fill(np.nan)),
        ("choice", lambda one: one["choice"].update(scale=one["choice"]["scale"] * 0)),
        ("text", lambda one: one["text"]["idf"].fill(np.inf)),
        ("text", lambda one: one["text"].update(terms=["one", "one"])),
        ("trending", lambda one: one["trending"]["author"].fill(77)),
        ("trending", lambda one: one["trending"].update(ids=["../etc"] * len(one["trending"]["ids"]))),
        ("options", lambda one: one["options"].update(trending_half_life_hours=0)),
        ("options", lambda one: one["options"]["formula"].update(content=float("nan"))),
        ("options", lambda one: one["options"].update(unknown_0x7f=1)),
        ("position", lambda one: one.update(position={"source": "x", "xid": -5})),
        ("sizes", lambda one: one["sizes"].update(users=-1)),
        ("inputs", lambda one: one["inputs"]["edges"].fill(np.nan)),
        ("inputs", lambda one: one["inputs"].update(edges=-np.sort(one["inputs"]["edges"]))),
        ("inputs", lambda one: one["inputs"].update(shares=one["inputs"]["shares"] * 2)),
        ("inputs", lambda one: one["inputs"].update(shares=one["inputs"]["shares"][:-1])),
    ],
)
def test_a_bad_part_is_named(
    good: dict[str, Any], part: str, change: Callable[[dict[str, Any]], object]
) -> None:
    artefact = deepcopy(good)
    change(artefact)

    with pytest.raises(
        InvalidArtifact, match=rf"^the artefact's part '{part}' is missing or not as training"
    ):
        ServedModel.from_artifact(artefact)


@pytest.mark.parametrize(
    "options",
    [
        RankingOptions(),
        ranking_options(Settings(_env_file=None)),
        RankingOptions(counting=CountingRule(0.0, 1), candidates=12, whole_catalogue=0),
    ],
)
def test_the_options_of_training_are_valid(good: dict[str, Any], options: RankingOptions) -> None:
    assert ServedModel.from_artifact(deepcopy(good) | {"options": asdict(options)}).options == options
