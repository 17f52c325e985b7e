"""Whether the variants have as many users as their shares say: else something loses users of one of them.

The sequential multinomial test of Lindon and Malek (2022), "Anytime-valid inference for multinomial count data": a
Bayes factor against a Dirichlet prior around the shares. It may be read at any time.
"""

from collections.abc import Sequence
from math import exp, lgamma
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVEL: Final = 0.01
"""Probability that right shares ever raise an alarm."""
_CONCENTRATION: Final = 1000.0
"""Weight of the shares in the prior, in users: small deviations are found soonest with a large one."""


def sample_ratio_p_value(users: Sequence[int] | NDArray[np.int64], shares: Sequence[float]) -> float:
    """The smallest level at which the numbers of users (by variant) contradict the shares, of those so far; at most 1.

    Take the smallest value of all looks; the shares are relative to each other.
    """
    counts, expected = np.asarray(users, np.float64), np.asarray(shares, np.float64)
    expected = expected / expected.sum()
    prior = _CONCENTRATION * expected
    log_evidence = lgamma(prior.sum()) - lgamma(prior.sum() + counts.sum())
    log_evidence += sum(map(lgamma, prior + counts)) - sum(map(lgamma, prior))
    log_evidence -= float(counts @ np.log(expected))
    return exp(min(0.0, -log_evidence))
