"""What the users of an interleaving experiment did with the posts of each ranking."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class UserCredits:
    """What users did in the days from their first page on, in order of their first day.

    first    (n,) datetime64[D]: day of the first page in the experiment
    pages    (n,) pages in the window
    control  (n,) events of the primary metric in the window, with posts that the control's ranking drafted
    variant  (n,) the same of the variant's ranking
    """

    first: NDArray[np.datetime64]
    pages: Values
    control: Values
    variant: Values
