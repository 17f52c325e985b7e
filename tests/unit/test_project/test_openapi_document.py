"""The committed description of the API is what the service says of itself."""

import subprocess
import sys

from app.infrastructure.database.embedded import CHECKOUT


def test_openapi_json_is_what_the_service_says_of_itself() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/export_openapi.py", "--check"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
