"""What the registry promises to training, which writes it, and to services, which trust it only so far."""

import json
import os
import pickle
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidArtifact, ModelUnavailable, NotActive, UnknownVersion
from app.infrastructure.ml.registry.file_registry import LOCK_FILE, FileModelRegistry
from app.infrastructure.ml.registry.manifest import plain_json
from app.infrastructure.ml.registry.registry_index import read_versions
from app.infrastructure.ml.registry.restricted_pickle import library_versions
from app.infrastructure.ml.registry.signing import Signer
from tests.support.registries import NOON, plant, plant_object, publish, service_keys, training_keys

KEYS = training_keys()
SIGNER = KEYS.signer
assert SIGNER is not None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def registry(folder: Path) -> FileModelRegistry:
    return FileModelRegistry(folder, KEYS)


@pytest.fixture
def service(folder: Path) -> FileModelRegistry:
    """The same folder as a service sees it: no private key."""
    return FileModelRegistry(folder, service_keys(KEYS))


def statuses(registry: FileModelRegistry) -> dict[str, str]:
    return {record.version: record.status for record in registry.records()}


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change registry.json by hand."""
    file = folder / "registry.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_a_new_registry_has_no_version(registry: FileModelRegistry) -> None:
    assert registry.records() == ()
    assert registry.active() is None


def test_a_folder_that_is_not_there_is_an_empty_registry(folder: Path, service: FileModelRegistry) -> None:
    assert service.records() == ()
    assert service.fingerprint() is None
    with pytest.raises(UnknownVersion, match="no version 'v1'; there are: none"):
        service.load("v1")
    assert not folder.exists()


def test_a_file_where_the_folder_should_be_is_no_empty_registry(
    folder: Path, service: FileModelRegistry
) -> None:
    folder.write_text("not a folder")

    with pytest.raises(InvalidArtifact, match=r"registry\.json: Not a directory"):
        service.active()


def test_a_published_model_is_active_and_a_service_loads_it(
    registry: FileModelRegistry, service: FileModelRegistry
) -> None:
    record = publish(registry, "first", note="the first")

    assert (record.version, record.filename) == ("v1", "model_20260113_120000.pkl")
    assert service.active() == record
    loaded = service.load("v1")
    assert loaded["name"] == "first"
    np.testing.assert_array_equal(loaded["numbers"], np.arange(5.0))


def test_a_figure_beyond_all_numbers_is_rejected_as_any_altered_manifest_is(
    registry: FileModelRegistry, service: FileModelRegistry, folder: Path
) -> None:
    publish(registry, metrics={"figure": 1.0})
    edit(folder, lambda content: content["models"][0].update(metrics={"figure": float("inf")}))
    file = folder / "registry.json"
    file.write_text(file.read_text().replace("Infinity", "1e999"))

    with pytest.raises(InvalidArtifact, match="is no number"):
        service.load("v1")


def test_the_registry_file_has_the_owners_fields(registry: FileModelRegistry, folder: Path) -> None:
    publish(registry, metrics={"precision@5": 0.68}, config={"n_neighbors": 10})

    entry = json.loads((folder / "registry.json").read_text())["models"][0]

    owners = ("version", "filename", "created_at", "metrics", "config", "status")
    assert {name: entry[name] for name in owners} == {
        "version": "v1",
        "filename": "model_20260113_120000.pkl",
        "created_at": NOON,
        "metrics": {"precision@5": 0.68},
        "config": {"n_neighbors": 10},
        "status": "active",
    }


def test_models_of_one_second_get_files_of_their_own(registry: FileModelRegistry) -> None:
    names = [publish(registry).filename for _ in range(3)]

    assert names == [
        "model_20260113_120000.pkl",
        "model_20260113_120000_2.pkl",
        "model_20260113_120000_3.pkl",
    ]


def test_the_file_name_is_the_time_in_utc(registry: FileModelRegistry) -> None:
    record = publish(registry, created_at="2026-01-13T01:30:00+02:00")

    assert record.filename == "model_20260112_233000.pkl"


def test_a_file_that_nobody_registered_is_not_overwritten(registry: FileModelRegistry, folder: Path) -> None:
    folder.mkdir()
    (folder / "model_20260113_120000.pkl").write_bytes(b"someone's")

    record = publish(registry)

    assert record.filename == "model_20260113_120000_2.pkl"
    assert (folder / "model_20260113_120000.pkl").read_bytes() == b"someone's"


def test_publishing_replaces_the_active_version_only_with_the_status_active(
    registry: FileModelRegistry,
) -> None:
    publish(registry)
    publish(registry, status="inactive")
    publish(registry, status="rejected", note="worse than random")
    publish(registry)

    assert statuses(registry) == {"v1": "inactive", "v2": "inactive", "v3": "rejected", "v4": "active"}


def test_promote_returns_the_version_that_was_active_before(registry: FileModelRegistry) -> None:
    publish(registry, status="inactive")
    publish(registry, status="inactive")

    first, second, again = (registry.promote(version) for version in ("v1", "v2", "v2"))

    assert first is None
    assert second is not None
    assert again is not None
    assert (second.version, again.version) == ("v1", "v2")
    assert statuses(registry) == {"v1": "inactive", "v2": "active"}


def test_a_service_without_the_private_key_may_promote_but_not_publish(
    registry: FileModelRegistry, service: FileModelRegistry
) -> None:
    publish(registry)
    publish(registry)

    service.promote("v1")

    assert statuses(service) == {"v1": "active", "v2": "inactive"}
    with pytest.raises(ModelUnavailable, match="MODEL_SIGNING_KEY"):
        publish(service)


def test_a_rejected_version_cannot_be_promoted(registry: FileModelRegistry) -> None:
    publish(registry)
    publish(registry, status="rejected", note="worse than random")

    with pytest.raises(InvalidArtifact, match="v2 was rejected: worse than random"):
        registry.promote("v2")

    assert statuses(registry) == {"v1": "active", "v2": "rejected"}


def test_rollback_goes_back_step_by_step_through_what_was_active(registry: FileModelRegistry) -> None:
    for status in ("active", "active", "rejected", "active"):
        publish(registry, status=status)

    assert registry.rollback().version == "v2"
    assert registry.rollback().version == "v1"
    with pytest.raises(UnknownVersion, match="no version was active before"):
        registry.rollback()
    assert statuses(registry) == {"v1": "active", "v2": "inactive", "v3": "rejected", "v4": "inactive"}


def test_the_registry_remembers_what_was_rolled_back_until_it_is_active_again(
    registry: FileModelRegistry, folder: Path
) -> None:
    def rolled_back() -> list[str]:
        return read_versions(folder / "registry.json").rolled_back

    for name in "abc":
        publish(registry, name)
    registry.rollback()
    registry.rollback()
    assert rolled_back() == ["v3", "v2"]
    registry.promote("v3")
    assert rolled_back() == ["v2"]
    registry.prune(0)
    assert rolled_back() == []


def test_a_rollback_of_a_version_that_is_not_active_any_more_changes_nothing(
    registry: FileModelRegistry,
) -> None:
    for name in "abc":
        publish(registry, name)

    with pytest.raises(NotActive, match=r"v2 is not active any more \(now: v3\)"):
        registry.rollback(registry.record("v2"))
    assert registry.rollback(registry.record("v3")).version == "v2"
    assert [one.version for one in registry.rolled_back()] == ["v3"]


def test_rollback_to_a_damaged_artefact_changes_nothing(registry: FileModelRegistry, folder: Path) -> None:
    first = publish(registry)
    publish(registry)
    (folder / first.filename).write_bytes(b"")

    with pytest.raises(InvalidArtifact):
        registry.rollback()

    assert statuses(registry) == {"v1": "inactive", "v2": "active"}


def test_promoting_a_damaged_artefact_changes_nothing(registry: FileModelRegistry, folder: Path) -> None:
    publish(registry)
    second = publish(registry, status="inactive")
    (folder / second.filename).unlink()

    with pytest.raises(InvalidArtifact, match="No such file"):
        registry.promote("v2")

    assert statuses(registry) == {"v1": "active", "v2": "inactive"}


def test_prune_keeps_the_active_the_one_before_and_the_newest(
    registry: FileModelRegistry, folder: Path
) -> None:
    for number in range(6):
        publish(registry, status="active" if number in (0, 1) else "inactive")

    gone = registry.prune(keep=2)

    assert [record.version for record in gone] == ["v3", "v4"]
    assert statuses(registry) == {"v1": "inactive", "v2": "active", "v5": "inactive", "v6": "inactive"}
    assert {path.name for path in folder.glob("*.pkl")} == {record.filename for record in registry.records()}


def test_a_pruned_number_is_not_used_again(registry: FileModelRegistry) -> None:
    publish(registry)
    publish(registry, status="inactive")
    registry.prune(keep=0)

    assert publish(registry).version == "v3"


def test_prune_removes_artefacts_that_no_version_names_and_nothing_else(
    registry: FileModelRegistry, folder: Path
) -> None:
    kept = publish(registry)
    for name in ("model_20250101_000000.pkl", "model_v1.pkl", "notes.txt"):
        (folder / name).write_bytes(b"x")

    registry.prune(keep=5)

    assert {path.name for path in folder.iterdir()} - {LOCK_FILE, "registry.json"} == {
        kept.filename,
        "model_v1.pkl",
        "notes.txt",
    }


def test_the_fingerprint_changes_with_every_write(registry: FileModelRegistry) -> None:
    seen = {registry.fingerprint()}
    publish(registry)
    seen.add(registry.fingerprint())
    publish(registry, status="inactive")
    seen.add(registry.fingerprint())
    registry.promote("v2")
    seen.add(registry.fingerprint())

    assert len(seen) == 4
    assert registry.fingerprint() in seen


@pytest.mark.slow
def test_a_reader_beside_a_writer_always_finds_a_whole_model(
    registry: FileModelRegistry, service: FileModelRegistry
) -> None:
    publish(registry)
    ended = threading.Event()
    problems: list[Exception] = []

    def read() -> None:
        while not ended.is_set():
            try:
                active = service.active()
                assert active is not None
                assert service.load(active.version)["name"] == "a model"
            except (AssertionError, ModelUnavailable, UnknownVersion) as error:
                problems.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(40):
        publish(registry)
    ended.set()
    reader.join()

    assert problems == []


def test_a_writer_that_waits_too_long_says_so_and_readers_do_not_wait(
    registry: FileModelRegistry, folder: Path
) -> None:
    publish(registry)
    hasty = FileModelRegistry(folder, KEYS, lock_wait_seconds=0.01)

    with FileLock(folder / LOCK_FILE):
        with pytest.raises(ModelUnavailable, match="another process"):
            publish(hasty)
        assert hasty.load("v1")["name"] == "a model"


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")

    with pytest.raises(ModelUnavailable, match="models: File exists"):
        publish(FileModelRegistry(tmp_path / "models", KEYS))


def test_an_artefact_over_the_size_limit_is_neither_written_nor_read(
    registry: FileModelRegistry, folder: Path
) -> None:
    publish(registry)
    small = FileModelRegistry(folder, KEYS, size_limit_bytes=100)

    with pytest.raises(InvalidArtifact, match="more than the 100 allowed"):
        publish(small)
    with pytest.raises(InvalidArtifact, match="more than the 100 allowed"):
        small.load("v1")
    assert statuses(registry) == {"v1": "active"}


@pytest.mark.parametrize("created_at", ["yesterday", "2026-01-13T12:00:00", ""])
def test_a_time_without_zone_or_sense_is_rejected(registry: FileModelRegistry, created_at: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the wording is the standard library's
        publish(registry, created_at=created_at)
    assert registry.records() == ()


def test_figures_of_numpy_become_plain_ones_and_what_is_not_finite_null(registry: FileModelRegistry) -> None:
    record = publish(
        registry, metrics={"a": np.float32(0.5), "b": float("nan"), "c": np.arange(2), "d": (1,)}
    )

    assert record.metrics == {"a": 0.5, "b": None, "c": [0, 1], "d": [1]}
    assert registry.record("v1") == record


def test_figures_that_are_not_plain_name_their_place_and_type(registry: FileModelRegistry) -> None:
    with pytest.raises(ValueError, match="metrics: complex is not plain data"):
        publish(registry, metrics={"a": [complex(1)]})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_plain_json_is_json_and_does_not_change_a_second_time(value: Any) -> None:
    once = plain_json(value, "value")

    assert plain_json(json.loads(json.dumps(once, allow_nan=False)), "value") == once


# What someone who can write to the folder, but has no key, may try


def test_every_flipped_bit_of_an_artefact_is_noticed(registry: FileModelRegistry, folder: Path) -> None:
    file = folder / publish(registry).filename
    good = file.read_bytes()

    for position in range(0, len(good), 7):
        bad = bytearray(good)
        bad[position] ^= 1 << position % 8
        file.write_bytes(bad)
        with pytest.raises(InvalidArtifact, match="SHA-256"):
            registry.load("v1")


@pytest.mark.parametrize("change", [lambda good: good[:-1], lambda good: b"", lambda good: good + b"x"])
def test_an_artefact_of_another_length_is_rejected(
    registry: FileModelRegistry, folder: Path, change: Callable[[bytes], bytes]
) -> None:
    file = folder / publish(registry).filename
    file.write_bytes(change(file.read_bytes()))

    with pytest.raises(InvalidArtifact, match="bytes instead of"):
        registry.load("v1")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "v9"),
        ("filename", "model_20260113_120001.pkl"),
        ("created_at", "2027-01-13T12:00:00Z"),
        ("config", {"neighbours": 11}),
        ("metrics", {"ndcg@10": 1.0}),
        ("size_bytes", 1),
        ("sha256", "0" * 64),
        ("note", "the best"),
        ("libraries", library_versions() | {"numpy": "2.0.0"}),
        ("signature", ""),
        ("signature", "AAAA"),
        ("signature", "é"),
    ],
)
def test_no_field_of_an_entry_can_be_changed(
    registry: FileModelRegistry, folder: Path, field: str, value: object
) -> None:
    publish(registry)
    edit(folder, lambda content: content["models"][0].update({field: value}))

    with pytest.raises(InvalidArtifact, match="signature does not fit"):
        registry.load("v9" if field == "version" else "v1")


def test_swapped_artefacts_and_swapped_entries_are_rejected(
    registry: FileModelRegistry, folder: Path
) -> None:
    one, two = publish(registry, "one"), publish(registry, "two")
    first, second = folder / one.filename, folder / two.filename
    first.rename(folder / "x")
    second.rename(first)
    (folder / "x").rename(second)
    with pytest.raises(InvalidArtifact, match="SHA-256"):
        registry.load("v1")

    def swap(content: dict[str, Any]) -> None:
        a, b = content["models"]
        a["version"], b["version"] = b["version"], a["version"]

    edit(folder, swap)
    with pytest.raises(InvalidArtifact, match="signature does not fit"):
        registry.load("v1")


@pytest.mark.parametrize(
    "filename",
    [
        "../outside.pkl",
        "/etc/passwd",
        "sub/model_20260113_120000.pkl",
        "..",
        "",
        ".",
        "model_20260113_120000.pkl\n",
    ],
)
def test_a_file_name_that_leads_elsewhere_is_rejected_even_if_signed(
    registry: FileModelRegistry, folder: Path, filename: str
) -> None:
    plant(folder, pickle.dumps({"a": 1}, protocol=5), SIGNER, filename=filename)

    with pytest.raises(InvalidArtifact, match="not a plain file name"):
        registry.load("v1")


def test_a_symbolic_link_is_not_followed(registry: FileModelRegistry, folder: Path, tmp_path: Path) -> None:
    file = folder / publish(registry).filename
    file.rename(tmp_path / "elsewhere.pkl")
    file.symlink_to(tmp_path / "elsewhere.pkl")

    with pytest.raises(InvalidArtifact, match="symbolic link"):
        registry.load("v1")


def test_a_model_signed_by_an_untrusted_key_is_rejected(folder: Path, service: FileModelRegistry) -> None:
    untrusted = Signer.generate()
    publish(FileModelRegistry(folder, training_keys(untrusted)))

    with pytest.raises(InvalidArtifact, match=untrusted.public.key_id):
        service.load("v1")


def test_a_signature_of_an_untrusted_key_under_a_trusted_key_id_is_rejected(
    folder: Path, service: FileModelRegistry
) -> None:
    publish(FileModelRegistry(folder, training_keys()))
    edit(folder, lambda content: content["models"][0].update(key_id=SIGNER.public.key_id))

    with pytest.raises(InvalidArtifact, match="signature does not fit"):
        service.load("v1")


class Harm:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return exec, (f"open({str(self._mark)!r}, 'w')",)


def test_a_hostile_pickle_does_no_harm_signed_or_not(
    registry: FileModelRegistry, folder: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    plant_object(folder, {"model": Harm(mark)}, SIGNER)

    with pytest.raises(InvalidArtifact, match="contains a name that"):
        registry.load("v1")
    with pytest.raises(InvalidArtifact, match="contains a name that"):
        registry.promote("v1")
    with pytest.raises(InvalidArtifact, match="contains a name that"):
        registry.export("v1", tmp_path / "out")

    assert not mark.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "created_at",
    [
        "yesterday",
        "",
        "2026-01-13T12:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-13-01",
    ],
)
def test_a_signed_time_that_is_none_is_rejected_before_the_artefact_is_read(
    registry: FileModelRegistry, folder: Path, created_at: str
) -> None:
    plant(folder, b"never read", SIGNER, created_at=created_at)

    with pytest.raises(InvalidArtifact, match="v1: created_at is no time with a time zone"):
        registry.load("v1")


def test_a_file_larger_than_the_signed_size_is_rejected_unread(
    registry: FileModelRegistry, service: FileModelRegistry, folder: Path, tmp_path: Path
) -> None:
    file = folder / publish(registry).filename
    registry.export("v1", tmp_path / "bundle")
    for path in (file, tmp_path / "bundle"):
        os.truncate(path, 1_900 * 1024**2)
    uses: list[Callable[[], object]] = [
        lambda: service.load("v1"),
        lambda: service.load_file(file),
        lambda: service.load_file(tmp_path / "bundle"),
        lambda: service.import_file(tmp_path / "bundle"),
    ]

    tracemalloc.start()
    try:
        for use in uses:
            with pytest.raises(InvalidArtifact, match="bytes instead of"):
                use()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 2 * 1024**2


def test_candidates_are_the_active_version_and_those_that_served_before(registry: FileModelRegistry) -> None:
    assert registry.candidates() == ()
    for status in ("active", "inactive", "active", "rejected", "active"):
        publish(registry, status=status)
    assert [one.version for one in registry.candidates()] == ["v5", "v3", "v1"]

    registry.promote("v1")
    assert [one.version for one in registry.candidates()] == ["v1", "v5", "v3"]

    registry.rollback()
    assert [one.version for one in registry.candidates()] == ["v5", "v3", "v1"]


def test_an_artefact_of_another_scikit_learn_is_rejected_before_it_is_read(
    registry: FileModelRegistry, folder: Path
) -> None:
    plant(folder, b"never read", SIGNER, libraries=library_versions() | {"scikit-learn": "1.0.2"})

    with pytest.raises(InvalidArtifact, match=r"scikit-learn 1[.]0[.]2, here is"):
        registry.load("v1")


# registry.json itself


def broken_registries() -> Iterator[tuple[str, bytes, str]]:
    entry = b'{"version": "v1"}'
    yield "empty", b"", "not readable"
    yield "cut", b'{"models": [', "not readable"
    yield "binary", b"\xff\xfe\x00", "not readable"
    yield "not a number", b'{"models": [], "x": NaN}', "NaN is not JSON"
    yield "deep", b"[" * 100_000, "not readable"
    yield "a list", b"[]", "content: .* valid dictionary"
    yield "no models", b"{}", "models: Field required"
    yield "an entry that is a text", b'{"models": ["v1"]}', r"models\.0: .* valid dictionary"
    yield "an entry with holes", b'{"models": [' + entry + b"]}", r"models\.0\.filename: Field required"
    yield "activations", b'{"models": [], "activations": 3}', "activations"
    yield "last number", b'{"models": [], "last_number": true}', "last_number"


@pytest.mark.parametrize(
    ("content", "reason"), [pytest.param(c, r, id=name) for name, c, r in broken_registries()]
)
def test_a_broken_registry_is_named_and_never_overwritten(
    registry: FileModelRegistry, folder: Path, content: bytes, reason: str
) -> None:
    folder.mkdir()
    (folder / "registry.json").write_bytes(content)

    for use in (registry.records, registry.active, lambda: registry.load("v1"), lambda: publish(registry)):
        with pytest.raises(InvalidArtifact, match=reason):
            use()
    assert (folder / "registry.json").read_bytes() == content


@pytest.mark.parametrize(
    ("field", "value"),
    [("version", "1"), ("version", "v0"), ("status", "live"), ("sha256", "x"), ("size_bytes", True), ("size_bytes", -1),
     ("size_bytes", 10**400), ("note", "half \ud800"), ("metrics", []), ("signature", None)],
)  # fmt: skip
def test_an_entry_of_the_wrong_shape_is_named(
    registry: FileModelRegistry, folder: Path, field: str, value: object
) -> None:
    publish(registry)
    edit(folder, lambda content: content["models"][0].update({field: value}))

    with pytest.raises(InvalidArtifact, match=rf"registry[.]json: models[.]0[.]{field}: "):
        registry.records()


def test_one_version_twice_or_two_active_ones_are_rejected(registry: FileModelRegistry, folder: Path) -> None:
    publish(registry)
    publish(registry)
    edit(folder, lambda content: content["models"][0].update(status="active"))
    with pytest.raises(InvalidArtifact, match="more than one version is active"):
        registry.active()

    edit(folder, lambda content: content["models"].append(content["models"][0]))
    with pytest.raises(InvalidArtifact, match="twice"):
        registry.active()


def test_a_status_edited_by_hand_counts_as_an_activation(registry: FileModelRegistry, folder: Path) -> None:
    publish(registry)
    publish(registry)

    def by_hand(content: dict[str, Any]) -> None:
        content["models"][0]["status"], content["models"][1]["status"] = "active", "inactive"

    edit(folder, by_hand)

    assert registry.rollback().version == "v2"


# Artefacts that travel


def test_an_exported_model_is_registered_elsewhere_inactive_and_once(
    registry: FileModelRegistry, tmp_path: Path
) -> None:
    publish(registry, "first")
    second = publish(registry, "second")
    registry.export("v2", tmp_path / "bundle")
    other = FileModelRegistry(tmp_path / "other", service_keys(KEYS))

    taken, again = other.import_file(tmp_path / "bundle"), other.import_file(tmp_path / "bundle")

    assert taken == again
    assert (taken.version, taken.filename, taken.status) == ("v2", second.filename, "inactive")
    assert other.load("v2")["name"] == "second"
    assert other.import_file(tmp_path / "bundle", promote=True).status == "active"
    assert statuses(other) == {"v2": "active"}


def test_an_import_whose_number_is_taken_gets_another_from_who_can_sign(
    registry: FileModelRegistry, folder: Path, tmp_path: Path
) -> None:
    publish(registry, "here")
    there = FileModelRegistry(tmp_path / "there", KEYS)
    publish(there, "there", note="by hand")
    there.export("v1", tmp_path / "bundle")

    with pytest.raises(InvalidArtifact, match=r"v1 .* is another model here"):
        FileModelRegistry(folder, service_keys(KEYS)).import_file(tmp_path / "bundle")
    taken = registry.import_file(tmp_path / "bundle")

    assert (taken.version, taken.filename) == ("v2", "model_20260113_120000_2.pkl")
    assert taken.note == "by hand; imported, v1 where it was made"
    assert registry.load("v2")["name"] == "there"
    assert statuses(registry) == {"v1": "active", "v2": "inactive"}
    assert registry.import_file(tmp_path / "bundle") == taken


def test_a_rejected_model_stays_rejected_where_it_is_imported(
    registry: FileModelRegistry, tmp_path: Path
) -> None:
    publish(registry, status="rejected")
    registry.export("v1", tmp_path / "bundle")
    other = FileModelRegistry(tmp_path / "other", service_keys(KEYS))

    with pytest.raises(InvalidArtifact, match="rejected"):
        other.import_file(tmp_path / "bundle", promote=True)
    assert other.import_file(tmp_path / "bundle").status == "rejected"


def test_a_bundle_that_was_changed_anywhere_registers_nothing(
    registry: FileModelRegistry, tmp_path: Path
) -> None:
    publish(registry)
    file = tmp_path / "bundle"
    registry.export("v1", file)
    good = file.read_bytes()
    other = FileModelRegistry(tmp_path / "other", service_keys(KEYS))

    for position in range(0, len(good), 11):
        bad = good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :]
        file.write_bytes(bad)
        try:
            taken = other.import_file(file)
        except InvalidArtifact:
            continue
        pytest.fail(f"byte {position} was changed and {taken} registered")
    for length in range(0, len(good), 50):
        file.write_bytes(good[:length])
        with pytest.raises(InvalidArtifact):
            other.import_file(file)

    assert other.records() == ()


def test_a_single_file_is_loaded_as_a_bundle_or_beside_its_registry(
    registry: FileModelRegistry, service: FileModelRegistry, folder: Path, tmp_path: Path
) -> None:
    record = publish(registry, "single")
    registry.export("v1", tmp_path / "bundle")
    (tmp_path / "link").symlink_to(folder / record.filename)

    for path in (tmp_path / "bundle", folder / record.filename, tmp_path / "link"):
        loaded, artifact = service.load_file(path)
        assert loaded.version == service.file_record(path).version == "v1"
        assert artifact["name"] == "single"


def test_a_single_file_that_nothing_vouches_for_is_rejected(
    registry: FileModelRegistry, folder: Path, tmp_path: Path
) -> None:
    record = publish(registry)
    alone = tmp_path / record.filename
    alone.write_bytes((folder / record.filename).read_bytes())

    with pytest.raises(InvalidArtifact, match="no manifest beside it"):
        registry.load_file(alone)
    with pytest.raises(InvalidArtifact, match="No such file"):
        registry.load_file(tmp_path / "none")
