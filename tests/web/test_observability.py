"""Tests of the monitoring: scrape config, rules and alerts with promtool, dashboard queries with Prometheus."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.database.embedded.locks import (free_port, wait_until)

PROMETHEUS = CHECKOUT / "deploy" / "prometheus"
GRAFANA = CHECKOUT / "deploy" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "feed.json").read_text())
ALERTS = yaml.safe_load((PROMETHEUS / "rules" / "alerts.yml").read_text())
OWN_METRIC = re.compile(r"\b((?:ml|web|feed)_[a-z_0-9]+)")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)


def queries() -> list[str]:
    """The queries of all panels of the dashboard."""
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)


@needs_promtool
def test_prometheus_accepts_the_scrape_config_and_the_rules() -> None:
    config = promtool("check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")
    rules = promtool("check", "rules", *sorted((PROMETHEUS / "rules").glob("*.yml")))

    assert config.returncode == 0, config.stdout + config.stderr
    assert rules.returncode == 0, rules.stdout + rules.stderr


@needs_promtool
def test_every_alert_fires_only_under_its_condition() -> None:
    result = promtool("test", "rules", PROMETHEUS / "tests" / "alerts.test.yml")

    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    tests = yaml.safe_load((PROMETHEUS / "tests" / "alerts.test.yml").read_text())["tests"]
    tested = {
        case["alertname"] for test in tests for case in test.get("alert_rule_test", []) if case["exp_alerts"]
    }

    assert {rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]} == tested


def test_every_metric_in_a_query_is_exported() -> None:
    service = "".join(path.read_text() for path in (CHECKOUT / "app").rglob("*.py"))
    web = "".join(
        path.read_text() for folder in ("lib", "app") for path in (CHECKOUT / "web" / folder).rglob("*.ts")
    )
    rules = "".join(path.read_text() for path in (PROMETHEUS / "rules").glob("*.yml"))
    queried = {
        re.sub(r"_(bucket|sum|count|total)$", "", name)
        for name in OWN_METRIC.findall(rules + "\n".join(queries()))
    }

    assert len(queried) > 10
    assert {name for name in queried if name not in service + web} == set()


def test_the_dashboard_is_provisioned_from_a_mounted_folder() -> None:
    compose = yaml.safe_load((CHECKOUT / "docker-compose.dev.yml").read_text())["services"]["grafana"]
    source = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())
    provider = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "feed.yml").read_text())
    mounted = {volume.split(":")[1] for volume in compose["volumes"]}

    assert provider["providers"][0]["options"]["path"] in mounted
    assert "/etc/grafana/provisioning" in mounted
    assert {
        target["datasource"]["uid"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])
    } == {source["datasources"][0]["uid"]}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running Prometheus with our rules and no scrape target. Returns its URL."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian: apt-get install prometheus)")
    folder = tmp_path_factory.mktemp("prometheus")
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({"rule_files": [str(PROMETHEUS / "rules" / "*.yml")]}))
    port = free_port()
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        assert wait_until(lambda: is_ready(url), 30), (folder / "log").read_text()
        yield url
    finally:
        server.terminate()
        server.wait(10)


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_prometheus_accepts_every_query_of_the_dashboard(prometheus: str, query: str) -> None:
    parameters = urllib.parse.urlencode({"query": query, "time": time.time()})

    try:
        with urllib.request.urlopen(f"{prometheus}/api/v1/query?{parameters}", timeout=10) as response:
            status = json.load(response)["status"]
    except urllib.error.HTTPError as error:
        status = error.read().decode()

    assert status == "success"
