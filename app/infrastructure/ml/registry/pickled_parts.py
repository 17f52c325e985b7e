"""Makes the parts of an artefact of what its pickle contains: arrays of plain bytes and literal dtypes.

No state of numpy's, scipy's or scikit-learn's comes from the file. Errors contain no text and no number that was read.
"""

from collections.abc import Iterable
from itertools import chain
from math import prod
from types import NoneType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.infrastructure.ml.registry.pickle_reading import (
    DTYPE_NAMES,
    MalformedPart,
    PickledArray,
    PickledDtype,
    PickledEstimator,
    PickledMatrix,
)
from app.infrastructure.ml.stored_neighbours import StoredNeighbours

_DTYPES: Final = {name: np.dtype(name) for name in DTYPE_NAMES}
_PLAIN: Final = frozenset({NoneType, bool, int, float, str, bytes})
_KEYS: Final = frozenset({int, str, bytes})
_MAX_DEPTH: Final = 32
_BEING_READ: Final = object()


def _array(part: PickledArray) -> NDArray[Any]:
    buffer, dtype, shape, order = part.buffer, part.dtype, part.shape, part.order
    if not isinstance(buffer, bytes | bytearray) or type(dtype) is not PickledDtype:
        raise MalformedPart("an array is not made of bytes and a type")
    if type(shape) is not tuple or not all(type(one) is int and 0 <= one < 2**40 for one in shape):
        raise MalformedPart("an array has no valid shape")
    flat_type = _DTYPES[dtype.name]
    if len(shape) > 4 or prod(shape) * flat_type.itemsize != len(buffer):
        raise MalformedPart("an array has another size than its bytes")
    if order == "C":
        return np.frombuffer(buffer, flat_type).reshape(shape, order="C")
    if order == "F":
        return np.frombuffer(buffer, flat_type).reshape(shape, order="F")
    raise MalformedPart("an array has no valid order")


def _matrix(state: object) -> csr_array:
    data, indices, starts, shape = (_item(state, name) for name in ("data", "indices", "indptr", "_shape"))
    check_rows(data, indices, starts, shape)
    return csr_array((data, indices, starts), shape=shape)


def _neighbours(state: object) -> StoredNeighbours:
    count, matrix = _item(state, "n_neighbors"), _item(state, "_fit_X")
    if type(count) is not int or not 0 < count < 2**31:
        raise MalformedPart("the neighbour model has no valid n_neighbors")
    if type(matrix) is not csr_array:
        raise MalformedPart("the neighbour model has no matrix")
    if (_item(state, "algorithm"), _item(state, "metric")) != ("brute", "cosine"):
        raise MalformedPart("the neighbour model does not compare by cosine")
    return StoredNeighbours(count, matrix)


def check_rows(data: object, indices: object, starts: object, shape: object) -> None:
    """Raise MalformedPart unless these are a CSR matrix: scipy's native code trusts its indices."""
    if (
        type(shape) is not tuple
        or len(shape) != 2
        or not all(type(n) is int and 0 <= n < 2**31 for n in shape)
    ):
        raise MalformedPart("a matrix has no valid shape")
    for one in (data, indices, starts):
        if type(one) is not np.ndarray or one.ndim != 1:
            raise MalformedPart("a matrix lacks an array")
    assert isinstance(data, np.ndarray)
    assert isinstance(indices, np.ndarray)
    assert isinstance(starts, np.ndarray)
    if data.dtype.kind not in "fiu" or indices.dtype.kind != "i" or starts.dtype.kind != "i":
        raise MalformedPart("a matrix has arrays of other types")
    if len(starts) != shape[0] + 1 or len(indices) != len(data):
        raise MalformedPart("a matrix has arrays of other lengths than its shape")
    if starts[0] != 0 or starts[-1] != len(data) or (starts[1:] < starts[:-1]).any():
        raise MalformedPart("a matrix has rows that do not follow each other")
    if len(indices) and not (indices.min() >= 0 and indices.max() < shape[1]):
        raise MalformedPart("a matrix has indices out of range")


def build_parts(tree: object) -> Any:
    """The values of what was read: plain data, arrays, `csr_array`s and StoredNeighbours. Raises MalformedPart.

    A part that is used twice is built once.
    """
    return _Builder().build(tree)


class _Builder:
    def __init__(self) -> None:
        self._built: dict[int, Any] = {}  # by the id of a part, which the tree keeps in memory
        self._depth = 0

    def build(self, part: object) -> Any:
        if type(part) in _PLAIN:
            return part
        if (known := self._built.get(id(part))) is not None:
            if known is _BEING_READ:
                raise MalformedPart("a part contains itself")
            return known
        if self._depth > _MAX_DEPTH:
            raise MalformedPart("its parts are nested too deeply")
        self._built[id(part)] = _BEING_READ
        self._depth += 1
        value = self._built[id(part)] = self._value(part)
        self._depth -= 1
        return value

    def _value(self, part: object) -> Any:
        if type(part) is dict:
            if not _kinds(part) <= _KEYS:
                raise MalformedPart("a mapping has keys of another kind")
            return {key: self.build(one) for key, one in part.items()}
        if type(part) is list or type(part) is tuple:
            return part if _is_plain(part) else type(part)(map(self.build, part))
        if type(part) is PickledArray:
            return _array(part)
        if type(part) is PickledMatrix:
            return _matrix(self.build(part.state))
        if type(part) is PickledEstimator:
            return _neighbours(self.build(part.state))
        raise MalformedPart("it contains a value of a kind that artefacts do not use")


def _kinds(values: Iterable[object]) -> set[type]:
    return set(map(type, values))


def _is_plain(part: list[Any] | tuple[Any, ...]) -> bool:
    """True if there is nothing to build: plain values, or tuples of them."""
    kinds = _kinds(part)
    return kinds <= _PLAIN or (kinds == {tuple} and _kinds(chain.from_iterable(part)) <= _PLAIN)


def _item(state: object, name: str) -> Any:
    if type(state) is not dict or name not in state:
        raise MalformedPart(f"a matrix or the neighbour model lacks {name}")
    return state[name]
