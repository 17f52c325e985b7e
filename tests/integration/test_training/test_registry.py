"""training.registry and training.export_model as a person or a program calls them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.open_registry import open_registry
from tests.support.registries import publish
from training import export_model, registry

Main = Callable[[list[str]], int]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of the test's own, with its folder of models and its keys."""
    for name in ("MODEL_SIGNING_KEY", "MODEL_TRUSTED_KEYS", "MODEL_PATH", "MODELS_DIR", "KEYS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def training() -> FileModelRegistry:
    return open_registry(read_settings(), publishes=True)


def answer(main: Main, line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints; it must have worked."""
    capsys.readouterr()
    assert main(line.split()) == 0
    return capsys.readouterr().out


def rejection(main: Main, line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of the error with which a command ends."""
    capsys.readouterr()
    try:
        code = main(line.split())
    except SystemExit as stop:  # argparse leaves by itself
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    assert (code, captured.out, captured.err.count("\n")) == (2, "", 1)
    return captured.err


def test_list_prints_versions_roles_and_figures(
    training: FileModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(training)
    publish(training)
    publish(training, status="rejected", note="worse than [random]")

    shown = answer(registry.main, "list", capsys)
    printed = json.loads(answer(registry.main, "list --json", capsys))

    assert [line for line in shown.splitlines() if "v3" in line and "rejected" in line and "[random]" in line]
    assert "ndcg@10 0.300" in shown
    assert (printed["active"], printed["previous"]) == ("v2", "v1")
    assert [model["status"] for model in printed["models"]] == ["inactive", "active", "rejected"]


@pytest.mark.parametrize(
    "prequential",
    [5, {"learned": None}, {"learned": {"ndcg@10": []}}, {"learned": {"ndcg@10": {"n": 3, "mean": None}}}],
)
def test_list_leaves_out_figures_of_a_shape_it_does_not_know(
    training: FileModelRegistry, capsys: pytest.CaptureFixture[str], prequential: object
) -> None:
    publish(training, metrics={"ndcg@5": 0.25, "prequential": prequential})

    assert "ndcg@5 0.250 " in answer(registry.main, "list", capsys)


def test_an_empty_registry_is_said_to_be_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(registry.main, "list", capsys) == "no model has been published\n"
    assert json.loads(answer(registry.main, "list --json", capsys))["models"] == []


def test_show_prints_whether_the_artefact_can_be_loaded(
    training: FileModelRegistry, machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = publish(training)
    assert "artefact:   verified" in answer(registry.main, "show v1", capsys)
    (machine / "models" / record.filename).write_bytes(b"")

    printed = json.loads(answer(registry.main, "show v1 --json", capsys))

    assert "rejected: " in answer(registry.main, "show v1", capsys)
    assert printed["loadable"] is False
    assert "bytes instead of" in printed["refused"]


def test_promote_and_rollback_print_what_serves_now(
    training: FileModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        publish(training)

    assert answer(registry.main, "promote v1", capsys) == "active: v1 (was v2)\n"
    assert answer(registry.main, "rollback", capsys) == "active: v2 (was v1)\n"
    assert json.loads(answer(registry.main, "promote v1 --json", capsys)) == {"active": "v1", "was": "v2"}


def test_prune_prints_what_it_removed(
    training: FileModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(4):
        publish(training)

    assert answer(registry.main, "prune --keep 1", capsys) == "removed: v1\n"
    assert json.loads(answer(registry.main, "prune --keep 1 --json", capsys)) == {"removed": []}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("promote v9", "no version 'v9'; there are: v1"),
        ("promote v2", "there are: v1"),
        ("show ../v1", "no version '../v1'"),
        ("rollback", "no version was active before"),
        ("prune --keep -1", "--keep"),
        ("prune --keep many", "--keep"),
        ("", "COMMAND"),
        ("remove v1", "remove"),
        ("promote", "V"),
    ],
)
def test_a_wrong_command_is_one_line_and_changes_nothing(
    line: str, said: str, training: FileModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(training)
    before = training.fingerprint()

    assert said in rejection(registry.main, line, capsys)
    assert training.fingerprint() == before


def test_a_broken_registry_file_is_one_line(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "models").mkdir()
    (machine / "models" / "registry.json").write_text("{")

    for line in ("list", "show v1", "promote v1", "rollback", "prune"):
        assert "registry.json is not readable" in rejection(registry.main, line, capsys)


def test_an_exported_model_serves_on_another_machine_that_trusts_the_key(
    training: FileModelRegistry,
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    publish(training, "travels")
    bundle = machine / "model.bundle"
    assert answer(export_model.main, f"--version v1 --output {bundle}", capsys).startswith(f"{bundle}: v1")
    trusted = (machine / ".local" / "keys" / "model_trusted.pub").read_text().strip()
    other = machine / "other"
    other.mkdir()
    monkeypatch.chdir(other)

    assert "signed by key" in rejection(export_model.main, f"--import {bundle}", capsys)
    monkeypatch.setenv("MODEL_TRUSTED_KEYS", trusted)
    registered = answer(export_model.main, f"--import {bundle}", capsys)
    promoted = json.loads(answer(export_model.main, f"--import {bundle} --promote --json", capsys))

    assert registered == "registered: v1 (inactive)\n"
    assert (promoted["version"], promoted["status"]) == ("v1", "active")
    assert open_registry(read_settings()).load("v1")["name"] == "travels"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--version v7 --output out", "no version 'v7'"),
        ("--version v1", "--output"),
        ("--version v1 --output none/out", "--output: none/out: its folder does not exist"),
        ("--version v1 --output .", "is a folder"),
        ("--version v1 --output out --promote", "--promote"),
        ("--version v1 --import models/registry.json", "not allowed with"),
        ("--import none", "no such file"),
        ("--import models", "is a folder"),
        ("--import models/registry.json", "not an exported model"),
        ("--import models/registry.json --output out", "--output"),
        ("", "required"),
    ],
)
def test_a_wrong_export_is_one_line_and_writes_nothing(
    line: str, said: str, training: FileModelRegistry, machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(training)
    before = {path for path in machine.rglob("*") if ".lock" not in path.name}

    assert said in rejection(export_model.main, line, capsys)
    assert {path for path in machine.rglob("*") if ".lock" not in path.name} == before


def test_a_variable_that_holds_no_key_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODEL_TRUSTED_KEYS", "nonsense")

    assert "MODEL_TRUSTED_KEYS: not an Ed25519 public key" in rejection(registry.main, "list", capsys)
