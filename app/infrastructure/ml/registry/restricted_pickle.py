"""The bytes of a model artefact: one pickle of plain data, and a reader that builds four kinds of parts only.

A pickle is a program. The registry checks size, digest and signature before a byte of it is run; this module
is the second wall: no module is imported and no object of a library is made, called or changed while it is run.
"""

import io
import pickle
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from app.domain.errors import InvalidArtifact
from app.infrastructure.ml.registry.pickle_reading import MalformedPart, PlainUnpickler, UnlistedName
from app.infrastructure.ml.registry.pickled_parts import build_parts
from app.infrastructure.ml.stored_neighbours import StoredNeighbours


def serialise(artifact: Mapping[str, Any]) -> bytes:
    """The pickle of `artifact`, which may have been read itself. Raises InvalidArtifact for a part that `deserialise`
    would reject."""
    try:
        content = pickle.dumps({name: _picklable(part) for name, part in artifact.items()}, protocol=5)
        _read(content)
    except UnlistedName as error:
        raise InvalidArtifact(
            f"the artefact has a part of a kind that cannot be read again: {error}"
        ) from error
    except InvalidArtifact:
        raise
    except Exception as error:
        raise InvalidArtifact(f"the artefact cannot be pickled: {error}") from error
    return content


def _picklable(part: Any) -> Any:
    """`part` with numbers of Python in place of numpy's, contiguous arrays, and the estimator."""
    if isinstance(part, np.generic):
        return part.item()
    if isinstance(part, np.ndarray):
        return part if part.flags.c_contiguous or part.flags.f_contiguous else np.ascontiguousarray(part)
    if isinstance(part, StoredNeighbours):
        return part.to_estimator()
    if type(part) is dict:
        return {key: _picklable(one) for key, one in part.items()}
    if type(part) is list or type(part) is tuple:
        return type(part)(map(_picklable, part))
    return part


def deserialise(content: bytes) -> dict[str, Any]:
    """The artefact in `content`, whose origin was verified before; neighbours come as `StoredNeighbours`.

    Raises InvalidArtifact. Its text contains nothing that was read from `content`.
    """
    try:
        return _read(content)
    except UnlistedName:
        raise InvalidArtifact("the artefact contains a name that artefacts do not use; train again") from None


def _read(content: bytes) -> dict[str, Any]:
    """As `deserialise`; raises UnlistedName too."""
    stream = io.BytesIO(content)
    try:
        tree = PlainUnpickler(stream).load()
        if stream.tell() != len(content):
            raise MalformedPart("it has bytes after its end")
        if type(tree) is not dict or not all(type(key) is str for key in tree):
            raise MalformedPart("it is not a mapping by names")
        artifact: dict[str, Any] = build_parts(tree)
    except UnlistedName:
        raise
    except MalformedPart as error:
        raise InvalidArtifact(f"the artefact is malformed: {error}") from None
    except Exception as error:  # any forged bytes raise any error, with a text of their own
        raise InvalidArtifact(f"the artefact is not a readable pickle ({type(error).__name__})") from error
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
