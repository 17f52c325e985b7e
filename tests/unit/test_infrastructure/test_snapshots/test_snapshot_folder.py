"""A folder of snapshots: what is not intact is not used, the newest two are kept, one process writes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.feed.array_tree import Concatenated, group_of
from app.domain.feed.event_counting import DEFAULT_RULE
from app.domain.repositories.feed_log import LogPosition
from app.domain.repositories.snapshot_store import SnapshotUnavailable, StateSnapshot
from app.infrastructure.snapshots.array_file import ArrayWriter, DamagedFile, read_arrays
from app.infrastructure.snapshots.snapshot_folder import SnapshotFolder, database_identity

SECRET, OTHER_SECRET = b"a secret", b"another secret"
ARRAYS: dict[str, Any] = {
    "numbers": np.arange(5.0),
    "group": {"keys": np.array([b"0123456789abcdef"], "V16"), "none": np.empty((0, 3), np.float32)},
    "count": np.array(7),
    "late": lambda: {"rows": Concatenated([np.ones((2, 2)), np.ones((1, 2))], np.dtype(np.float64), (0, 2))},
    "columns": np.arange(12.0).reshape(3, 4)[:, :2],
}


def a_folder(path: Path, *secrets: bytes, database: str = "a database") -> SnapshotFolder:
    return SnapshotFolder(path / "snapshots", secrets or [SECRET], database)


def write(folder: SnapshotFolder, number: int = 0) -> None:
    draft = folder.begin()
    assert draft is not None
    with draft:
        draft.copy(
            StateSnapshot(
                {**ARRAYS, "number": np.array(number)}, DEFAULT_RULE, LogPosition("db", 5, "{}"), "f" * 64
            )
        )
        draft.publish()


def numbers(folder: SnapshotFolder) -> list[int]:
    return [int(snapshot.arrays["number"]) for _, snapshot in folder.newest()]  # type: ignore[call-overload]


def files(folder: SnapshotFolder) -> list[str]:
    return sorted(path.name for path in folder.folder.iterdir())


def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    write(folder)

    [(_, snapshot)] = folder.newest()

    assert (snapshot.counting, snapshot.position.detail) == (DEFAULT_RULE, "{}")
    assert group_of(snapshot.arrays, "group")["keys"].tolist() == [b"0123456789abcdef"]  # type: ignore[union-attr]
    assert np.array_equal(group_of(snapshot.arrays, "late")["rows"], np.ones((3, 2)))  # type: ignore[arg-type]
    for name in ("numbers", "count", "columns"):
        assert np.array_equal(snapshot.arrays[name], ARRAYS[name])  # type: ignore[arg-type]


def test_a_change_of_the_arrays_changes_neither_the_file_nor_other_readers(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    write(folder)
    first, second = (next(folder.newest())[1].arrays["numbers"] for _ in range(2))

    first += 1.0  # type: ignore[operator,assignment]

    assert np.array_equal(second, ARRAYS["numbers"])  # type: ignore[arg-type]
    assert numbers(folder) == [0]


def test_the_newest_two_are_kept_and_drafts_of_killed_writers_are_removed(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    folder.folder.mkdir()
    (folder.folder / ".draft-of a killed writer").write_bytes(b"x")

    for number in range(4):
        write(folder, number)

    assert numbers(folder) == [3, 2]
    assert files(folder) == [
        ".writer.lock",
        "state_0000000003.snapshot",
        "state_0000000004.snapshot",
    ]


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    draft = folder.begin()
    assert draft is not None

    def fail() -> Any:
        raise OSError(28, "No space left on device")

    with draft:
        draft.copy(StateSnapshot({"late": fail}, None, LogPosition("db", 5), ""))
        with pytest.raises(SnapshotUnavailable, match="No space left"):
            draft.publish()

    assert files(folder) == [".writer.lock"]


def test_one_process_writes_until_it_ends(tmp_path: Path) -> None:
    first, second = a_folder(tmp_path), a_folder(tmp_path)
    write(first)

    assert second.begin() is None
    first.close()
    write(second, 1)
    assert numbers(first) == [1, 0]


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "snapshots").write_text("a file")

    with pytest.raises(SnapshotUnavailable, match="snapshots: File exists"):
        a_folder(tmp_path).begin()
    assert list(a_folder(tmp_path).newest()) == []


def test_any_secret_of_the_list_is_accepted_and_no_other(tmp_path: Path) -> None:
    write(a_folder(tmp_path))

    assert numbers(a_folder(tmp_path, OTHER_SECRET, SECRET)) == [0]
    assert numbers(a_folder(tmp_path, OTHER_SECRET)) == []


def test_a_snapshot_of_another_database_is_ignored(tmp_path: Path) -> None:
    write(a_folder(tmp_path))

    assert numbers(a_folder(tmp_path, database="another database")) == []


def test_the_identity_of_a_database_does_not_depend_on_the_user() -> None:
    identity = database_identity("postgresql://me:secret@host:5432/feed", None)

    assert identity == database_identity("postgresql://you@host:5432/feed?sslmode=require", None)
    assert identity != database_identity("postgresql://me:secret@host:5432/other", None)
    assert identity != database_identity("postgresql://me:secret@host:5432/feed", "schema")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    write(folder)
    [path] = folder.paths()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    assert numbers(folder) == []


def test_an_older_snapshot_is_used_where_the_newest_is_damaged(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    write(folder, 1)
    write(folder, 2)
    newest = folder.paths()[-1]
    newest.write_bytes(newest.read_bytes()[:-1])

    assert numbers(folder) == [1]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sealed") / "file"
    with path.open("w+b") as file:
        writer = ArrayWriter(file)
        writer.add(ARRAYS)
        writer.seal({"note": "x"}, b"key")
    return path.read_bytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_any_change_is_rejected(sealed: bytes, tmp_path: Path, data: st.DataObject) -> None:
    path, content = tmp_path / "file", bytearray(sealed)
    kind = data.draw(st.sampled_from(["flip", "cut", "append"]))
    place = data.draw(st.integers(0, len(content) - 1))
    if kind == "flip":
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del content[place:]
    else:
        content += bytes(1 + place)
    path.write_bytes(content)

    with pytest.raises(DamagedFile):
        read_arrays(path, [b"key"])
