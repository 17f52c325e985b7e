"""NeuMF (arXiv 1708.05031): neural collaborative filtering of user and post numbers, a reference in evaluations."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from training.deep.requirements import check_requirements

_NEGATIVES: Final = 4
"""Posts drawn for each engagement, as in the paper."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NcfOptions:
    """The size of the model and of its training; the layers of the perceptron have d, d / 2 and d / 4 units."""

    dimensions: int = 16
    epochs: int = 10
    batch_size: int = 2048
    learning_rate: float = 5e-3
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class NeuralCf:
    """Factors of users and posts for a product and for a perceptron, and the weights that join both, float32.

    user, post      (n, 2 d): the first d for the product, the others for the perceptron
    layers          (inputs, units) and (units,) of each layer of the perceptron
    output          (d + units of the last layer,)
    """

    user: Floats
    post: Floats
    layers: tuple[tuple[Floats, Floats], ...]
    output: Floats

    def scores(self, user: int) -> NDArray[np.float64]:
        """(n_posts,) probabilities that the user engages with each post."""
        d = self.user.shape[1] // 2
        of_user = np.broadcast_to(self.user[user], self.post.shape)
        hidden = np.concatenate([of_user[:, d:], self.post[:, d:]], axis=1)
        for weights, bias in self.layers:
            hidden = np.maximum(hidden @ weights + bias, 0)
        joined = np.concatenate([of_user[:, :d] * self.post[:, :d], hidden], axis=1)
        probabilities: NDArray[np.float64] = expit((joined @ self.output).astype(np.float64))
        return probabilities


def fit_ncf(user: NDArray[np.integer[Any]], post: NDArray[np.integer], options: NcfOptions) -> NeuralCf:
    """The model of engagements (n,) of users with posts. Raises ConfigurationError without JAX."""
    check_requirements()
    import jax

    n_users, n_posts = int(user.max()) + 1, int(post.max()) + 1
    random = np.random.default_rng(options.seed)
    update, begin = _steps(options)
    weights = _random_weights(n_users, n_posts, options, random)
    state = begin(weights)
    size = min(options.batch_size, len(user))
    for _ in range(options.epochs):
        order = random.permutation(len(user))
        for start in range(0, len(order) - size + 1, size):
            drawn = order[start : start + size]
            users = np.repeat(user[drawn], _NEGATIVES + 1).reshape(size, -1)
            posts = random.integers(0, n_posts, users.shape)
            posts[:, 0] = post[drawn]
            weights, state = update(weights, state, users.astype(np.int32), posts.astype(np.int32))
    fitted = jax.tree.map(np.asarray, weights)
    return NeuralCf(fitted["user"], fitted["post"], tuple(map(tuple, fitted["layers"])), fitted["output"])


def _random_weights(
    n_users: int, n_posts: int, options: NcfOptions, random: np.random.Generator
) -> dict[str, Any]:
    def normal(*shape: int, scale: float) -> Floats:
        return (random.normal(size=shape) * scale).astype(np.float32)

    d = options.dimensions
    units = (2 * d, d, d // 2, d // 4)
    return {
        "user": normal(n_users, 2 * d, scale=0.1),
        "post": normal(n_posts, 2 * d, scale=0.1),
        "layers": [
            [normal(rows, columns, scale=np.sqrt(2 / rows)), np.zeros(columns, np.float32)]
            for rows, columns in pairwise(units)
        ],
        "output": normal(d + units[-1], scale=0.3),
    }


@cache
def _steps(options: NcfOptions) -> tuple[Any, Any]:
    """The compiled step of Adam on the log loss, and the start of its state."""
    import jax
    import jax.numpy as jnp
    import optax

    optimiser, d = optax.adam(options.learning_rate), options.dimensions

    def loss(weights: Any, users: Any, posts: Any) -> Any:
        of_user, of_post = weights["user"][users], weights["post"][posts]
        hidden = jnp.concatenate([of_user[..., d:], of_post[..., d:]], -1)
        for layer, bias in weights["layers"]:
            hidden = jax.nn.relu(hidden @ layer + bias)
        joined = jnp.concatenate([of_user[..., :d] * of_post[..., :d], hidden], -1)
        logits = joined @ weights["output"]
        return jax.nn.softplus(logits).mean() - logits[:, 0].sum() / logits.size

    def update(weights: Any, state: Any, users: Any, posts: Any) -> tuple[Any, Any]:
        gradients = jax.grad(loss)(weights, users, posts)
        changes, state = optimiser.update(gradients, state, weights)
        return optax.apply_updates(weights, changes), state

    return jax.jit(update), optimiser.init
