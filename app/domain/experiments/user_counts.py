"""What the users of an experiment did: one value a user and metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

POSTS: Final = "post"
"""The metric that counts the posts on a user's pages."""
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class UserCounts:
    """What users did in the days from their first page on, in order of their first day.

    variants  (n,) names
    first     (n,) datetime64[D]: day of the first page in the experiment
    before    (n,) counts of the primary metric in as many days before; NaN for users without any earlier event
    counts    by metric (n,) counts in the window
    mixed     number of other users, who had more than one variant
    """

    variants: NDArray[np.str_]
    first: NDArray[np.datetime64]
    before: Values
    counts: Mapping[str, Values]
    mixed: int
