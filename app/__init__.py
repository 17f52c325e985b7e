"""Feed recommendation service: which posts should this user see now?"""

import sys
from importlib.util import find_spec
from types import TracebackType

# `uv run` silently takes the system's Python where there is no .venv. Say so here, where everything passes
# by, rather than fail on whichever package happens to be imported first.
if find_spec("pydantic_settings") is None:
    print(
        f"The locked environment is not there ({sys.executable} lacks its packages):"
        " run `bash scripts/setup.sh` first",
        file=sys.stderr,
    )
    sys.exit(2)

_report = sys.excepthook


def _report_quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Ctrl-C ends a command with one line. Python then dies by the signal: 130 to a shell, whose script stops too."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        _report(kind, error, trace)


sys.excepthook = _report_quietly
