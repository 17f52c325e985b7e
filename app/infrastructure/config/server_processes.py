"""The number of server processes that share one port."""

import os
import sys
from itertools import pairwise

from app.shared.exceptions import ConfigurationError


def require_single_process() -> None:
    """Reject `--workers` and WEB_CONCURRENCY above 1: feed state and metrics exist once per process.

    Raises ConfigurationError unless PROMETHEUS_MULTIPROC_DIR is set.
    """
    counts = [value for option, value in pairwise(sys.argv) if option == "--workers"]
    counts += [word.partition("=")[2] for word in sys.argv if word.startswith("--workers=")]
    counts.append(os.environ.get("WEB_CONCURRENCY", ""))
    several = any(count.isdigit() and int(count) > 1 for count in counts)
    if several and not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        raise ConfigurationError(
            "--workers: one process per container; run more replicas, or set PROMETHEUS_MULTIPROC_DIR"
        )
