"""Runs a PostgreSQL with all migrations for the web tests, which control it through standard input.

`python -m tests.web.postgres_process FOLDER` starts the server on loopback and prints its DSN. The line `stop` stops
the server and prints `stopped`. The line `start` starts it again and prints the DSN. The end of the input ends it.
"""

import sys
from pathlib import Path

from app.infrastructure.database.embedded import EmbeddedPostgres
from tests.support.postgres import (migrate)


def main(folder: Path) -> int:
    """Run the server in `folder` until the input ends. Returns the exit status."""
    server = EmbeddedPostgres(folder, durable=False)
    with server as url:
        migrate(url)
        print(url, flush=True)
        for line in sys.stdin:
            if line.strip() == "stop":
                server.stop(force=True)
                print("stopped", flush=True)
            elif line.strip() == "start":
                print(server.start(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
