"""Tests of the npm scripts of the owner's design, in the root of the repository."""

import json
import os
import shutil
import subprocess

import pytest

from app.infrastructure.database.embedded import CHECKOUT

PACKAGE = json.loads((CHECKOUT / "package.json").read_text())


def test_the_scripts_are_exactly_those_of_the_design() -> None:
    assert list(PACKAGE["scripts"]) == [
        "ml:dev",
        "ml:generate-data",
        "ml:seed",
        "ml:train",
        "ml:evaluate",
        "ml:test",
        "ml:lint",
        "ml:format",
        "dev:full",
    ]


@pytest.mark.parametrize("name", [name for name in PACKAGE["scripts"] if name.startswith("ml:")])
def test_every_ml_script_sets_up_the_environment_first(name: str) -> None:
    assert PACKAGE["scripts"][name].startswith("./scripts/with_setup.sh uv run ")


def test_a_script_passes_its_options_on_and_returns_the_exit_status() -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")

    def generate(*options: str) -> subprocess.CompletedProcess[str]:
        npm = ["npm", "run", "--silent", "ml:generate-data", "--", *options]
        return subprocess.run(npm, cwd=CHECKOUT, env=os.environ, capture_output=True, text=True)

    listed, invalid = generate("--help"), generate("--users", "many")

    assert listed.returncode == 0
    assert "--interactions" in listed.stdout
    assert invalid.returncode == 2
    assert "argument --users: 'many'" in invalid.stderr


def test_the_lock_file_contains_no_registry_url() -> None:
    lock = json.loads((CHECKOUT / "package-lock.json").read_text())

    urls = {entry["resolved"] for entry in lock["packages"].values() if "resolved" in entry}

    assert urls <= {"packages/feed-client", "web"}
