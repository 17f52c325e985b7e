"""Feed recommendation service: which posts should this user see now?"""

import sys
from importlib.util import find_spec

# `uv run` silently takes the system's Python where there is no .venv. Say so here, where everything passes
# by, rather than fail on whichever package happens to be imported first.
if find_spec("pydantic_settings") is None:
    print(
        f"The locked environment is not there ({sys.executable} lacks its packages):"
        " run `bash scripts/setup.sh` first",
        file=sys.stderr,
    )
    sys.exit(2)
