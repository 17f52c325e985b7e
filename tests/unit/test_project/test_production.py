"""The files of a production deployment: their limits agree, keys are where they belong, and nothing runs as root."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from app.infrastructure.config.settings import Settings
from app.infrastructure.database.embedded import CHECKOUT

COMPOSE: Final = yaml.safe_load((CHECKOUT / "deploy/compose.prod.yml").read_text())
SERVICES: Final[dict[str, Any]] = COMPOSE["services"]
DEVELOPMENT: Final = yaml.safe_load((CHECKOUT / "docker-compose.dev.yml").read_text())["services"]
KUBERNETES: Final = sorted((CHECKOUT / "deploy/kubernetes").glob("*.yaml"))
MANIFESTS: Final = [one for path in KUBERNETES for one in yaml.safe_load_all(path.read_text())]
REPLICAS: Final = ("replica1", "replica2")
SECRETS: Final = re.compile(r"PASSWORD|SECRET|SIGNING_KEY|TRUSTED_KEYS|API_KEYS_FILE")
MIB: Final = 2**20
UNITS: Final = {"m": MIB, "g": 1024 * MIB, "Mi": MIB, "Gi": 1024 * MIB}
IDLE_CONNECTIONS_SECONDS, FLUSH_SECONDS = 1, 5
TRIAL_BYTES, TRIAL_FACTOR = 128 * MIB, 8  # what trying an artefact takes, see docs/operations.md
SERVICE_BYTES = 768 * MIB  # what is left for the feed and the model at least


def bytes_of(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def seconds_of(text: str) -> int:
    return int(text.removesuffix("s"))


def manifest(kind: str, name: str) -> dict[str, Any]:
    return next(one for one in MANIFESTS if (one["kind"], one["metadata"]["name"]) == (kind, name))


def pod(kind: str, name: str) -> dict[str, Any]:
    spec = manifest(kind, name)["spec"]
    spec = spec.get("jobTemplate", {"spec": spec})["spec"]
    return dict(spec["template"]["spec"])


def shutdown_seconds(environment: dict[str, str]) -> int:
    """The longest time from SIGTERM to the end of the process."""
    waits = int(environment["DRAIN_SECONDS"]) + int(environment["SHUTDOWN_GRACE_SECONDS"])
    return waits + IDLE_CONNECTIONS_SECONDS + FLUSH_SECONDS


def pod_environment(name: str = "feed-service") -> dict[str, str]:
    return {one["name"]: one["value"] for one in pod("Deployment", name)["containers"][0]["env"]}


# -- compose ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined_and_limited(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert bytes_of(service["mem_limit"]) > 0
    assert service["pids_limit"]
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert "postgres:" not in service["image"] or service["user"] == "postgres"


def test_the_private_key_is_with_trainer_and_follower_alone() -> None:
    holders = [name for name, one in SERVICES.items() if "MODEL_SIGNING_KEY" in one.get("environment", {})]
    keys = {one["metadata"]["name"] for one in MANIFESTS if "MODEL_SIGNING_KEY" in one.get("stringData", {})}
    users = {
        name
        for kind, name in (
            ("Deployment", "feed-service"),
            ("CronJob", "feed-trainer"),
            ("Deployment", "feed-follower"),
            ("Job", "feed-migrate"),
        )
        if {"secretRef": {"name": "feed-trainer"}} in pod(kind, name)["containers"][0]["envFrom"]
    }

    assert holders == ["trainer", "follower"]
    assert keys == {"feed-trainer"}
    assert users == {"feed-trainer", "feed-follower"}
    assert all("MODEL_TRUSTED_KEYS" in SERVICES[name]["environment"] for name in REPLICAS)


def test_in_development_the_service_does_not_mount_the_private_key() -> None:
    volumes = {
        name: {volume.split(":")[0] for volume in DEVELOPMENT[name]["volumes"]}
        for name in ("prepare", "ml-service")
    }

    assert "training-keys" in volumes["prepare"] - volumes["ml-service"]
    assert "service-keys:/srv/keys" in DEVELOPMENT["ml-service"]["volumes"]
    assert "service-keys" in volumes["prepare"]  # for the public key


def test_no_secret_has_a_default_and_the_example_names_each_of_them() -> None:
    text = (CHECKOUT / "deploy/compose.prod.yml").read_text()
    variables = dict(re.findall(r"\$\{(\w+)(:[-?][^}]*)?\}", text))
    secrets = {name for name in variables if SECRETS.search(name)}
    example = re.findall(
        r"^(\w+)=(.*)$", (CHECKOUT / "deploy/production.env.example").read_text(), re.MULTILINE
    )

    assert len(secrets) == 7
    assert {name for name in secrets if not variables[name].startswith(":?")} == set()
    assert example == [(name, "") for name, _ in example]
    assert {name for name, _ in example} == secrets


def test_replicas_differ_in_their_snapshots_only_and_share_the_models() -> None:
    first, second = (SERVICES[name] for name in REPLICAS)

    assert {key for key in first if first[key] != second[key]} == {"volumes"}
    assert set(first["volumes"]) & set(second["volumes"]) == {"models:/srv/models:ro"}
    assert set(SERVICES["haproxy"]["environment"].values()) == {f"{name}:8000" for name in REPLICAS}


def test_only_the_balancer_is_published_and_on_the_loopback() -> None:
    ports = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}

    assert ports == {"haproxy": ["127.0.0.1:${PUBLIC_PORT:-8080}:8080"]}
    assert COMPOSE["networks"]["inner"]["internal"] is True
    assert {name for name, one in SERVICES.items() if one["networks"] != ["inner"]} == {"haproxy"}


def test_replicas_use_the_role_with_few_rights() -> None:
    owners = {name for name, one in SERVICES.items() if "POSTGRES_PASSWORD" in str(one.get("environment"))}

    assert owners == {"migrate", "rights", "postgres", "backup"}
    assert {
        SERVICES[name]["environment"]["DATABASE_URL"].split(":")[1]
        for name in (*REPLICAS, "trainer", "follower")
    } == {"//feed_service"}


# -- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPLICAS)
def test_the_limits_of_a_replica_agree(name: str) -> None:
    service = SERVICES[name]
    environment = service["environment"]
    trial_bytes = TRIAL_BYTES + TRIAL_FACTOR * int(environment["MODEL_SIZE_LIMIT_BYTES"])

    assert bytes_of(service["mem_limit"]) >= trial_bytes + SERVICE_BYTES
    assert seconds_of(service["stop_grace_period"]) > shutdown_seconds(environment)
    assert environment.keys() - {name.upper() for name in Settings.model_fields} == set()


def test_the_limits_of_a_pod_agree() -> None:
    spec = pod("Deployment", "feed-service")
    environment, container = pod_environment(), spec["containers"][0]
    trial_bytes = TRIAL_BYTES + TRIAL_FACTOR * int(environment["MODEL_SIZE_LIMIT_BYTES"])
    ready = container["readinessProbe"]

    assert bytes_of(container["resources"]["limits"]["memory"]) >= trial_bytes + SERVICE_BYTES
    assert spec["terminationGracePeriodSeconds"] > shutdown_seconds(environment)
    assert int(environment["DRAIN_SECONDS"]) >= ready["periodSeconds"] * ready["failureThreshold"]
    assert environment.keys() - {name.upper() for name in Settings.model_fields} == set()


def test_training_publishes_no_artefact_that_the_service_rejects_as_too_large() -> None:
    trainer = pod("CronJob", "feed-trainer")["containers"][0]["env"]
    sizes = {
        one["environment"].get("MODEL_SIZE_LIMIT_BYTES")
        for name, one in SERVICES.items()
        if "environment" in one
    }

    assert sizes - {None} == {pod_environment()["MODEL_SIZE_LIMIT_BYTES"]}
    assert {"name": "MODEL_SIZE_LIMIT_BYTES", "value": pod_environment()["MODEL_SIZE_LIMIT_BYTES"]} in trainer


def test_a_health_check_gives_up_before_the_next_one_begins() -> None:
    checks = [one["healthcheck"] for one in SERVICES.values() if "healthcheck" in one]

    assert len(checks) == 3
    assert all(seconds_of(one["timeout"]) < seconds_of(one["interval"]) for one in checks)


# -- Kubernetes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Deployment", "feed-service"),
        ("Deployment", "feed-follower"),
        ("CronJob", "feed-trainer"),
        ("Job", "feed-migrate"),
    ],
)
def test_every_pod_is_confined_and_limited(kind: str, name: str) -> None:
    spec = pod(kind, name)

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]


def test_two_pods_serve_while_a_node_is_drained_or_a_version_is_rolled_out() -> None:
    deployment = manifest("Deployment", "feed-service")["spec"]
    labels = deployment["template"]["metadata"]["labels"]

    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert manifest("PodDisruptionBudget", "feed-service")["spec"]["selector"]["matchLabels"] == labels
    assert manifest("Service", "feed-service")["spec"]["selector"] == labels
    assert manifest("NetworkPolicy", "feed-service")["spec"]["podSelector"]["matchLabels"] == labels


def test_every_secret_and_claim_that_a_pod_needs_is_in_the_manifests_without_a_value() -> None:
    secrets = {one["metadata"]["name"]: one["stringData"] for one in MANIFESTS if one["kind"] == "Secret"}
    needed = set(
        re.findall(r"(?:secretRef: \{ name: |secretName: )([\w-]+)", "".join(map(Path.read_text, KUBERNETES)))
    )

    assert needed == secrets.keys()
    assert {value for values in secrets.values() for value in values.values()} == {""}


@pytest.mark.slow
@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_the_manifests_follow_the_schemas_of_kubernetes(path: Path) -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="uv pip install -r requirements-delivery.lock"
    )

    for one in yaml.safe_load_all(path.read_text()):
        validate.validate(one, "1.31", strict=True)


# -- backups ---------------------------------------------------------------------------------------------------------


def test_a_backup_without_a_folder_or_a_command_ends_with_a_message(tmp_path: Path) -> None:
    script = ["bash", str(CHECKOUT / "deploy/backup.sh")]
    path = {"PATH": os.environ["PATH"]}

    no_folder = subprocess.run([*script, "once"], env=path, capture_output=True, text=True, check=False)
    no_command = subprocess.run(
        script, env={**path, "BACKUP_DIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )

    assert (no_folder.returncode, "BACKUP_DIR" in no_folder.stderr) == (1, True)
    assert (no_command.returncode, "backup.sh once" in no_command.stderr) == (2, True)
