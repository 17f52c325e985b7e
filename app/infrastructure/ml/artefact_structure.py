"""Checks every part of an artefact before a model is made of it: kinds, shapes, ranges, finite numbers.

A part that passes cannot fail while requests are served. Errors have the name of the part and nothing that was read.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.domain.entities import INTERACTION_TYPES
from app.domain.errors import InvalidArtifact
from app.domain.feed.embeddings import MAX_DIMENSIONS, MIN_DIMENSIONS, PROJECTED_DIMENSIONS
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.list_limits import ListLimits
from app.domain.feed.state import AUTHOR_HALF_LIVES, HALF_LIVES, STRONG_HALF_LIVES
from app.domain.feed.trending_posts import MAX_TRENDING_POSTS, TrendingPosts
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.input_stability import BINS, InputDistribution
from app.domain.ranking.options import FormulaWeights, RankingOptions
from app.domain.ranking.simple_rankings import FORMULA, SIMPLE_RANKINGS
from app.domain.repositories.feed_log import LogPosition
from app.infrastructure.ml.registry.pickle_reading import MalformedPart
from app.infrastructure.ml.registry.pickled_parts import check_rows
from app.infrastructure.ml.stored_neighbours import StoredNeighbours

_MAX_DIMENSIONS: Final = 4096
_MAX_SECONDS: Final = 6e10  # about 1,900 years before and after 1970
_MAX_SIZE: Final = 1e15  # of numbers that are read as float32
_Parts = Mapping[str, Any]


def check_structure(artifact: _Parts) -> None:
    """Raise InvalidArtifact unless each part is as training writes it. `artifact` is in the present format."""
    checks: dict[str, Callable[[_Parts], None]] = {
        "options": _check_options,
        "user_keys": lambda parts: _check_keys(parts["user_keys"]),
        "post_keys": lambda parts: _check_keys(parts["post_keys"]),
        "matrix": _check_matrix,
        "neighbours": lambda parts: _require(type(parts["neighbours"]) is StoredNeighbours),
        "text": _check_text,
        "embedding": _check_embedding,
        "choice": _check_choice,
        "trending": _check_trending,
        "sizes": _check_sizes,
        "position": _check_position,
        "figures": lambda parts: _require(type(parts["figures"]) is dict),
        "simple_ranking": _check_simple_ranking,
        "inputs": _check_inputs,
    }
    _check_parts(artifact, checks)


def check_weights(artifact: _Parts) -> None:
    """Raise InvalidArtifact unless an artefact with weights alone is as continuous training writes it."""
    _check_parts(artifact, {"choice": _check_present_choice})


def _check_parts(artifact: _Parts, checks: Mapping[str, Callable[[_Parts], None]]) -> None:
    for part, check in checks.items():
        try:
            check(artifact)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InvalidArtifact(
                f"the artefact's part {part!r} is missing or not as training writes it; train again"
            ) from error


def _require(condition: object) -> None:
    if not condition:
        raise MalformedPart("another kind, shape or range")


def _check_options(parts: _Parts) -> None:
    """Wider than the bounds of the settings, which change from version to version."""
    options = parts["options"]
    _check_numbers(options, RankingOptions, is_positive=lambda name: name.endswith(("_hours", "_days")))
    _check_numbers(options["formula"], FormulaWeights, is_positive=lambda name: name.endswith("_hours"))
    _check_numbers(options["counting"], CountingRule, is_positive=lambda _: False)
    _check_numbers(options.get("lists", {}), ListLimits, is_positive=lambda _: True)
    weights, kind_weights = options["interaction_weights"], CountingRule(**options["counting"]).kind_weights
    _require(weights.keys() == set(INTERACTION_TYPES) and len(kind_weights) == len(INTERACTION_TYPES))
    half_lives = RankingOptions(**options).trending_source_half_lives_hours
    _require(type(half_lives) is tuple and 0 < len(half_lives) <= 16)
    _require(all(map(_is_number, (*weights.values(), *kind_weights, *half_lives))) and 0 not in half_lives)
    _check_texts(list(options.get("exclude_sources", ())))


def _check_numbers(values: _Parts, of: type[Any], is_positive: Callable[[str], bool]) -> None:
    """Raise MalformedPart for a name that `of` does not have, or a number of another type or out of range."""
    types = {one.name: one.type for one in fields(of)}
    for name, value in values.items():
        if types[name] in (int, float):
            _require(_is_number(value) and (types[name] is float or type(value) is int))
            _require(value > 0 or not is_positive(name))


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < 1e9  # type: ignore[operator]


def _check_keys(keys: object) -> None:
    _require(type(keys) is list and all(type(key) is bytes and len(key) == 16 for key in keys))


def _check_matrix(parts: _Parts) -> None:
    matrix = parts["matrix"]
    _require(type(matrix) is csr_array and matrix.dtype == np.float64 and _is_finite(matrix.data))
    _require(matrix.shape == (len(parts["user_keys"]), len(parts["post_keys"])))
    check_rows(matrix.data, matrix.indices, matrix.indptr, matrix.shape)


def _check_text(parts: _Parts) -> None:
    terms, idf, components = (parts["text"][name] for name in ("terms", "idf", "components"))
    _require(parts["text"].keys() == {"terms", "idf", "components"})
    _check_texts(terms)
    _require((_check_array(idf, "f", (len(terms),)) > 0).all())
    _check_array(components, "f", (len(components), len(terms)))
    _require(len(components) <= _MAX_DIMENSIONS and len(set(terms)) == len(terms))


def _check_embedding(parts: _Parts) -> None:
    if "embedding" not in parts:  # of a feed without embeddings
        return
    _require(parts["embedding"].keys() == {"mean", "components"})
    mean, components = parts["embedding"]["mean"], parts["embedding"]["components"]
    _require(MIN_DIMENSIONS <= len(mean) <= MAX_DIMENSIONS and len(components) <= PROJECTED_DIMENSIONS)
    _check_array(mean, "f", (len(mean),))
    _check_array(components, "f", (len(components), len(mean)))


def _check_choice(parts: _Parts) -> None:
    choice = parts["choice"]
    if choice is None:
        return
    _require(choice.keys() == {one.name for one in fields(ChoiceModel)})
    _require(type(choice["names"]) is tuple)
    _check_texts(list(choice["names"]))
    n_features, n_units = len(choice["names"]), len(choice["bias"])
    for name in ("mean", "scale", "linear"):
        _check_array(choice[name], "f", (n_features,))
    _require((choice["scale"] > 1 / _MAX_SIZE).all())
    _check_array(choice["hidden"], "f", (n_features, n_units))
    _check_array(choice["bias"], "f", (n_units,))
    _check_array(choice["output"], "f", (n_units,))
    _check_array(choice["calibration"], "f", (3,))


def _check_present_choice(parts: _Parts) -> None:
    _require(parts["choice"] is not None)
    _check_choice(parts)


def _check_trending(parts: _Parts) -> None:
    posts = parts["trending"]
    _require(posts.keys() == {one.name for one in fields(TrendingPosts)})
    n_posts, n_authors = len(posts["ids"]), len(posts["author_keys"])
    _require(n_posts <= MAX_TRENDING_POSTS and len(set(posts["ids"])) == n_posts)
    _check_keys(posts["author_keys"])
    _check_texts(posts["ids"])
    for one in posts["ids"]:
        UUID(one)
    for name in ("external_ids", "topics"):
        _require(len(posts[name]) == n_posts)
        _check_texts([one for one in posts[name] if one is not None])
    author = _check_array(posts["author"], "i", (n_posts,))
    _require(((author >= -1) & (author < n_authors)).all())
    created = _check_array(posts["created"], "f", (n_posts,))
    _require((np.abs(created) < _MAX_SECONDS).all())
    _check_array(posts["seq"], "i", (n_posts,))
    _require((_check_array(posts["engagements"], "i", (n_posts,)) >= 0).all())
    _check_array(posts["vectors"], "f", (n_posts, len(parts["text"]["components"])))
    _check_log2(posts["last_engaged"], (n_posts,))
    _check_log2(posts["log2_counts"], (len(HALF_LIVES), n_posts))
    _check_log2(posts["strong_log2_counts"], (len(STRONG_HALF_LIVES), n_posts))
    _check_log2(posts["author_log2_counts"], (len(AUTHOR_HALF_LIVES), n_authors))


def _check_sizes(parts: _Parts) -> None:
    sizes = parts["sizes"]
    _require(sizes.keys() == {"users", "posts", "interactions"})
    _require(all(type(one) is int and 0 <= one < 2**63 for one in sizes.values()))


def _check_position(parts: _Parts) -> None:
    if not parts["position"]:
        return
    position = LogPosition(**parts["position"])
    _check_texts([position.source, position.detail])
    _require(type(position.xid) is int and 0 <= position.xid < 2**63)


def _check_simple_ranking(parts: _Parts) -> None:
    _require(parts.get("simple_ranking", FORMULA) in SIMPLE_RANKINGS)  # earlier versions wrote none


def _check_inputs(parts: _Parts) -> None:
    inputs = parts.get("inputs")  # earlier versions wrote none
    if inputs is None:
        return
    _require(inputs.keys() == {one.name for one in fields(InputDistribution)})
    n_inputs = len(parts["choice"]["names"])
    edges = _check_array(inputs["edges"], "f", (n_inputs, BINS - 1))
    _require((np.diff(edges) >= 0).all())
    shares = _check_array(inputs["shares"], "f", (n_inputs, BINS))
    _require((shares >= 0).all() and np.allclose(shares.sum(axis=1), 1.0))
    _check_array(inputs["usual"], "f", (n_inputs,))


def _check_texts(texts: object) -> None:
    """Raise MalformedPart unless it is a list of texts that can be encoded."""
    _require(type(texts) is list and all(type(one) is str for one in texts))
    "".join(texts).encode()  # type: ignore[arg-type]  # half of a surrogate pair is a ValueError


def _check_array(array: object, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    _require(type(array) is np.ndarray and array.dtype.kind == kind and array.shape == shape)
    assert isinstance(array, np.ndarray)
    _require(array.dtype.kind != "f" or (np.abs(array) < _MAX_SIZE).all())
    return array


def _check_log2(array: object, shape: tuple[int, ...]) -> None:
    """-inf is the logarithm of no engagement, for all half-lives of a post, and the time of none."""
    _require(type(array) is np.ndarray and array.dtype.kind == "f" and array.shape == shape)
    assert isinstance(array, np.ndarray)
    is_none = np.isneginf(array)
    _require((is_none | (np.abs(array) < _MAX_SIZE)).all())
    _require(array.ndim == 1 or (is_none == is_none[:1]).all())


def _is_finite(array: NDArray[Any]) -> bool:
    return bool(np.isfinite(array).all())
