"""kill -9 and two trainings at once: the registry and the active model stay whole."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import model_keys
from tests.support.registries import publish

ROOT = Path(__file__).parents[4]
NAMES = {"v1": "first", "v2": "second", "v3": "third"}


@pytest.mark.slow
@pytest.mark.parametrize("step", [17, pytest.param(3, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_a_kill_before_any_line_of_a_writer_leaves_the_old_state_or_the_new_one(
    step: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", f"{__package__}.kill_at_each_line", str(tmp_path), str(step)]

    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert run.returncode == 0, run.stderr
    states = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(states) > 300 / step
    for state in states:
        assert state["active"] in state["versions"]
        assert state["loads"] == [NAMES[version] for version in state["versions"]]
        assert state["next"] == "next"
        assert state["stray"] == []
    seen = {(tuple(state["versions"]), state["active"]) for state in states}
    assert states[-1]["versions"] == ["v2", "v3"]
    assert {(("v1",), "v1"), (("v1", "v2"), "v2"), (("v1", "v2", "v3"), "v3")} <= seen


def started(folder: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"{__package__}.publish_in_a_loop", str(folder), str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def lines_of(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


@pytest.mark.slow
def test_two_trainings_at_once_publish_versions_of_their_own(tmp_path: Path) -> None:
    both = [started(tmp_path, 12), started(tmp_path, 12)]

    said = [process.communicate()[0].split() for process in both]

    registry = FileModelRegistry(tmp_path / "models", model_keys(None, [], tmp_path / "keys", signs=False))
    records = registry.records()
    assert sorted(said[0] + said[1]) == sorted(record.version for record in records)
    assert len({record.filename for record in records}) == 24
    assert [record.version for record in records] == [f"v{number}" for number in range(1, 25)]
    assert [record.status for record in records] == ["inactive"] * 23 + ["active"]
    for record in records:
        assert registry.load(record.version)["name"] == "a model"


@pytest.mark.slow
def test_a_published_version_outlives_a_kill_at_any_time(tmp_path: Path) -> None:
    chance = random.Random(3)
    registry = FileModelRegistry(tmp_path / "models", model_keys(None, [], tmp_path / "keys", signs=True))
    publish(registry)
    known = {"v1"}

    for _ in range(8):
        process = started(tmp_path, 10_000)
        said = [next(lines_of(process)).strip() for _ in range(chance.randint(1, 6))]
        try:
            process.wait(chance.random() * 0.02)  # a time to live, not a time to hope for
        except subprocess.TimeoutExpired:
            process.kill()
        said += lines_of(process).read().split()
        process.wait()
        known.update(said)

        versions = [record.version for record in registry.records()]
        active = registry.active()
        assert known <= set(versions)
        assert active is not None
        assert active.version == versions[-1]
        assert registry.load(active.version)["name"] == "a model"
        known.update(versions)
