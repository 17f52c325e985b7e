"""A conditional logit: the probability that a user chooses post j from a choice set is exp(u_j) / sum exp(u).

Source: McFadden, "Conditional logit analysis of qualitative choice behavior" (1974). `training.learning.fit_logit`
fits the utilities u.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

UNCALIBRATED = np.array([0.0, 1.0, 0.0])
"""The calibration that leaves the logit equal to the log share."""
CLIP = 6.0
"""Standard deviations; standardised inputs are limited to [-CLIP, CLIP], since training saw few beyond."""
_MIN_LOG_SHARE = -20.0  # a probability of 2e-9; the calibration does not distinguish smaller ones


@dataclass(frozen=True, eq=False)
class ChoiceModel:
    """Utility = linear . z + output . ReLU(hidden' z + bias), with z the standardised and clipped inputs.

    names                 the inputs, in the order of the features
    mean, scale, linear   (n_features,)
    hidden, bias, output  (n_features, n_units), (n_units,), (n_units,); no unit in a linear model
    calibration           (3,) coefficients of the logistic curve in `probabilities`
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
        """The linear model of these inputs that gives every post utility 0."""
        zeros, units = np.zeros(len(names)), np.zeros(0)
        return cls(names, zeros, zeros + 1, zeros, np.zeros((len(names), 0)), units, units, UNCALIBRATED)

    @cached_property
    def _float32(self) -> tuple[NDArray[np.float32], ...]:
        """mean, scale (n_features, 1); linear and hidden (1 + n_units, n_features); bias (n_units, 1); output."""
        weights = np.concatenate([self.linear[:, None], self.hidden], axis=1).T
        parts = (self.mean[:, None], self.scale[:, None], weights, self.bias[:, None], self.output)
        return tuple(np.ascontiguousarray(part, np.float32) for part in parts)

    def standardised(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n_features, n) the standardised and clipped inputs."""
        mean, scale, *_ = self._float32
        z: NDArray[np.float32] = inputs - mean
        z /= scale
        return z.clip(-CLIP, CLIP, out=z)

    def utilities(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n,) utilities of n posts from their inputs (n_features, n).

        Posts with equal inputs have equal utilities on every replica: a matrix product of BLAS rounds some columns in
        another way than others, by their places.
        """
        _, _, weights, bias, output = self._float32
        layer: NDArray[np.float32] = np.einsum("uf,fn->un", weights, self.standardised(inputs))
        utility: NDArray[np.float32] = layer[0] + np.einsum(
            "u,un->n", output, np.maximum(layer[1:] + bias, 0.0)
        )
        return utility.astype(np.float64)

    def probabilities(self, log_share: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) the calibrated probability that the user chooses each of n posts near the top of a list.

        `log_share` (n,) is u - log sum exp(u) over the choice set: the logarithm of the softmax probability. A logistic
        curve turns it into the probability. The curve was fitted on requests that the model was not fitted on (Platt
        1999).
        """
        logit = calibration_inputs(log_share) @ self.calibration[1:] + self.calibration[0]
        probability: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logit.clip(-50, 50)))
        return probability

    def contributions(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n_features, n) the contribution of each input: gradient x standardised input.

        The contributions of a post sum to its utility without the bias terms.
        """
        _, _, weights, bias, output = self._float32
        linear, hidden = weights[:1].T, weights[1:]
        z = self.standardised(inputs)
        active = hidden @ z + bias > 0
        return (linear + hidden.T @ (output[:, None] * active)) * z


def calibration_inputs(log_share: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) the inputs of the logistic curve that calibrates `ChoiceModel.probabilities`.

    `log_share` (n,) is the logarithm of a post's softmax probability in its choice set. The inputs are the log share,
    limited to [_MIN_LOG_SHARE, 0], and its square. The division by 10 gives both a similar scale.
    """
    limited = log_share.clip(_MIN_LOG_SHARE, 0)
    return np.stack([limited, limited**2 / 10], axis=-1)
