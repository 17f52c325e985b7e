"""Reads the pickle of an artefact to plain values and four classes; it imports the standard library only.

While a pickle is read, no module is imported and no object of a library is made, called or changed. The four classes
keep what they are given and do nothing else: `pickled_parts` makes arrays of them after the whole pickle was read. A
class here has no attribute that a pickle can set: it has `__slots__`, and a `__setstate__` of its own.

Errors contain no text and no number of the pickle.
"""

import pickle
from collections.abc import Mapping
from typing import Any, Final

_DTYPE_STATES: Final = tuple((3, order, None, None, None, -1, -1, 0) for order in "<|")
DTYPE_NAMES: Final = frozenset({"b1", "i1", "u1", "i4", "u4", "i8", "u8", "f4", "f8"})


class MalformedPart(ValueError):
    """A part of an artefact that is not as training writes it."""


class UnlistedName(Exception):
    """A pickle contains another name than those of BUILDERS."""


class PickledDtype:
    """In place of `numpy.dtype`: the name of one of the literal dtypes."""

    __slots__ = ("name",)

    def __init__(self, name: object, align: object, copy: object) -> None:
        if type(name) is not str or name not in DTYPE_NAMES or (align, copy) != (False, True):
            raise MalformedPart("an array has a type that artefacts do not use")
        self.name = name

    def __setstate__(self, state: object) -> None:
        if type(state) is not tuple or state not in _DTYPE_STATES:
            raise MalformedPart("an array has a type that artefacts do not use")


class PickledArray:
    """In place of the function of numpy that makes an array of a buffer: its arguments."""

    __slots__ = ("buffer", "dtype", "order", "shape")

    def __init__(self, buffer: object, dtype: object, shape: object, order: object) -> None:
        self.buffer, self.dtype, self.shape, self.order = buffer, dtype, shape, order

    def __setstate__(self, state: object) -> None:
        raise MalformedPart("an array has a state")


class PickledMatrix:
    """In place of `scipy.sparse.csr_array`: its attributes."""

    __slots__ = ("state",)

    def __setstate__(self, state: object) -> None:
        self.state = state


class PickledEstimator:
    """In place of scikit-learn's `NearestNeighbors`: its attributes."""

    __slots__ = ("state",)

    def __setstate__(self, state: object) -> None:
        self.state = state


BUILDERS: Final[Mapping[tuple[str, str], type]] = {
    ("numpy", "dtype"): PickledDtype,
    ("numpy._core.numeric", "_frombuffer"): PickledArray,
    ("scipy.sparse._csr", "csr_array"): PickledMatrix,
    ("sklearn.neighbors._unsupervised", "NearestNeighbors"): PickledEstimator,
}
"""(module, name) in a pickle -> the class that replaces it. Artefacts contain these names and no other."""


class PlainUnpickler(pickle.Unpickler):
    """Raises UnlistedName, MalformedPart, and whatever forged bytes raise."""

    def find_class(self, module: str, name: str, /) -> Any:
        """The class that replaces the name."""
        try:
            return BUILDERS[module, name]
        except KeyError:
            raise UnlistedName(f"{module}.{name}") from None
