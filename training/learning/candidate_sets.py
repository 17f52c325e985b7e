"""Choice sets: a chosen post with sampled candidates, and their standardised inputs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking import user_features
from app.domain.ranking.choice_model import CLIP

_IGNORED_SCALE = 1e30  # a scale that makes every value of an input 0
_MAX_MEASURED = 50_000  # candidates that determine the means and scales


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceSets:
    """The sampled candidates of requests. The chosen post of each is the first candidate.

    inputs      (n_requests, n_candidates, n_features) float32
    log_weight  (n_requests, n_candidates) float32: log of the number of posts that each candidate represents,
                -inf for padding
    value       (n_requests,) float32: weight of the interaction type, mean about 1
    """

    inputs: NDArray[np.float32]
    log_weight: NDArray[np.float32]
    value: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return user_features.names_of(self.inputs.shape[2])


@dataclass(frozen=True, slots=True, eq=False)
class StandardChoiceSets(ChoiceSets):
    """Choice sets with inputs standardised by `mean` and `scale`, both (n_features,)."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def __getitem__(self, some: slice | NDArray[np.intp]) -> "StandardChoiceSets":
        arrays = self.inputs[some], self.log_weight[some], self.value[some]
        return StandardChoiceSets(*arrays, self.mean, self.scale)


def standardise(
    choice_sets: ChoiceSets, excluded_inputs: NDArray[np.bool_] | None = None
) -> StandardChoiceSets:
    """Scale inputs to mean 0 and standard deviation 1, and clip them. `excluded_inputs` (n_features,) become 0."""
    flat = choice_sets.inputs.reshape(-1, choice_sets.inputs.shape[2])
    measured = flat[:: max(1, len(flat) // _MAX_MEASURED)]
    mean, scale = measured.mean(axis=0, dtype=np.float64), measured.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 1e-9, scale, 1.0)
    if excluded_inputs is not None:
        scale[excluded_inputs] = _IGNORED_SCALE
    z = choice_sets.inputs - mean.astype(np.float32)
    z /= scale.astype(np.float32)
    np.clip(z, -CLIP, CLIP, out=z)
    return StandardChoiceSets(z, choice_sets.log_weight, choice_sets.value, mean, scale)
