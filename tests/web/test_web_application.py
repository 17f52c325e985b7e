"""Runs the tests of the web application and the client package (scripts/run_web_tests.sh)."""

import os
import subprocess

import pytest

from app.infrastructure.database.embedded import CHECKOUT

SKIPPED_STATUS = 77


def run_web_tests(*options: str) -> None:
    """Run the script. Its failure fails the test, and its reason to skip skips the test."""
    result = subprocess.run(
        ["bash", "scripts/run_web_tests.sh", *options],
        cwd=CHECKOUT,
        env={key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "API_KEYS")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode == SKIPPED_STATUS:
        pytest.skip(result.stdout.strip().splitlines()[-1])
    assert result.returncode == 0, result.stdout[-20_000:]


@pytest.mark.timeout(600)
def test_the_web_application_and_the_client_package_pass_their_unit_tests() -> None:
    run_web_tests()


@pytest.mark.browser
@pytest.mark.timeout(1800)
def test_the_system_works_in_a_real_browser() -> None:
    run_web_tests("--browser")
