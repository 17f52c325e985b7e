"""What an artefact may hold, and what the reader does with pickles made to harm."""

import os
import pickle
import pickletools
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from app.domain.errors import InvalidArtifact
from app.infrastructure.ml.registry.regular_file import read_regular_file
from app.infrastructure.ml.registry.restricted_pickle import (
    ALLOWED,
    check_versions,
    deserialise,
    library_versions,
    serialise,
)
from app.infrastructure.ml.stored_neighbours import StoredNeighbours

RNG = np.random.default_rng(7)
DENSE = RNG.random((120, 6))
COUNTS = sparse.csr_matrix(np.where(DENSE > 0.6, DENSE, 0))

ESTIMATORS: dict[str, tuple[Any, Any]] = {  # what is asked of the fitted one, and of the one read back
    "nearest neighbours": (
        NearestNeighbors(metric="cosine", algorithm="brute").fit(COUNTS),
        lambda model: model.kneighbors(COUNTS[:4])[1],
    ),
    "nearest neighbours on a sparse array": (
        NearestNeighbors(metric="cosine", algorithm="brute").fit(sparse.csr_array(COUNTS)),
        lambda model: model.kneighbors(COUNTS[:4])[0],
    ),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_that_is_read_back_answers_as_before(name: str) -> None:
    fitted, answer = ESTIMATORS[name]

    read = deserialise(serialise({"model": fitted}))["model"]
    assert isinstance(read, StoredNeighbours)
    assert read.n_neighbors == fitted.n_neighbors
    read = read.to_estimator()

    assert type(read) is type(fitted)
    np.testing.assert_array_equal(answer(read), answer(fitted))


def test_a_service_reads_an_artefact_without_scikit_learn(tmp_path: Path) -> None:
    fitted, _ = ESTIMATORS["nearest neighbours on a sparse array"]
    (tmp_path / "artefact").write_bytes(serialise({"neighbours": fitted}))
    program = (
        "import sys, app.main; from app.infrastructure.ml.registry.restricted_pickle import deserialise;"
        "read = deserialise(open(sys.argv[1], 'rb').read());"
        "print(read['neighbours'].n_neighbors, 'sklearn' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "artefact")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == ["5", "False"], done.stderr


def test_an_artefact_that_was_read_is_written_as_it_was() -> None:
    fitted, _ = ESTIMATORS["nearest neighbours"]
    content = serialise({"neighbours": fitted, "figures": {"a": 1}})

    assert serialise(deserialise(content)) == content


@pytest.mark.parametrize("count", [0, True, "5", None])
def test_stored_neighbours_without_a_valid_number_are_rejected(count: object) -> None:
    fitted = NearestNeighbors(algorithm="brute").fit(DENSE)
    fitted.n_neighbors = count
    stored = deserialise(serialise({"model": fitted}))["model"]

    with pytest.raises(ValueError, match="no valid n_neighbors"):
        _ = stored.n_neighbors


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=5))
def test_plain_data_comes_back_as_it_was(artifact: dict[str, Any]) -> None:
    assert deserialise(serialise(artifact)) == artifact


@given(
    arrays.arrays(
        st.sampled_from(
            [np.bool_, np.uint8, np.int64, np.float32, np.float64, np.dtype("U3"), np.dtype("M8[s]")]
        ),
        arrays.array_shapes(min_dims=0, min_side=0, max_side=4),
    ),
    st.booleans(),
)
def test_an_array_comes_back_with_its_shape_and_dtype(array: np.ndarray[Any, Any], turned: bool) -> None:
    kept = array.T[::2] if turned and array.ndim else array

    read = deserialise(serialise({"array": kept, "first": kept.reshape(-1)[:1]}))["array"]

    assert read.dtype == kept.dtype
    assert read.shape == kept.shape
    np.testing.assert_array_equal(read, kept)


def test_arrays_of_names_and_of_records_are_plain_data() -> None:
    names = np.array(["a", None, "b"], dtype=object)
    records = np.array([(1, 2.5)], dtype=[("seq", "i8"), ("weight", "f8")])

    read = deserialise(serialise({"names": names, "records": records, "score": np.float64(0.5)}))

    assert read["names"].tolist() == ["a", None, "b"]
    assert read["records"]["weight"].tolist() == [2.5]
    assert read["score"] == 0.5


class Calls:
    """Pickles as a call of `function` that happens while it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def plainly(value: object) -> object:
    """`value` in plain sight."""
    return {"model": value}


def nested(value: object) -> object:
    """`value` where a reader that checks only the surface does not look."""
    array = np.empty(1, dtype=object)
    array[0] = {"deep": [value]}
    return {"matrix": array}


HOSTILE = {
    "a shell command": ("posix.system", lambda mark: Calls(os.system, f"touch {mark}")),
    "an evaluated expression": ("builtins.eval", lambda mark: Calls(eval, f"open({str(mark)!r}, 'w')")),
    "a statement": ("builtins.exec", lambda mark: Calls(exec, f"open({str(mark)!r}, 'w')")),
    "a file opened": (f"{open.__module__}.open", lambda mark: Calls(open, str(mark), "w")),
    "a function of numpy that writes files": (
        "numpy.savetxt",
        lambda mark: Calls(np.savetxt, str(mark), [1.0]),
    ),
    "a program started": (
        "subprocess.check_call",
        lambda mark: Calls(subprocess.check_call, ["touch", str(mark)]),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("wrap", [plainly, nested])
def test_a_pickle_that_calls_something_is_rejected_before_it_is_called(
    name: str, wrap: Any, tmp_path: Path
) -> None:
    named, make = HOSTILE[name]
    mark = tmp_path / "mark"
    content = pickle.dumps(wrap(make(mark)), protocol=5)

    with pytest.raises(InvalidArtifact, match=f"names {named.replace('.', '[.]')}"):
        deserialise(content)

    assert not mark.exists()
    pickle.loads(content)  # the same bytes do harm where the list is not asked: they were worth refusing
    assert mark.exists()


def test_a_part_that_the_reader_would_reject_cannot_be_written() -> None:
    with pytest.raises(InvalidArtifact, match=r"fractions[.]Fraction"):
        serialise({"weight": __import__("fractions").Fraction(1, 2)})


def test_what_cannot_be_pickled_is_an_invalid_artefact() -> None:
    with pytest.raises(InvalidArtifact, match="cannot be pickled"):
        serialise({"function": lambda: None})


@pytest.mark.parametrize(
    "line",
    [b"cos\nsystem\n", b"cnumpy\nf2py.os.system\n", b"cbuiltins\neval\n", b"csklearn.utils\n_joblib\n"],
)
def test_old_opcodes_and_dotted_names_do_not_get_around_the_list(line: bytes) -> None:
    with pytest.raises(InvalidArtifact, match="allow-list"):
        deserialise(line + b"(S'true'\ntR.")

    module, name = line[1:-1].decode().split("\n")
    texts = b"".join(b"\x8c" + struct.pack("B", len(text)) + text.encode() for text in (module, name))
    with pytest.raises(InvalidArtifact, match="allow-list"):
        deserialise(b"\x80\x04" + texts + b"\x93.")


def test_an_array_of_objects_cannot_be_laid_over_forged_addresses() -> None:
    forged = pickle.dumps({"array": Calls(np.ndarray, (1,), np.dtype(object), b"A" * 8)}, protocol=5)

    with pytest.raises(InvalidArtifact, match="no readable pickle"):
        deserialise(forged)


def test_persistent_ids_and_extension_codes_lead_nowhere() -> None:
    for content in (b"Pmodel\n.", b"\x80\x04\x82\x01."):
        with pytest.raises(InvalidArtifact):
            deserialise(content)


@pytest.mark.parametrize("value", [[1], "text", None, {1: "number"}, {"a": 1}.keys])
def test_an_artefact_is_a_mapping_by_names(value: object) -> None:
    with pytest.raises(InvalidArtifact):
        deserialise(pickle.dumps(value, protocol=5))


def test_bytes_after_the_pickle_are_rejected() -> None:
    with pytest.raises(InvalidArtifact, match="3 bytes after its end"):
        deserialise(serialise({"a": 1}) + b"abc")


GOOD = serialise({"name": "model", "numbers": np.arange(20.0), "matrix": COUNTS})


@given(st.integers(0, len(GOOD) - 1))
def test_a_pickle_cut_anywhere_is_rejected(length: int) -> None:
    with pytest.raises(InvalidArtifact):
        deserialise(GOOD[:length])


def test_a_length_beyond_memory_is_rejected() -> None:
    with pytest.raises(InvalidArtifact):
        deserialise(b"\x80\x05\x8e" + struct.pack("<Q", 2**62) + b"short.")


def test_the_list_names_only_what_exists_and_no_module_that_reaches_the_system() -> None:
    for module, names in ALLOWED.items():
        __import__(module)
        for name in names:
            assert hasattr(sys.modules[module], name), f"{module}.{name}"

    assert not {"os", "posix", "builtins", "sys", "subprocess", "functools", "operator"} & ALLOWED.keys()


def test_every_name_on_the_list_is_used_by_some_part_of_an_artefact() -> None:
    samples: list[object] = [model for model, _ in ESTIMATORS.values()]
    samples += [
        np.bool_,
        np.int32,
        np.int64,
        np.float32,
        np.float64,
        np.float64(1),
        DENSE[:, ::2],
        COUNTS,
        sparse.csr_array(COUNTS),
    ]
    used = {text for sample in samples for text in strings_of(pickle.dumps(sample, protocol=5))}

    assert {name for names in ALLOWED.values() for name in names} <= used


def strings_of(content: bytes) -> set[str]:
    """Every short string in a pickle: names are among them."""
    return {value for _, value, _ in pickletools.genops(content) if isinstance(value, str)}


def test_versions_that_can_be_read_pass_and_others_are_named() -> None:
    here = library_versions()
    major, minor = (int(part) for part in here["numpy"].split(".")[:2])

    check_versions(here)
    check_versions(here | {"numpy": f"{major}.{minor - 1}.9"})

    for made, reason in (
        (here | {"scikit-learn": "1.0.2"}, "scikit-learn 1.0.2"),
        (here | {"scikit-learn": here["scikit-learn"] + ".post1"}, "scikit-learn"),
        (here | {"numpy": f"{major}.{minor + 1}.0"}, "numpy"),
        (here | {"scipy": "0.19.0"}, "scipy 0.19.0"),
        (here | {"numpy": "two"}, "numpy two"),
        ({name: here[name] for name in ("numpy", "scipy")}, "does not say which scikit-learn"),
    ):
        with pytest.raises(InvalidArtifact, match=reason):
            check_versions(made)


def test_only_a_file_within_the_limit_is_read(tmp_path: Path) -> None:
    file, link, pipe = tmp_path / "file", tmp_path / "link", tmp_path / "pipe"
    file.write_bytes(b"12345")
    link.symlink_to(file)
    os.mkfifo(pipe)

    assert read_regular_file(file, 5) == b"12345"

    for path, reason in (
        (link, "symbolic link"),
        (pipe, "not a file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "none", "No such file"),
    ):
        with pytest.raises(InvalidArtifact, match=reason):
            read_regular_file(path, 5)
    with pytest.raises(InvalidArtifact, match="more than the 4 allowed"):
        read_regular_file(file, 4)
