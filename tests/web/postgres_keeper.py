"""A PostgreSQL for one run of the web tests: migrated, on loopback, started and stopped by lines on standard input.

`python -m tests.web.postgres_keeper FOLDER` prints its DSN; then `stop` and `start` are answered with `stopped` and
the DSN; at the end of the input the server ends.
"""

import sys
from pathlib import Path

from app.infrastructure.database.embedded import EmbeddedPostgres
from tests.postgres import migrate


def main(folder: Path) -> int:
    """Keep the server of `folder` until the input ends; the exit status."""
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
