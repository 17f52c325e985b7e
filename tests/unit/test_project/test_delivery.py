"""The files that build, run and check the project agree with each other."""

import re
import tomllib
from itertools import chain
from typing import Any

import pytest
import yaml

from app.infrastructure.database.embedded import CHECKOUT

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()


def compose() -> dict[str, Any]:
    return yaml.safe_load((CHECKOUT / "docker-compose.dev.yml").read_text())


def ci_commands(job: str) -> str:
    """What a job of the workflow runs, continued lines joined."""
    workflow = yaml.safe_load((CHECKOUT / ".github/workflows/ml-service-ci.yml").read_text())
    return "\n".join(step.get("run", "") for step in workflow["jobs"][job]["steps"]).replace("\\\n", " ")


def test_ci_calls_the_same_command_as_everyone() -> None:
    commands = [
        line
        for line in (CHECKOUT / ".ci/run").read_text().splitlines()
        if line and not line.startswith(("#", "set ", "cd "))
    ]

    assert commands == ["exec ./scripts/run_tests.sh"]
    assert "./scripts/run_tests.sh" in ci_commands("lint-and-test").splitlines()
    assert "./scripts/run_tests.sh --all" in ci_commands("whole-stack").splitlines()


def test_ci_builds_every_image_from_files_that_are_there() -> None:
    builds = re.findall(r"docker build .*", ci_commands("docker-build"))
    named = {
        option: set(re.findall(rf"{option}[= ](\S+)", "\n".join(builds)))
        for option in ("--target", "--file", "SERVE_LOCK")
    }

    assert named["--target"] == {"serve", "train"}
    assert named["--file"] == {"web/Dockerfile"}
    assert all((CHECKOUT / one).is_file() for one in named["--file"] | named["SERVE_LOCK"])
    assert named["SERVE_LOCK"] == {"requirements-tracing.lock"}


def test_the_test_command_scans_for_secrets_and_ci_scans_every_file() -> None:
    commands = (CHECKOUT / "scripts/run_tests.sh").read_text()

    assert "\nscripts/scan_secrets.sh $scanned\n" in commands
    assert "scanned=--all" in commands
    assert '"S",' in (CHECKOUT / "ruff.toml").read_text()  # the checks of bandit


def test_ci_keeps_the_bill_of_materials_of_each_image() -> None:
    commands = ci_commands("docker-build")

    locks = re.findall(r"scripts/sbom\.sh (\S+) \S+\.cdx\.json", commands)

    assert set(locks) == {"requirements-serve.lock", "requirements-train.lock"}
    assert all(f"{lock}" in DOCKERFILE for lock in locks)


def test_every_stage_that_compose_builds_is_in_the_dockerfile() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))

    ours = {
        s["build"]["target"]
        for s in compose()["services"].values()
        if s.get("build", {}).get("context") == "."
    }

    assert ours & {"serve", "train"} == {"serve", "train"}
    assert ours - {"web"} <= stages


def test_the_default_image_serves() -> None:
    assert re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)[-1] == "serve"


def test_no_image_runs_as_root_or_takes_its_base_from_an_unpinnable_place() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - {"installer", "runtime"}

    assert users == ["10001", "10001"]
    assert bases == {"${PYTHON_IMAGE}"}


@pytest.mark.parametrize("service", ["ml-service", "prepare"])
def test_our_containers_are_confined(service: str) -> None:
    definition = compose()["services"][service]

    assert definition["read_only"] is True
    assert definition["cap_drop"] == ["ALL"]
    assert definition["init"] is True


def test_compose_publishes_ports_on_the_loopback_only() -> None:
    ports = [port for service in compose()["services"].values() for port in service.get("ports", [])]

    assert ports
    assert [port for port in ports if not str(port).startswith("127.0.0.1:")] == []


def test_the_service_waits_for_the_tables_and_the_model() -> None:
    waits = compose()["services"]["ml-service"]["depends_on"]

    assert waits["prepare"]["condition"] == "service_completed_successfully"
    assert waits["postgres"]["condition"] == "service_healthy"


def test_every_package_has_its_reason_in_the_decision_record() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    record = (CHECKOUT / "docs/adr/0001-dependencies.md").read_text()
    reasons = " ".join(line.split("|")[1] for line in record.splitlines() if line.startswith("| "))
    named = set(re.findall(r"[a-z][a-z0-9-]*", reasons))
    plugins = {"pytest-cov", "pytest-timeout", "pytest-xdist", "types-psycopg2", "types-pyyaml"}

    packages = {
        re.split(r"[^A-Za-z0-9_.-]", requirement)[0]
        for requirement in chain(project["dependencies"], *project["optional-dependencies"].values())
    }

    assert packages - named - plugins - {project["name"]} == set()
