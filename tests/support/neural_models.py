"""Neural models with random weights, in place of fits."""

import numpy as np

from training.deep.two_tower import TwoTower


def random_towers(d_text: int, n_authors: int, n_tags: int, d: int, seed: int = 0) -> TwoTower:
    """A two-tower model of these sizes."""
    random = np.random.default_rng(seed)
    shapes = [(d_text, d), (n_authors, d), (n_tags, d), (d,), (d, 8), (8,), (8, d), (d, d), (d,), ()]
    return TwoTower(*(np.asarray(random.normal(size=shape), np.float32) for shape in shapes))
