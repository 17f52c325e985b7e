"""Hashes that select requests and break ties: the same on every machine."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def hash_keys(keys: NDArray[Any]) -> NDArray[np.uint64]:
    """(n,) hashes of 16-byte keys."""
    high, low = keys.view(">u8").reshape(-1, 2).astype(np.uint64).T
    return mix(high ^ mix(low))


def mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014): a bijection with random-looking values."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
