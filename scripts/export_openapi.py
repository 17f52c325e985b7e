"""Write the API's own description to openapi.json, from which the client package's types are made.

python scripts/export_openapi.py           writes openapi.json
python scripts/export_openapi.py --check   exit 1, and one line, when it is not what the service would say
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENT = CHECKOUT / "openapi.json"
sys.path.insert(0, str(CHECKOUT))


def described() -> str:
    """The OpenAPI document of an open service (no API_KEYS), as it is committed."""
    os.environ.pop("API_KEYS", None)
    from app.main import app  # after the environment is settled

    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status of the command."""
    parser = argparse.ArgumentParser(description="The API's own description as openapi.json")
    parser.add_argument("--check", action="store_true", help="only compare, exit 1 when it differs")
    arguments = parser.parse_args(argv)
    document = described()
    if not arguments.check:
        DOCUMENT.write_text(document, encoding="utf-8")
        return 0
    if DOCUMENT.is_file() and DOCUMENT.read_text(encoding="utf-8") == document:
        return 0
    print("openapi.json is out of date: run python scripts/export_openapi.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
