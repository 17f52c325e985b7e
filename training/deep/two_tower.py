"""A two-tower model: the vector of a post from its text, author and tags, and that of a user from the newest posts."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MAX_HISTORY: Final = 50
"""The newest events of a user whose posts give the user's vector."""
MAX_TAGS: Final = 4
"""The first tags of a post that the model reads."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PostContent:
    """What the model reads of posts.

    text    (n_posts, d_text) float32 text vectors
    author  (n_posts,) rows of the author table, -1 unknown; later rows than a model's are unknown to it
    tags    (n_posts, MAX_TAGS) rows of the tag table, in the same way; -1 none
    """

    text: Floats
    author: NDArray[np.intp]
    tags: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.author)

    def take(self, rows: NDArray[np.integer[Any]]) -> "PostContent":
        """The content of some posts."""
        return PostContent(self.text[rows], self.author[rows], self.tags[rows])


@dataclass(frozen=True, slots=True, eq=False)
class TwoTower:
    """The weights of both towers, float32; d is the length of a vector.

    text       (d_text, d)
    author     (n_authors, d); zero for an author without a training example
    tag        (n_tags, d)
    bias       (d,)
    hidden     (d, h), hidden_bias (h,), output (h, d): a residual layer of ReLU units
    user       (d, d), user_bias (d,): from the mean vector of the newest posts to the vector of the user
    log_scale  () log of the factor that makes a cosine a logit
    """

    text: Floats
    author: Floats
    tag: Floats
    bias: Floats
    hidden: Floats
    hidden_bias: Floats
    output: Floats
    user: Floats
    user_bias: Floats
    log_scale: Floats

    def with_rows(self, n_authors: int, n_tags: int) -> "TwoTower":
        """The model with zero for further authors and tags, so many in all."""
        author, tag = (
            np.pad(table, ((0, max(rows - len(table), 0)), (0, 0)))
            for table, rows in ((self.author, n_authors), (self.tag, n_tags))
        )
        return replace(self, author=author, tag=tag)

    def post_vectors(self, posts: PostContent) -> Floats:
        """(n_posts, d) vectors of length 1."""
        x = posts.text @ self.text + self.bias
        x += _rows_or_zero(self.author, posts.author)
        n_tags = np.maximum((posts.tags >= 0).sum(axis=1), 1)[:, None].astype(np.float32)
        x += _rows_or_zero(self.tag, posts.tags).sum(axis=1) / n_tags
        return _unit(x + np.maximum(x @ self.hidden + self.hidden_bias, 0) @ self.output)

    def user_vector(self, history: Floats) -> Floats:
        """(d,) vector of length 1 of the user who engaged with posts of the vectors `history` (n, d), n may be 0."""
        newest = history[-MAX_HISTORY:]
        mean = newest.sum(axis=0) / np.float32(max(len(newest), 1))
        return _unit(mean + mean @ self.user + self.user_bias)

    def logits(self, history: Floats, posts: Floats) -> Floats:
        """(n_posts,) log odds, up to a constant, that the user engages with each of the post vectors `posts`."""
        logits: Floats = posts @ self.user_vector(history) * np.exp(self.log_scale)
        return logits


def _rows_or_zero(table: Floats, rows: NDArray[np.intp]) -> Floats:
    """Rows of a table; zero for -1 and for rows that came after its fit."""
    if not len(table):
        return np.zeros((*rows.shape, table.shape[1]), np.float32)
    found: Floats = table[rows.clip(0, len(table) - 1)] * ((rows >= 0) & (rows < len(table)))[..., None]
    return found


def _unit(vectors: NDArray[np.floating[Any]]) -> Floats:
    lengths = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    unit: Floats = (vectors / (lengths + 1e-6)).astype(np.float32)
    return unit
