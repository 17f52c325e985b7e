"""Fitting the conditional logit to what was chosen.

Choice sets are sampled, so each candidate stands for as many as its sampling rate says (log weight inside the softmax;
without that, hard negatives teach that hot is bad).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from app.domain.ranking.choice_model import UNCALIBRATED, ChoiceModel
from training.learning.candidate_sets import StandardChoiceSets

_CURVED = 1000  # choice sets that show the curvature of the likelihood
_STEPS = 60  # of L-BFGS, at most
_RISING = 0.05  # of Adam's steps


def fit_choice_model(
    names: Sequence[str],
    choice_sets: StandardChoiceSets,
    *,
    ridge: float = 1e-3,
    units: int = 0,
    only: str | None = None,
    start: ChoiceModel | None = None,
    epochs: int = 8,
    seed: int = 0,
) -> ChoiceModel:
    """Maximum penalised likelihood: L-BFGS on the exact gradient for the linear part, then, if `units`, Adam on all.

    `ridge` is the weight of the squared coefficients against the mean log likelihood. `start`, a model of the same
    inputs, saves most of the steps. `only`: a linear model of this input, all others counting for nothing.
    """
    if only is not None:
        linear = _linear_in(names.index(only), choice_sets, ridge)
    else:
        linear = _linear(
            choice_sets, ridge, None if start is None else start.linear * choice_sets.scale / start.scale
        )
    hidden, bias, output = np.zeros((len(linear), 0)), np.zeros(0), np.zeros(0)
    if units:
        linear, hidden, bias, output = _with_hidden_layer(choice_sets, linear, units, epochs, seed)
    return ChoiceModel(
        tuple(names),
        choice_sets.mean,
        choice_sets.scale,
        linear,
        hidden,
        bias,
        output,
        UNCALIBRATED,
    )


def log_likelihoods(model: ChoiceModel, choice_sets: StandardChoiceSets) -> NDArray[np.float32]:
    """(n_requests,) log probability of the chosen post times its value, by a model fitted on choice sets of the
    same mean and scale."""
    z = choice_sets.inputs.reshape(-1, len(model.linear))
    utility = z @ model.linear.astype(np.float32)
    if len(model.output):
        active = np.maximum(z @ model.hidden.astype(np.float32) + model.bias.astype(np.float32), 0)
        utility += active @ model.output.astype(np.float32)
    _, log_chosen = _softmax(utility.reshape(choice_sets.log_weight.shape) + choice_sets.log_weight)
    worth: NDArray[np.float32] = choice_sets.value * log_chosen
    return worth


def _linear_in(column: int, choice_sets: StandardChoiceSets, ridge: float) -> NDArray[np.float64]:
    """The coefficients of the best model of one input: 0 for all others."""
    alone = replace(
        choice_sets,
        inputs=np.ascontiguousarray(choice_sets.inputs[..., [column]]),
        mean=choice_sets.mean[[column]],
        scale=choice_sets.scale[[column]],
    )
    linear = np.zeros(len(choice_sets.mean))
    linear[column] = _linear(alone, ridge, None)[0]
    return linear


def _linear(
    choice_sets: StandardChoiceSets, ridge: float, start: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """The coefficients that explain the choice sets best.

    The inputs lean on one another (a heat and its neighbour half-life), so the search runs in coordinates in which the
    likelihood bends alike in every direction: a third of the steps, and they arrive.
    """
    z, n_features = choice_sets.inputs, choice_sets.inputs.shape[2]
    flat = z.reshape(-1, n_features)
    chosen = (choice_sets.value @ z[:, 0]).astype(np.float64)

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        utility = (flat @ w.astype(np.float32)).reshape(choice_sets.log_weight.shape)
        share, log_chosen = _softmax(utility + choice_sets.log_weight)
        expected = ((share * choice_sets.value[:, None]).ravel() @ flat).astype(np.float64)
        gradient = (expected - chosen) / len(choice_sets) + 2 * ridge * w
        return float(-(choice_sets.value @ log_chosen) / len(choice_sets) + ridge * w @ w), gradient

    if start is None:  # where it bends is known only near the end
        start = _descended(
            loss, np.zeros(n_features), _curvature(choice_sets, np.zeros(n_features), ridge), 8
        )
    return _descended(loss, start, _curvature(choice_sets, start, ridge), _STEPS)


def _descended(
    loss: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]],
    start: NDArray[np.float64],
    curvature: NDArray[np.float64],
    steps: int,
) -> NDArray[np.float64]:
    """L-BFGS on a loss with its gradient, in coordinates that make `curvature` the identity."""
    root = cholesky(curvature, lower=True)

    def turned(v: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = loss(solve_triangular(root, v, lower=True, trans=1))
        return value, solve_triangular(root, gradient, lower=True)

    fitted = minimize(
        turned, root.T @ start, jac=True, method="L-BFGS-B", options={"maxiter": steps, "ftol": 1e-6}
    )
    found: NDArray[np.float64] = solve_triangular(root, fitted.x, lower=True, trans=1)
    return found


def _curvature(choice_sets: StandardChoiceSets, w: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """(n_features, n_features) second derivative of the loss at `w`, of some of the choice sets; positive definite."""
    some = choice_sets[:: max(1, len(choice_sets) // _CURVED)]
    z, n_features = some.inputs, len(w)
    share, _ = _softmax(z @ w.astype(np.float32) + some.log_weight)
    centred = z - np.einsum("ij,ijk->ik", share, z)[:, None]
    centred *= np.sqrt(share * some.value[:, None])[..., None]
    flat = centred.reshape(-1, n_features)
    bent: NDArray[np.float64] = (flat.T @ flat).astype(np.float64) / len(some)
    rounding = 1e-5 * float(np.trace(bent)) + 1e-9
    bent[np.diag_indices(n_features)] += 2 * ridge + rounding
    return bent


def _softmax(u: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shares (n_requests, n_candidates), and the log share of the chosen, first one."""
    u = u - u.max(axis=1, keepdims=True)
    share = np.exp(u)
    total = share.sum(axis=1, keepdims=True)
    return share / total, u[:, 0] - np.log(total[:, 0])


def _with_hidden_layer(
    choice_sets: StandardChoiceSets,
    linear: NDArray[np.float64],
    units: int,
    epochs: int,
    seed: int,
    decay: float = 1e-3,
    rate: float = 1e-2,
    batch: int = 64,
) -> tuple[NDArray[np.float64], ...]:
    """Adam (Kingma & Ba 2015) from the linear fit. Returns linear, hidden, bias, output.

    The rate rises over the first steps, as the hidden layer is still noise to a linear part that is well fitted, and
    falls by a cosine from there (Loshchilov & Hutter 2017).
    """
    random = np.random.default_rng(seed)
    z = choice_sets.inputs
    n_requests, n_candidates, n_features = z.shape
    weights = [
        linear.astype(np.float32),
        (random.normal(size=(n_features, units)) / np.sqrt(n_features)).astype(np.float32),
        np.zeros(units, np.float32),
        (random.normal(size=units) * 0.1 / np.sqrt(units)).astype(np.float32),
    ]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    batches = max(1, n_requests // batch)
    step, last = 0, epochs * batches
    for _ in range(epochs):
        for some in np.array_split(random.permutation(n_requests), batches):
            pace = rate * min(1.0, (step + 1) / (_RISING * last)) * 0.5 * (1 + np.cos(np.pi * step / last))
            x = z[some].reshape(-1, n_features)
            w, hidden, bias, output = weights
            active = x @ hidden
            active += bias
            np.maximum(active, 0, out=active)
            utility = (active @ output + x @ w).reshape(-1, n_candidates)
            share, _ = _softmax(utility + choice_sets.log_weight[some])
            share[:, 0] -= 1
            share *= choice_sets.value[some][:, None] / len(some)
            blame = share.ravel()
            back = blame[:, None] * output
            back *= active > 0
            gradients = [blame @ x, x.T @ back, np.ones_like(blame) @ back, blame @ active]
            step += 1
            for i, gradient in enumerate(gradients):
                gradient = gradient + decay * weights[i]
                first[i] = 0.9 * first[i] + 0.1 * gradient
                second[i] = 0.999 * second[i] + 0.001 * gradient**2
                towards = first[i] / (1 - 0.9**step) / (np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8)
                weights[i] = weights[i] - np.float32(pace) * towards
    return tuple(w.astype(np.float64) for w in weights)
