"""What an artefact may hold, and what the reader does with pickles made to harm."""

import io
import os
import pickle
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
from app.infrastructure.ml.registry.pickle_reading import BUILDERS
from app.infrastructure.ml.registry.regular_file import read_regular_file
from app.infrastructure.ml.registry.restricted_pickle import (
    check_versions,
    deserialise,
    library_versions,
    serialise,
)
from app.infrastructure.ml.stored_neighbours import StoredNeighbours

RNG = np.random.default_rng(7)
DENSE = RNG.random((120, 6))
COUNTS = sparse.csr_array(np.where(DENSE > 0.6, DENSE, 0))

FITTED = NearestNeighbors(metric="cosine", algorithm="brute").fit(COUNTS)


def test_an_estimator_that_is_read_back_answers_as_before() -> None:
    read = deserialise(serialise({"model": FITTED}))["model"]
    assert isinstance(read, StoredNeighbours)
    assert read.n_neighbors == FITTED.n_neighbors

    for expected, found in zip(
        FITTED.kneighbors(COUNTS[:4]), read.to_estimator().kneighbors(COUNTS[:4]), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_a_service_reads_an_artefact_without_scikit_learn(tmp_path: Path) -> None:
    (tmp_path / "artefact").write_bytes(serialise({"neighbours": FITTED}))
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


def test_an_artefact_that_was_read_can_be_written_and_read_again() -> None:
    first = deserialise(serialise({"neighbours": FITTED, "matrix": COUNTS, "figures": {"a": np.float64(1)}}))
    again = deserialise(serialise(first))

    assert again["figures"] == {"a": 1.0}
    for one in (again["matrix"], again["neighbours"].matrix):
        np.testing.assert_array_equal(one.toarray(), COUNTS.toarray())


@pytest.mark.parametrize(
    "change",
    [
        {"n_neighbors": 0},
        {"n_neighbors": True},
        {"n_neighbors": "5"},
        {"metric": "euclidean"},
        {"_fit_X": DENSE},
    ],
)
def test_a_neighbour_model_with_other_attributes_is_rejected(change: dict[str, Any]) -> None:
    fitted = NearestNeighbors(metric="cosine", algorithm="brute").fit(COUNTS)
    vars(fitted).update(change)

    with pytest.raises(InvalidArtifact, match="the neighbour model"):
        deserialise(pickle.dumps({"model": fitted}, protocol=5))


@pytest.mark.parametrize("bad", [-1, DENSE.shape[1], 2**31 - 1])
def test_a_matrix_with_an_index_out_of_range_is_rejected(bad: int) -> None:
    matrix = COUNTS.copy()
    matrix.indices[7] = bad

    with pytest.raises(InvalidArtifact, match="indices out of range"):
        deserialise(pickle.dumps({"matrix": matrix}, protocol=5))


@given(
    st.sampled_from(["indptr", "indices", "data"]),
    arrays.arrays(
        st.sampled_from([np.int32, np.int64, np.float64, np.bool_]),
        arrays.array_shapes(min_dims=0, max_dims=2),
    ),
    st.tuples(st.integers(-2, 200), st.integers(-2, 200)),
)
def test_a_matrix_of_any_arrays_is_valid_or_rejected(
    name: str, array: np.ndarray[Any, Any], shape: tuple[int, int]
) -> None:
    matrix = COUNTS.copy()
    vars(matrix).update({name: array, "_shape": shape})
    content = pickle.dumps({"matrix": matrix}, protocol=5)

    try:
        read = deserialise(content)["matrix"]
    except InvalidArtifact:
        return
    read.check_format(full_check=True)


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
        st.sampled_from([np.bool_, np.uint8, np.int32, np.uint32, np.int64, np.float32, np.float64]),
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


@pytest.mark.parametrize("dtype", ["O", "U3", "M8[s]", ">f8", "V16", [("seq", "i8")], "c16"])
def test_an_array_of_another_type_is_rejected(dtype: Any) -> None:
    with pytest.raises(InvalidArtifact):
        deserialise(pickle.dumps({"array": np.zeros(2, dtype)}, protocol=5))


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

    with pytest.raises(InvalidArtifact, match="contains a name that") as caught:
        deserialise(content)
    assert named not in str(caught.value)

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
    with pytest.raises(InvalidArtifact, match="contains a name that"):
        deserialise(line + b"(S'true'\ntR.")

    module, name = line[1:-1].decode().split("\n")
    texts = b"".join(b"\x8c" + struct.pack("B", len(text)) + text.encode() for text in (module, name))
    with pytest.raises(InvalidArtifact, match="contains a name that"):
        deserialise(b"\x80\x04" + texts + b"\x93.")


class Has:
    """Pickles as an object of `kind` with `state`, made as `pickle` makes those of classes."""

    def __init__(self, function: Any, arguments: tuple[Any, ...], state: Any) -> None:
        self.reduced = (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


def names(module: str, name: str) -> bytes:
    """Opcodes that put what the name stands for on the stack."""
    texts = b"".join(b"\x8c" + struct.pack("B", len(text)) + text.encode() for text in (module, name))
    return texts + b"\x93"


FORMERLY_LISTED = [
    *(("numpy", name) for name in ("dtype", "ndarray", "bool", "int32", "int64", "float32", "float64")),
    *(("numpy._core.multiarray", name) for name in ("_reconstruct", "scalar")),
    ("numpy._core.numeric", "_frombuffer"),
    *(("scipy.sparse._csr", name) for name in ("csr_matrix", "csr_array")),
    ("sklearn.neighbors._unsupervised", "NearestNeighbors"),
]
STATES: list[object] = [
    {"__matmul__": None},
    (None, {"__matmul__": None, "__setstate__": None, "__defaults__": (), "value": None}),
    (3, "<", None, None, None, 8, 8, 63),
    (1, (1,), None, False, b"A" * 8),
    None,
]


@pytest.mark.parametrize(("module", "name"), FORMERLY_LISTED)
@pytest.mark.parametrize("state", STATES)
def test_a_rejected_pickle_changes_nothing_of_the_process(module: str, name: str, state: object) -> None:
    before = attributes_of_the_process()
    content = b"\x80\x04}\x8c\x01a" + names(module, name) + frameless(state) + b"bs."

    with pytest.raises(InvalidArtifact):
        deserialise(content)
    for arguments in ((), (b"A" * 8,), ("f8", False, True), ((1,), "O", b"A" * 8)):
        for call in (b"R", b"\x81"):  # REDUCE and NEWOBJ, then BUILD
            made = names(module, name) + frameless(arguments) + call + frameless(state) + b"b"
            with pytest.raises(InvalidArtifact):
                deserialise(b"\x80\x04}\x8c\x01a" + made + b"s.")

    assert attributes_of_the_process() == before
    assert (COUNTS @ DENSE.T[:, :2]).shape == (120, 2)


def frameless(value: object) -> bytes:
    """Opcodes that put `value` on the stack."""
    return pickle.dumps(value, protocol=3)[2:-1]


def attributes_of_the_process() -> list[dict[str, object]]:
    """What a pickle may not change."""
    touched = [sparse.csr_array, sparse.csr_matrix, NearestNeighbors, StoredNeighbours, *BUILDERS.values()]
    return [dict(vars(one)) for one in touched] + [dict(vars(np._core.numeric._frombuffer))]


@pytest.mark.parametrize("flags", [0x3F, 0x1, 0x80])
def test_a_dtype_with_forged_flags_is_rejected(flags: int) -> None:
    dtype = Has(np.dtype, ("f8", False, True), (3, "<", None, None, None, 8, 8, flags))
    forged = Calls(np._core.numeric._frombuffer, bytearray(8), dtype, (1,), "C")

    with pytest.raises(InvalidArtifact, match="a type that artefacts do not use"):
        deserialise(pickle.dumps({"array": forged}, protocol=5))


@given(
    st.binary(max_size=40),
    st.tuples(st.integers(-1, 9), st.integers(-1, 9)),
    st.sampled_from(["C", "F", "K", 1]),
)
def test_an_array_is_as_large_as_its_bytes(content: bytes, shape: tuple[int, ...], order: Any) -> None:
    array = Calls(np._core.numeric._frombuffer, content, np.dtype("i4"), shape, order)

    try:
        read = deserialise(pickle.dumps({"array": array}, protocol=5))["array"]
    except InvalidArtifact:
        return
    assert (read.tobytes(order), read.shape) == (content, shape)


def test_an_array_of_objects_cannot_be_laid_over_forged_addresses() -> None:
    forged = pickle.dumps({"array": Calls(np.ndarray, (1,), np.dtype(object), b"A" * 8)}, protocol=5)

    with pytest.raises(InvalidArtifact):
        deserialise(forged)


def test_parts_that_contain_themselves_or_each_other_many_times_are_read_in_bounded_time() -> None:
    shared: list[object] = [bytearray()]
    for _ in range(28):
        shared = [shared, shared]
    with pytest.raises(InvalidArtifact, match="of a kind that"):
        deserialise(pickle.dumps({"shared": shared}, protocol=5))

    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(InvalidArtifact, match="contains itself"):
        deserialise(pickle.dumps({"cycle": cycle}, protocol=5))

    with pytest.raises(InvalidArtifact, match="nested too deeply"):
        deserialise(b"\x80\x04}\x8c\x01a" + b"]" * 100_000 + b"a" * 99_999 + b"s.")


def test_persistent_ids_and_extension_codes_lead_nowhere() -> None:
    for content in (b"Pmodel\n.", b"\x80\x04\x82\x01."):
        with pytest.raises(InvalidArtifact):
            deserialise(content)


@pytest.mark.parametrize("value", [[1], "text", None, {1: "number"}, {"a": 1}.keys])
def test_an_artefact_is_a_mapping_by_names(value: object) -> None:
    with pytest.raises(InvalidArtifact):
        deserialise(pickle.dumps(value, protocol=5))


def test_bytes_after_the_pickle_are_rejected() -> None:
    with pytest.raises(InvalidArtifact, match="bytes after its end"):
        deserialise(serialise({"a": 1}) + b"abc")


GOOD = serialise({"name": "model", "numbers": np.arange(20.0), "matrix": COUNTS, "neighbours": FITTED})


@given(st.integers(0, len(GOOD) - 1))
def test_a_pickle_cut_anywhere_is_rejected(length: int) -> None:
    with pytest.raises(InvalidArtifact):
        deserialise(GOOD[:length])


def test_a_length_beyond_memory_is_rejected() -> None:
    with pytest.raises(InvalidArtifact):
        deserialise(b"\x80\x05\x8e" + struct.pack("<Q", 2**62) + b"short.")


def test_an_artefact_contains_exactly_the_names_that_have_a_builder() -> None:
    found: set[tuple[str, str]] = set()

    class Recorder(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            found.add((module, name))
            return super().find_class(module, name)

    Recorder(io.BytesIO(GOOD)).load()

    assert found == BUILDERS.keys()


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
