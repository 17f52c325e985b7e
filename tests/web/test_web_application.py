"""The web application and the client package, by their own tests (scripts/run_web_tests.sh)."""

import os
import subprocess

import pytest

from app.infrastructure.database.embedded import CHECKOUT

SKIPPED = 77


def run_web_tests(*options: str) -> None:
    """What the script found, as this test's result; a reason it gives for skipping is ours as well."""
    done = subprocess.run(
        ["bash", "scripts/run_web_tests.sh", *options],
        cwd=CHECKOUT,
        env={key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "API_KEYS")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout[-20_000:]


@pytest.mark.timeout(600)
def test_the_web_application_and_the_client_package_pass_their_unit_tests() -> None:
    run_web_tests()


@pytest.mark.browser
@pytest.mark.timeout(1200)
def test_the_stack_works_in_a_real_browser() -> None:
    run_web_tests("--browser")
