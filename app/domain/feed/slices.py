"""Long changes of a feed state, in steps between which rankings run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

Item = TypeVar("Item")
Writing = Callable[[], AbstractContextManager[object]]
"""Makes a context in which one step of a change may change what rankings read."""


def slices(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """`items` in order, at most `size` at once."""
    return (items[start : start + size] for start in range(0, len(items), size))
