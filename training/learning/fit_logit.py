"""Fits the conditional logit to choice sets.

Each sampled candidate represents several posts, so the softmax contains the log of its weight. Without the weights,
hard negatives teach the model that popular posts are bad.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from app.domain.ranking.choice_model import CLIP, UNCALIBRATED, ChoiceModel
from training.learning.candidate_sets import ChoiceSets, StandardChoiceSets

_MAX_CURVATURE_SETS = 1000  # choice sets that estimate the curvature of the likelihood
_MAX_STEPS = 60  # of L-BFGS
_FIRST_STEPS = 8  # of L-BFGS, before the curvature is estimated again
_EPOCHS = 8  # of Adam
_BATCH_SIZE = 64  # choice sets
_LEARNING_RATE = 1e-2
_WARM_UP_SHARE = 0.05  # of Adam's steps
_WEIGHT_DECAY = 1e-3


Weights = NDArray[np.float32]


def fit_choice_model(
    names: Sequence[str],
    choice_sets: StandardChoiceSets,
    *,
    ridge: float = 1e-3,
    units: int = 0,
    only: str | None = None,
    start: ChoiceModel | None = None,
    seed: int = 0,
) -> ChoiceModel:
    """Maximum penalised likelihood: L-BFGS for the linear part, then, with `units`, Adam for all weights.

    `ridge` weighs the squared coefficients against the mean log likelihood. `start`, a model of the same inputs, saves
    most of the steps. With `only` the model is linear and uses this one input.
    """
    columns = slice(None) if only is None else [names.index(only)]
    used = replace(choice_sets, inputs=np.ascontiguousarray(choice_sets.inputs[..., columns]))
    start_at = None if start is None else start.linear * choice_sets.scale / start.scale
    linear = np.zeros(len(names))
    linear[columns] = _fit_linear(used, ridge, start_at)
    hidden, bias, output = np.zeros((len(linear), 0)), np.zeros(0), np.zeros(0)
    if units:
        linear, hidden, bias, output = _fit_hidden_layer(choice_sets, linear, units, seed)
    mean, scale = choice_sets.mean, choice_sets.scale
    return ChoiceModel(tuple(names), mean, scale, linear, hidden, bias, output, UNCALIBRATED)


def fit_near(base: ChoiceModel, choice_sets: ChoiceSets, pull: float, start: ChoiceModel) -> ChoiceModel:
    """The most likely weights near those of `base`: `pull` weighs their squared distance against the mean likelihood.

    The standardisation and the hidden units of `base` stay, so the problem is convex and the weights of both models
    have one meaning: the linear part, and the output of each unit. `start` is a model between whose weights and the
    result there are few steps, of the same base.
    """
    z = choice_sets.inputs - base.mean.astype(np.float32)
    z /= base.scale.astype(np.float32)
    np.clip(z, -CLIP, CLIP, out=z)
    active = np.maximum(z @ base.hidden.astype(np.float32) + base.bias.astype(np.float32), 0)
    extended = np.concatenate([z, active], axis=2)
    n_features = extended.shape[2]
    sets = StandardChoiceSets(
        extended, choice_sets.log_weight, choice_sets.value, np.zeros(n_features), np.ones(n_features)
    )
    centre, start_at = (np.concatenate([model.linear, model.output]) for model in (base, start))
    weights = _fit_linear(sets, pull, start_at, centre)
    return replace(base, linear=weights[: len(base.linear)], output=weights[len(base.linear) :])


def log_likelihoods(model: ChoiceModel, choice_sets: StandardChoiceSets) -> NDArray[np.float32]:
    """(n_requests,) log probability of the chosen post times its value.

    The model must have been fitted on choice sets of the same mean and scale.
    """
    weights = [w.astype(np.float32) for w in (model.linear, model.hidden, model.bias, model.output)]
    _, _, log_chosen = _forward(choice_sets, *weights)
    weighted: NDArray[np.float32] = choice_sets.value * log_chosen
    return weighted


def _fit_linear(
    choice_sets: StandardChoiceSets,
    ridge: float,
    start: NDArray[np.float64] | None,
    centre: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """The coefficients of the largest penalised likelihood; `ridge` weighs their squared distance to `centre`.

    Inputs are correlated (such as the counters of two half-lives). So the search uses coordinates in which the
    likelihood has the same curvature in every direction. It then converges in a third of the steps.
    """
    z, n_features = choice_sets.inputs, choice_sets.inputs.shape[2]
    flat = z.reshape(-1, n_features)
    chosen = (choice_sets.value @ z[:, 0]).astype(np.float64)

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        utility = (flat @ w.astype(np.float32)).reshape(choice_sets.log_weight.shape)
        share, log_chosen = _softmax(utility + choice_sets.log_weight)
        expected = ((share * choice_sets.value[:, None]).ravel() @ flat).astype(np.float64)
        away = w - centre
        gradient = (expected - chosen) / len(choice_sets) + 2 * ridge * away
        return float(-(choice_sets.value @ log_chosen) / len(choice_sets) + ridge * away @ away), gradient

    if start is None:  # the curvature is only valid near the optimum
        zero = np.zeros(n_features)
        start = _minimise(loss, zero, _curvature(choice_sets, zero, ridge), _FIRST_STEPS)
    return _minimise(loss, start, _curvature(choice_sets, start, ridge), _MAX_STEPS)


def _minimise(
    loss: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]],
    start: NDArray[np.float64],
    curvature: NDArray[np.float64],
    steps: int,
) -> NDArray[np.float64]:
    """L-BFGS on a loss with its gradient, in coordinates that make `curvature` the identity."""
    root = cholesky(curvature, lower=True)

    def transformed(v: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = loss(solve_triangular(root, v, lower=True, trans=1))
        return value, solve_triangular(root, gradient, lower=True)

    fitted = minimize(
        transformed, root.T @ start, jac=True, method="L-BFGS-B", options={"maxiter": steps, "ftol": 1e-6}
    )
    coefficients: NDArray[np.float64] = solve_triangular(root, fitted.x, lower=True, trans=1)
    return coefficients


def _curvature(choice_sets: StandardChoiceSets, w: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """(n_features, n_features) second derivative of the loss at `w`, from some choice sets; positive definite."""
    some = choice_sets[:: max(1, len(choice_sets) // _MAX_CURVATURE_SETS)]
    z, n_features = some.inputs, len(w)
    share, _ = _softmax(z @ w.astype(np.float32) + some.log_weight)
    centred = z - np.einsum("ij,ijk->ik", share, z)[:, None]
    centred *= np.sqrt(share * some.value[:, None])[..., None]
    flat = centred.reshape(-1, n_features)
    curvature: NDArray[np.float64] = (flat.T @ flat).astype(np.float64) / len(some)
    rounding = 1e-5 * float(np.trace(curvature)) + 1e-9
    curvature[np.diag_indices(n_features)] += 2 * ridge + rounding
    return curvature


def _softmax(u: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shares (n_requests, n_candidates), and the log share of the first candidate, which is the chosen one."""
    u = u - u.max(axis=1, keepdims=True)
    share = np.exp(u)
    total = share.sum(axis=1, keepdims=True)
    return share / total, u[:, 0] - np.log(total[:, 0])


def _fit_hidden_layer(
    choice_sets: StandardChoiceSets, linear: NDArray[np.float64], units: int, seed: int
) -> tuple[NDArray[np.float64], ...]:
    """Fit all weights with Adam (Kingma & Ba 2015) and weight decay, starting from a linear fit.

    Returns linear, hidden, bias, output.

    The learning rate rises at first, because random hidden units would disturb the fitted linear part. Then it falls
    by a cosine (Loshchilov & Hutter 2017).
    """
    random = np.random.default_rng(seed)
    n_requests, _, n_features = choice_sets.inputs.shape
    hidden = random.normal(size=(n_features, units)) / np.sqrt(n_features)
    output = random.normal(size=units) * 0.1 / np.sqrt(units)
    weights = [w.astype(np.float32) for w in (linear, hidden, np.zeros(units), output)]
    means, squares = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    n_batches = max(1, n_requests // _BATCH_SIZE)
    batches = [
        batch for _ in range(_EPOCHS) for batch in np.array_split(random.permutation(n_requests), n_batches)
    ]
    for step, batch in enumerate(batches):
        warm_up = min(1.0, (step + 1) / (_WARM_UP_SHARE * len(batches)))
        rate = _LEARNING_RATE * warm_up * 0.5 * (1 + np.cos(np.pi * step / len(batches)))
        for i, gradient in enumerate(_gradients(choice_sets[batch], *weights)):
            gradient = gradient + _WEIGHT_DECAY * weights[i]
            means[i] = 0.9 * means[i] + 0.1 * gradient
            squares[i] = 0.999 * squares[i] + 0.001 * gradient**2
            square = squares[i] / (1 - 0.999 ** (step + 1))
            direction = means[i] / (1 - 0.9 ** (step + 1)) / (np.sqrt(square) + 1e-8)
            weights[i] = weights[i] - np.float32(rate) * direction
    return tuple(w.astype(np.float64) for w in weights)


def _forward(choice_sets: StandardChoiceSets, *weights: Weights) -> tuple[Weights, Weights, Weights]:
    """Activations of the hidden units, shares as in `_softmax`, and the log share of each chosen post."""
    linear, hidden, bias, output = weights
    x = choice_sets.inputs.reshape(-1, len(linear))
    active = x @ hidden
    active += bias
    np.maximum(active, 0, out=active)
    utility = (active @ output + x @ linear).reshape(choice_sets.log_weight.shape)
    return active, *_softmax(utility + choice_sets.log_weight)


def _gradients(batch: StandardChoiceSets, *weights: Weights) -> list[Weights]:
    """Gradients of the mean negative log likelihood with respect to linear, hidden, bias and output."""
    x, output = batch.inputs.reshape(-1, len(weights[0])), weights[3]
    active, share, _ = _forward(batch, *weights)
    share[:, 0] -= 1
    share *= batch.value[:, None] / len(batch)
    by_utility = share.ravel()
    by_unit = by_utility[:, None] * output
    by_unit *= active > 0
    return [by_utility @ x, x.T @ by_unit, np.ones_like(by_utility) @ by_unit, by_utility @ active]
