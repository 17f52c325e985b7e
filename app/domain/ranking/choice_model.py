"""A conditional logit: which of the posts on offer a user takes.

McFadden, "Conditional logit analysis of qualitative choice behavior" (1974): the probability of choosing post j from
an offer is exp(u_j) / sum exp(u). `training.learning.fit_logit` fits it.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNCALIBRATED = np.array([0.0, 1.0, 0.0])
"""The calibration of a model that is taken at its word."""
CLIP = 6.0
"""Standard deviations: what lies beyond was hardly seen in training."""


@dataclass(frozen=True, eq=False)
class ChoiceModel:
    """Utilities linear in clipped, standardised inputs, plus, where it helps, one small layer of rectified units.

    `mean`, `scale`, `linear` (n_features,); `hidden` (n_features, n_units), `bias`, `output` (n_units,);
    `calibration` (3,): see `probabilities`.
    """

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    linear: NDArray[np.float64]
    hidden: NDArray[np.float64]
    bias: NDArray[np.float64]
    output: NDArray[np.float64]
    calibration: NDArray[np.float64]

    @classmethod
    def untrained(cls, names: tuple[str, ...]) -> "ChoiceModel":
        """A linear model of these inputs that gives every candidate utility 0."""
        zeros, units = np.zeros(len(names)), np.zeros(0)
        return cls(names, zeros, zeros + 1, zeros, np.zeros((len(names), 0)), units, units, UNCALIBRATED)

    @cached_property
    def _single(self) -> tuple[NDArray[np.float32], ...]:
        """Mean and scale as columns; linear and hidden weights as the rows of one matrix; bias; output."""
        weights = np.concatenate([self.linear[:, None], self.hidden], axis=1).T
        parts = (self.mean[:, None], self.scale[:, None], weights, self.bias[:, None], self.output)
        return tuple(np.ascontiguousarray(part, np.float32) for part in parts)

    def standardised(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n_features, n) inputs as the model reads them."""
        mean, scale, *_ = self._single
        z: NDArray[np.float32] = inputs - mean
        z /= scale
        np.maximum(z, -CLIP, out=z)  # `clip` is a function of Python's around these two
        np.minimum(z, CLIP, out=z)
        return z

    def utilities(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n,) utilities of candidates given as (n_features, n) inputs."""
        _, _, weights, bias, output = self._single
        layer: NDArray[np.float32] = weights @ self.standardised(inputs)
        utility = layer[0]
        if len(output):
            active = layer[1:]
            active += bias
            utility += output @ np.maximum(active, 0.0, out=active)
        in_double: NDArray[np.float64] = utility.astype(np.float64)
        return in_double

    def probabilities(self, log_share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of being the post that is taken, for posts near the top of a list.

        `log_share` is the log of exp(u) / sum exp(u) over all on offer, the model's own belief. A logistic curve of it,
        fitted on requests that the model had not seen, corrects the belief (Platt 1999).
        """
        logit = calibration_inputs(log_share) @ self.calibration[1:] + self.calibration[0]
        probability: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logit.clip(-50, 50)))
        return probability

    def contributions(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n_features, n) share of each input in the utility: gradient x input, which sums to it but for the bias."""
        _, _, weights, bias, output = self._single
        linear, hidden = weights[:1].T, weights[1:]
        z = self.standardised(inputs)
        gradient = linear
        if len(output):
            active = hidden @ z + bias > 0
            gradient = linear + hidden.T @ (output[:, None] * active)
        return gradient * z

    def to_dict(self) -> dict[str, Any]:
        """Plain arrays (see `from_dict`)."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "ChoiceModel":
        """The inverse of `to_dict`."""
        return cls(**saved)


def calibration_inputs(log_share: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) what the curve of `ChoiceModel.probabilities` looks at."""
    share = log_share.clip(-20, 0)
    return np.stack([share, share**2 / 10], axis=-1)
