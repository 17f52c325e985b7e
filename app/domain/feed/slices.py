"""Long changes of a feed state, in steps between which rankings run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Writing = Callable[[], AbstractContextManager[object]]
"""Makes a context in which one step of a change may change what rankings read."""
ENTRIES_PER_STEP: Final = 5000
"""Of lists that one step writes: bounds the time that rankings wait, to a fraction of a millisecond."""


def slices(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """`items` in order, at most `size` at once."""
    return (items[start : start + size] for start in range(0, len(items), size))


def slices_by_size(sizes: NDArray[np.integer[Any]]) -> Iterator[slice]:
    """Slices of lists, in order, whose `sizes` (n,) add up to ENTRIES_PER_STEP at most; a longer list is alone."""
    ends = sizes.cumsum()
    start = 0
    while start < len(sizes):
        before = int(ends[start] - sizes[start])
        stop = max(start + 1, int(np.searchsorted(ends, before + ENTRIES_PER_STEP, side="right")))
        yield slice(start, stop)
        start = stop
