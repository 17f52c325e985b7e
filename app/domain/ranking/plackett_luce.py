"""Pages that are drawn at random from a ranking (Plackett-Luce), so that other rankings can be evaluated on them.

Each place gets one of the posts that are left, with a probability in proportion to its worth: its score to the power of
1 / temperature. A low temperature keeps the order of the ranking, a high one forgets it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST_SCORE: Final = 1e-3
"""A post with a smaller part of the best score counts as one with this part."""
Values = NDArray[np.float64]


def log_worths(values: Values, temperature: float) -> Values:
    """(n,) logarithms of the worths of posts with the scores `values` (n,)."""
    best = values.max(initial=0.0)
    shares = values / best if best > 0 else np.ones(len(values))
    worths: Values = np.log(shares.clip(min=LEAST_SCORE)) / temperature
    return worths


def draw_order(worths: Values, rng: np.random.Generator) -> NDArray[np.intp]:
    """(n,) positions of posts with the log worths `worths` (n,) in a random order (Gumbel-max trick)."""
    return np.argsort(-(worths + rng.gumbel(size=len(worths))), kind="stable")


def place_probabilities(worths: Values) -> Values:
    """(n,) the probability of each place given those above it, of an order with the log worths `worths` (n,)."""
    of_rest = np.logaddexp.accumulate(worths[::-1])[::-1]
    probabilities: Values = np.exp(worths - of_rest)
    return probabilities
