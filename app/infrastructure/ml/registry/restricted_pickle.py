"""The bytes of a model artefact: one pickle of plain data, and a reader that builds listed classes only.

A pickle is a program. The registry checks size, digest and signature before a byte of it is run; this module
is the second wall: names outside `ALLOWED` are never imported, so a pickle cannot reach code beside them.
"""

import importlib
import io
import pickle
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.errors import InvalidArtifact
from app.infrastructure.ml.stored_neighbours import StoredNeighbours

ALLOWED: Mapping[str, frozenset[str]] = {
    # arrays, scalars, dtypes
    "numpy": frozenset({"dtype", "ndarray", "bool", "int32", "int64", "float32", "float64"}),
    "numpy._core.multiarray": frozenset({"_reconstruct", "scalar"}),
    "numpy._core.numeric": frozenset({"_frombuffer"}),
    "scipy.sparse._csr": frozenset({"csr_matrix", "csr_array"}),
    "sklearn.neighbors._unsupervised": frozenset({"NearestNeighbors"}),
}
"""Module -> names a pickle may use: what the pickles of the artefact's parts name, and nothing else."""


class _ArrayType:
    """Replaces `numpy.ndarray` in a pickle, which contains the type only as an argument of `_reconstruct`.

    The real one can be called on a buffer as an array of objects, which reads forged addresses.
    """

    __slots__ = ()


def _empty_array(_type: object, _shape: object, _dtype: object) -> NDArray[Any]:
    """What `_reconstruct` makes for an array, before its state is set."""
    return np.empty(0, dtype="b")


_SUBSTITUTES: Mapping[tuple[str, str], object] = {
    ("numpy", "ndarray"): _ArrayType(),
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("sklearn.neighbors._unsupervised", "NearestNeighbors"): StoredNeighbours,
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        if name not in ALLOWED.get(module, ()):
            raise InvalidArtifact(f"the artefact names {module}.{name}, which is not on the allow-list")
        if (module, name) in _SUBSTITUTES:
            return _SUBSTITUTES[module, name]
        return getattr(importlib.import_module(module), name)


def serialise(artifact: Mapping[str, Any]) -> bytes:
    """The pickle of `artifact`, which may have been read itself. Raises InvalidArtifact for a part that `deserialise`
    would refuse."""
    try:
        parts = {
            name: part.to_estimator() if isinstance(part, StoredNeighbours) else part
            for name, part in artifact.items()
        }
        content = pickle.dumps(parts, protocol=5)
    except Exception as error:
        raise InvalidArtifact(f"the artefact cannot be pickled: {error}") from error
    deserialise(content)
    return content


def deserialise(content: bytes) -> dict[str, Any]:
    """The artefact in `content`, whose origin was verified before; neighbours come as `StoredNeighbours`.

    Raises InvalidArtifact.
    """
    stream = io.BytesIO(content)
    try:
        artifact = _PlainUnpickler(stream).load()
    except InvalidArtifact:
        raise
    except Exception as error:  # what forged bytes raise is anyone's guess
        raise InvalidArtifact(
            f"the artefact is no readable pickle: {type(error).__name__}: {error}"
        ) from error
    if stream.tell() != len(content):
        raise InvalidArtifact(f"the artefact has {len(content) - stream.tell()} bytes after its end")
    if type(artifact) is not dict or not all(type(key) is str for key in artifact):
        raise InvalidArtifact("the artefact is not a mapping by names")
    return artifact


def library_versions() -> dict[str, str]:
    """The versions of the libraries whose objects an artefact holds, as installed here."""
    return {name: version(name) for name in ("numpy", "scipy", "scikit-learn")}


def check_versions(recorded: Mapping[str, str]) -> None:
    """Raise InvalidArtifact unless objects pickled under `recorded` can be read here.

    scikit-learn promises nothing between versions, so it must be the same. numpy and scipy read the pickles
    of earlier minor versions of their major version.
    """
    for name, here in library_versions().items():
        made = recorded.get(name)
        if made is None:
            raise InvalidArtifact(f"the artefact does not say which {name} made it")
        if made != here and (name == "scikit-learn" or not _reads(here, made)):
            raise InvalidArtifact(f"the artefact was made with {name} {made}, here is {here}: train again")


def _reads(here: str, made: str) -> bool:
    try:
        major, minor = map(int, made.split(".")[:2])
    except ValueError:
        return False
    major_here, minor_here = map(int, here.split(".")[:2])
    return major == major_here and minor <= minor_here
