"""The configuration of a model, as the registry stores it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from app.domain.ranking.simple_rankings import FORMULA, LEARNED, SIMPLE_RANKINGS
from training.learning.model_selection import ModelSpec
from training.learning.training_options import TrainingOptions

TRAINED_UNTIL: Final = "trained_until"
"""The name of the time, in seconds, of the newest event that a model was trained on."""
RANKER_BY_ALGORITHM: Final[Mapping[str, str]] = {
    **{name: name for name in SIMPLE_RANKINGS if name != FORMULA},
    "collaborative_filtering": FORMULA,
    "learned_choice": LEARNED,
}
"""The registry's name of an algorithm -> the ranker that uses it."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The ranker and the options of a model: enough to fit it again on other data."""

    ranker: str
    options: TrainingOptions

    def to_json(self, selected: ModelSpec | None) -> dict[str, Any]:
        """The configuration as JSON values, with the selected shape of a learned model."""
        algorithm = next(name for name, ranker in RANKER_BY_ALGORITHM.items() if ranker == self.ranker)
        return {
            "algorithm": algorithm,
            "n_neighbors": self.options.ranking.neighbours,
            **self.options.to_json(),
            "chosen": None if selected is None else asdict(selected),
        }

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> "ModelConfig":
        """Read a stored configuration. Raises KeyError and ConfigurationError for one of another version."""
        sections = {name: config[name] for name in ("ranking", "learning")}
        return cls(RANKER_BY_ALGORITHM[config["algorithm"]], TrainingOptions.from_json(sections))

    def ranks_like(self, other: "ModelConfig") -> bool:
        """Whether both give the same model on the same feed."""
        if (self.ranker, self.options.ranking) != (other.ranker, other.options.ranking):
            return False
        return self.ranker != LEARNED or self.options.learning == other.options.learning
