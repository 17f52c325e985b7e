"""A PostgreSQL for one run of the web tests: migrated, on loopback, started and stopped by lines on standard input.

python postgres.py FOLDER     prints its DSN; then `stop` and `start` are answered with `stopped` and the DSN;
                              at the end of the input the server ends
"""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(CHECKOUT))

from app.infrastructure.database.embedded import EmbeddedPostgres  # noqa: E402
from tests.postgres import migrate  # noqa: E402


def main(folder: Path) -> int:
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
