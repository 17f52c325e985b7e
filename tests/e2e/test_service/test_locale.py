"""The output of the service and of its commands does not depend on the locale."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service_process import CHECKOUT, environment, running

pytestmark = pytest.mark.slow

POSIX = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_the_service_logs_any_text_in_the_locale_c(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, own_interpreter=True, **POSIX, DATABASE_URL=database_url) as service:
        answer = service.client.put("/users/日本", json={"usernäme": "ß"})
    lines = service.log_file.read_text("utf-8").splitlines()

    assert answer.status_code == 422
    assert "/usernäme" in answer.json()["detail"]
    assert "/users/{user_id}" in {json.loads(line).get("path") for line in lines}


def test_a_migration_reports_a_bad_address_in_the_locale_c() -> None:
    settings = {"DATABASE_URL": "postgresql://ü:ß@localhost:1/ä", "COMMAND_CONNECT_SECONDS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=CHECKOUT,
        env=environment(**POSIX, **settings),
        capture_output=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.decode().startswith("migrations: the database at localhost:1 is not available")
    assert len(done.stderr.splitlines()) == 1
