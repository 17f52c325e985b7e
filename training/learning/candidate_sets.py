"""Sampled candidate sets, and their standardised inputs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.choice_model import CLIP

_UNHEARD = 1e30  # the scale of an input that counts for nothing, however large
_MEASURED = 50_000  # candidates that give the inputs' means and scales


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceSets:
    """Sampled requests. The chosen post of each stands first.

    inputs      (n_requests, n_candidates, n_features) float32
    log_weight  (n_requests, n_candidates) float32: log of the number of posts each candidate stands for,
                -inf pads
    value       (n_requests,) float32: worth of the action that was taken, mean about 1
    """

    inputs: NDArray[np.float32]
    log_weight: NDArray[np.float32]
    value: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True, slots=True, eq=False)
class StandardChoiceSets:
    """Choice sets as a `ChoiceModel` of this `mean` and `scale` (n_features,) reads them; otherwise as `ChoiceSets`."""

    inputs: NDArray[np.float32]
    log_weight: NDArray[np.float32]
    value: NDArray[np.float32]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, some: slice | NDArray[np.intp]) -> "StandardChoiceSets":
        return StandardChoiceSets(
            self.inputs[some], self.log_weight[some], self.value[some], self.mean, self.scale
        )


def standardised(
    choice_sets: ChoiceSets, excluded_inputs: NDArray[np.bool_] | None = None
) -> StandardChoiceSets:
    """Inputs of mean 0 and standard deviation 1, clipped; those that are `excluded_inputs` (n_features,) are 0 for
    good."""
    flat = choice_sets.inputs.reshape(-1, choice_sets.inputs.shape[2])
    some = flat[:: max(1, len(flat) // _MEASURED)]
    mean, scale = some.mean(axis=0, dtype=np.float64), some.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 1e-9, scale, 1.0)
    if excluded_inputs is not None:
        scale[excluded_inputs] = _UNHEARD
    z = choice_sets.inputs - mean.astype(np.float32)
    z /= scale.astype(np.float32)
    np.clip(z, -CLIP, CLIP, out=z)
    return StandardChoiceSets(z, choice_sets.log_weight, choice_sets.value, mean, scale)
