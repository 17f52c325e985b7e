"""A tree of named arrays: the form of a feed state in a snapshot."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar, Union

import numpy as np
from numpy.typing import DTypeLike, NDArray

from app.domain.feed.dataset import KEY_DTYPE

T = TypeVar("T")
_ITEMS_PER_STEP: Final = (
    20_000  # Python objects that are converted at once: other threads run between two steps
)


@dataclass(frozen=True, slots=True, eq=False)
class Concatenated:
    """One array, given as arrays that follow each other along the first axis. `shape` is that of an empty one."""

    arrays: Sequence[NDArray[Any]]
    dtype: np.dtype[Any]
    shape: tuple[int, ...] = (0,)

    @property
    def whole_shape(self) -> tuple[int, ...]:
        """The shape of all arrays together."""
        return (sum(map(len, self.arrays)), *self.shape[1:])


ArrayTree = Mapping[str, Union[NDArray[Any], Concatenated, "Late", "ArrayTree"]]
"""Arrays by name, and groups of them."""
Late = Callable[[], NDArray[Any] | Concatenated | ArrayTree]
"""What is computed after the state was read. It reads only what no later change of the state alters."""


def key_array(keys: Iterable[bytes]) -> NDArray[np.void]:
    """(n,) UUIDs (V16) of UUID bytes."""
    joined = b"".join([b"".join(some) for some in _in_steps(keys)])
    return np.frombuffer(joined, KEY_DTYPE)


def number_array(numbers: Iterable[int]) -> NDArray[np.int64]:
    """(n,) int64 of Python numbers."""
    return np.concatenate([np.empty(0, np.int64), *(np.array(some, np.int64) for some in _in_steps(numbers))])


def text_arrays(texts: Iterable[str | None]) -> ArrayTree:
    """Texts as UTF-8 and their lengths in bytes, -1 for None (see `texts_from_arrays`)."""
    lengths, utf8 = [np.empty(0, np.int32)], []
    for some in _in_steps(texts):
        encoded = [None if text is None else text.encode() for text in some]
        lengths.append(np.array([-1 if one is None else len(one) for one in encoded], np.int32))
        utf8.append(b"".join(one for one in encoded if one))
    return {"length": np.concatenate(lengths), "utf8": np.frombuffer(b"".join(utf8), np.uint8)}


def texts_from_arrays(saved: ArrayTree) -> list[str | None]:
    """The inverse of `text_arrays`. Raises ValueError."""
    lengths, utf8 = array_of(saved, "length", np.int32), array_of(saved, "utf8", np.uint8).tobytes()
    check(bool((lengths >= -1).all()), "a text has a negative length")
    end = lengths.clip(0).cumsum(dtype=np.int64)
    check(int(end[-1] if len(end) else 0) == len(utf8), "the texts have another length than their sum")
    start = [0, *end.tolist()]
    return [
        None if length < 0 else utf8[begin : begin + length].decode()
        for begin, length in zip(start, lengths.tolist(), strict=False)
    ]


def known_texts_from_arrays(saved: ArrayTree) -> list[str]:
    """As `texts_from_arrays`, without None."""
    texts = [text for text in texts_from_arrays(saved) if text is not None]
    check(len(texts) == len(array_of(saved, "length", np.int32)), "a text is missing")
    return texts


def array_of(tree: ArrayTree, name: str, dtype: DTypeLike, dimensions: int = 1) -> NDArray[Any]:
    """The array of a name. Raises ValueError unless it is there, with this dtype and number of dimensions."""
    array = tree.get(name)
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype) or array.ndim != dimensions:
        raise ValueError(f"{name}: no array of {dimensions} dimensions and type {np.dtype(dtype)}")
    return array


def number_of(tree: ArrayTree, name: str) -> int:
    """A whole number that is stored as an array without dimensions. Raises ValueError if it is absent or negative."""
    number = int(array_of(tree, name, np.int64, 0))
    check(number >= 0, f"{name}: {number} is negative")
    return number


def group_of(tree: ArrayTree, name: str) -> ArrayTree:
    """The group of a name. Raises ValueError if there is none."""
    group = tree.get(name)
    if not isinstance(group, Mapping):
        raise ValueError(f"{name}: no group of arrays")
    return group


def check(is_valid: bool, problem: str) -> None:
    """Raise ValueError with `problem` unless `is_valid`."""
    if not is_valid:
        raise ValueError(problem)


def check_range(values: NDArray[Any], low: int, high: int, name: str) -> None:
    """Raise ValueError unless all values are in `low`..`high` - 1."""
    if len(values):
        check(low <= values.min() and values.max() < high, f"{name}: not all in {low}..{high - 1}")


def _in_steps(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while step := list(islice(iterator, _ITEMS_PER_STEP)):
        yield step
