"""Fits the two-tower model by a sampled softmax with the log-q correction (Yi et al. 2019), on one CPU thread.

The posts of a batch are the sample. A popular post is in the sample more often, so each logit is reduced by the log of
the post's share of the window. Without this the model learns that popular posts are bad.
"""

from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

import numpy as np

from training.deep.engagements import Engagements, ExampleBatch
from training.deep.requirements import check_requirements
from training.deep.two_tower import PostContent, TwoTower

_IMPOSSIBLE = -1e9


@dataclass(frozen=True, slots=True)
class TowerOptions:
    """The size of the model and of its training.

    author_dropout  share of posts whose author is hidden in a step, so that posts of new authors are learned too
    """

    dimensions: int = 32
    units: int = 64
    epochs: int = 3
    batch_size: int = 512
    learning_rate: float = 5e-3
    weight_decay: float = 1e-4
    author_dropout: float = 0.2
    seed: int = 0


def fit_two_tower(
    engagements: Engagements,
    posts: PostContent,
    n_authors: int,
    n_tags: int,
    first: int,
    last: int,
    options: TowerOptions,
    start: TwoTower | None = None,
) -> TwoTower:
    """The model of the examples `first` to `last`, from `start` or from random weights.

    There is at least one example, and `posts` holds every post that the examples name. Raises ConfigurationError
    without JAX.
    """
    check_requirements()
    import jax

    random = np.random.default_rng(options.seed + last)
    size = min(options.batch_size, last - first)
    n_steps = options.epochs * (last - first) // size
    update, begin = _steps(options.weight_decay)
    weights = asdict(start) if start else _random_weights(posts.text.shape[1], n_authors, n_tags, options)
    weights = jax.tree.map(np.asarray, weights)
    state = begin(weights)
    batches = (
        batch for _ in range(options.epochs) for batch in engagements.batches(first, last, size, random)
    )
    for step, batch in enumerate(batches):
        rate = options.learning_rate * 0.5 * (1 + np.cos(np.pi * step / n_steps))
        arrays = _padded(batch, posts, random.random(len(batch.posts)) >= options.author_dropout)
        weights, state = update(weights, state, arrays, np.float32(rate))
    return TwoTower(**{field.name: np.asarray(weights[field.name]) for field in fields(TwoTower)})


def _random_weights(d_text: int, n_authors: int, n_tags: int, options: TowerOptions) -> dict[str, Any]:
    random = np.random.default_rng(options.seed)
    d, h = options.dimensions, options.units

    def normal(rows: int, columns: int) -> Any:
        return (random.normal(size=(rows, columns)) / np.sqrt(max(rows, 1))).astype(np.float32)

    return {
        "text": normal(d_text, d),
        "author": np.zeros((max(n_authors, 1), d), np.float32),
        "tag": normal(max(n_tags, 1), d) * np.float32(np.sqrt(max(n_tags, 1)) * 0.1),
        "bias": np.zeros(d, np.float32),
        "hidden": normal(d, h),
        "hidden_bias": np.zeros(h, np.float32),
        "output": normal(h, d) * np.float32(0.1),
        "user": np.zeros((d, d), np.float32),
        "user_bias": np.zeros(d, np.float32),
        "log_scale": np.float32(np.log(8.0)),
    }


def _padded(batch: ExampleBatch, posts: PostContent, knows_author: Any) -> dict[str, Any]:
    """The arrays of a step. The posts are padded to a power of two, because each shape is compiled once."""
    n = len(batch.posts)
    room = max(1 << (n - 1).bit_length(), 1024) - n
    content = posts.take(batch.posts)
    return {
        "text": np.pad(content.text, ((0, room), (0, 0))),
        "author": np.pad(np.where(knows_author, content.author, -1), (0, room), constant_values=-1).astype(
            np.int32
        ),
        "tags": np.pad(content.tags, ((0, room), (0, 0)), constant_values=-1).astype(np.int32),
        "target": batch.target.astype(np.int32),
        "history": batch.history.astype(np.int32),
        "log_share": batch.log_share,
    }


@cache
def _steps(weight_decay: float) -> tuple[Any, Any]:
    """The compiled step of Adam with decoupled weight decay (Loshchilov & Hutter 2019), and the start of its state."""
    import jax
    import jax.numpy as jnp
    import optax

    optimiser = optax.adamw(1.0, weight_decay=weight_decay)

    def rows_or_zero(table: Any, rows: Any) -> Any:
        return table[jnp.maximum(rows, 0)] * (rows >= 0)[..., None]

    def unit(vectors: Any) -> Any:
        return vectors / (jnp.sqrt((vectors**2).sum(-1, keepdims=True) + 1e-12) + 1e-6)

    def loss(weights: Any, batch: Any) -> Any:
        x = batch["text"] @ weights["text"] + weights["bias"]
        x += rows_or_zero(weights["author"], batch["author"])
        n_tags = jnp.maximum((batch["tags"] >= 0).sum(1), 1)[:, None]
        x += rows_or_zero(weights["tag"], batch["tags"]).sum(1) / n_tags
        layer = jax.nn.relu(x @ weights["hidden"] + weights["hidden_bias"]) @ weights["output"]
        vectors = unit(x + layer)
        history, target = batch["history"], batch["target"]
        length = jnp.maximum((history >= 0).sum(1), 1)[:, None]
        mean = rows_or_zero(vectors, history).sum(1) / length
        users = unit(mean + mean @ weights["user"] + weights["user_bias"])
        logits = users @ vectors[target].T * jnp.exp(weights["log_scale"]) - batch["log_share"]
        same = (target[:, None] == target[None]) & ~jnp.eye(len(target), dtype=bool)
        logits = jnp.where(same, _IMPOSSIBLE, logits)
        return -jnp.diagonal(jax.nn.log_softmax(logits)).mean()

    def update(weights: Any, state: Any, batch: Any, rate: Any) -> tuple[Any, Any]:
        gradients = jax.grad(loss)(weights, batch)
        changes, state = optimiser.update(gradients, state, weights)
        return jax.tree.map(lambda weight, change: weight + rate * change, weights, changes), state

    return jax.jit(update), optimiser.init
