"""The options of one training, for ranking and for learning. Settings files and the registry store them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from app.domain.ranking import user_features
from app.domain.ranking.options import FormulaWeights, RankingOptions
from app.infrastructure.config.ranking_settings import FORMULA_BOUNDS, RANKING_BOUNDS
from app.shared.exceptions import ConfigurationError
from training.learning.model_selection import LearningOptions

Options = TypeVar("Options", RankingOptions, FormulaWeights, LearningOptions)
_LEARNING_TYPES = get_type_hints(LearningOptions, include_extras=True)
_BOUNDS: Mapping[type, Mapping[str, TypeAdapter[Any]]] = {
    RankingOptions: RANKING_BOUNDS,
    FormulaWeights: FORMULA_BOUNDS,
    LearningOptions: {name: TypeAdapter(hint) for name, hint in _LEARNING_TYPES.items()},
}
"""The type of each option, with its bounds."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to rank and how to learn."""

    ranking: RankingOptions
    learning: LearningOptions

    def with_ranking(self, **values: Any) -> "TrainingOptions":
        """These options with other values of some ranking options."""
        return replace(self, ranking=replace(self.ranking, **values))

    def to_json(self) -> dict[str, Any]:
        """The options as JSON values."""
        return {"ranking": asdict(self.ranking), "learning": asdict(self.learning)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrainingOptions":
        """Options from JSON values; a missing one has its default. Raises ConfigurationError with the place."""
        if unknown := values.keys() - {"ranking", "learning"}:
            raise ConfigurationError(f"{min(unknown)}: unknown section (use ranking or learning)")
        ranking = _validated("ranking", values.get("ranking", {}), RankingOptions())
        learning = _validated("learning", values.get("learning", {}), LearningOptions())
        every = user_features.OptionalInputs(impressions=True, embeddings=True)
        known = {*user_features.names(**every), *user_features.groups(**every)}
        for name in learning.without:
            if name not in known:
                raise ConfigurationError(f"learning.without: {name!r} is no input and no group of inputs")
        return cls(ranking, learning)

    @classmethod
    def read(cls, path: Path) -> "TrainingOptions":
        """The options of a settings file. Raises ConfigurationError with the file and the place, and OSError."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"{path}: not JSON: {error}") from None
        if not isinstance(values, dict):
            raise ConfigurationError(f"{path}: must be an object with 'ranking' and 'learning'")
        try:
            return cls.from_json(values)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from None


def _validated(place: str, values: object, defaults: Options) -> Options:
    """`defaults` with the given values, each within the bounds of its option."""
    if not isinstance(values, dict):
        raise ConfigurationError(f"{place}: must be an object")
    bounds = _BOUNDS[type(defaults)]
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if name not in bounds:
            raise ConfigurationError(f"{place}.{name}: no such option (there are {', '.join(bounds)})")
        default = getattr(defaults, name)
        if isinstance(default, FormulaWeights):
            changes[name] = _validated(f"{place}.{name}", value, default)
            continue
        if isinstance(default, Mapping) and isinstance(value, dict):
            value = {**default, **value}
        try:
            changes[name] = bounds[name].validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            item = "".join(f".{part}" for part in first["loc"] if part != "[key]")
            problem = f"{json.dumps(first['input'])[:80]}: {first['msg'].lower()}"
            raise ConfigurationError(f"{place}.{name}{item}: {problem}") from None
    return replace(defaults, **changes)
