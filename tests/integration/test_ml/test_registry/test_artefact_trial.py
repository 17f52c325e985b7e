"""A pickle is read in a child process first; what ends the child is a reason to reject it."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from app.domain.errors import InvalidArtifact
from app.infrastructure.ml.registry.artefact_trial import reason_to_reject
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.restricted_pickle import serialise
from tests.support.registries import plant, publish, training_keys

KEYS = training_keys()
MEMO_OF_16_GIB = b"\x80\x04]r" + struct.pack("<I", 2**31 - 1) + b"."


def a_child_that(tmp_path: Path, command: str) -> str:
    """A program in place of the interpreter."""
    path = tmp_path / "child"
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)
    return str(path)


def test_an_artefact_that_training_writes_passes() -> None:
    keys = [bytes([number % 251]) * 16 for number in range(30_000)]
    assert (
        reason_to_reject(serialise({"user_keys": keys, "pairs": list(enumerate(keys)), "a": np.ones(9)}))
        is None
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (MEMO_OF_16_GIB, "reading it takes more than 128 MiB of memory"),
        (b"\x80\x04" + b"]" * 4_000_000 + b".", "reading it takes more than 158 MiB of memory"),
        (b"cos\nsystem\n(S'true'\ntR.", "it is not a readable pickle"),
        (b"", "it is not a readable pickle"),
    ],
)
def test_a_pickle_that_does_harm_does_it_in_the_child(content: bytes, reason: str) -> None:
    assert reason_to_reject(content) == reason


def test_a_crash_of_the_child_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", a_child_that(tmp_path, "kill -SEGV $$"))

    assert reason_to_reject(b"any") == "reading it ended with SIGSEGV"


def test_the_child_has_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    monkeypatch.setattr(sys, "executable", a_child_that(tmp_path, f"env > {tmp_path}/seen"))

    assert reason_to_reject(b"any") is None
    assert "secret" not in (tmp_path / "seen").read_text()


def test_without_a_child_process_the_artefact_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))

    assert reason_to_reject(b"any") is None
    assert "No such file" in caplog.text


def test_a_signed_artefact_that_takes_too_much_memory_is_rejected(tmp_path: Path) -> None:
    service = FileModelRegistry(tmp_path / "models", KEYS, trial=reason_to_reject)
    publish(FileModelRegistry(tmp_path / "good", KEYS))
    assert KEYS.signer is not None
    plant(tmp_path / "models", MEMO_OF_16_GIB, KEYS.signer)

    with pytest.raises(InvalidArtifact, match=r"model_20260113_120000\.pkl: reading it takes more than"):
        service.load("v1")
    assert FileModelRegistry(tmp_path / "good", KEYS, trial=reason_to_reject).load("v1")["name"] == "a model"
