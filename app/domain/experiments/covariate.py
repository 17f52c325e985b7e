"""CUPED: what users did before the experiment explains a part of the variance of what they do in it.

Deng, Xu, Kohavi and Walker (2013), "Improving the sensitivity of online controlled experiments by utilizing
pre-experiment data".
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def adjusted(values: Values, before: Values) -> Values:
    """(n,) `values` of all users of an experiment without the part that `before` explains, with the same mean.

    `before` (n,) are the values of the same users from before their first exposure; NaN for a user without a history,
    who gets the mean of the others. The regression is over all variants together, so it favours none.
    """
    known = np.isfinite(before)
    if known.sum() < 2:
        return values
    filled = np.where(known, before, before[known].mean())
    deviation = filled - filled.mean()
    variance = deviation @ deviation
    if variance == 0:
        return values
    slope = deviation @ (values - values.mean()) / variance
    result: Values = values - slope * deviation
    return result
