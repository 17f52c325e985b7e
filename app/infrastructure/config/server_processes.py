"""The number of server processes that share one port."""

import os
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise

from app.shared.exceptions import ConfigurationError


def require_single_process(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ
) -> None:
    """Reject `--workers` and WEB_CONCURRENCY above 1: feed state and metrics exist once per process.

    Raises ConfigurationError unless PROMETHEUS_MULTIPROC_DIR is set.
    """
    arguments = sys.argv if arguments is None else arguments
    counts = [value for option, value in pairwise(arguments) if option == "--workers"]
    counts += [word.partition("=")[2] for word in arguments if word.startswith("--workers=")]
    counts.append(environment.get("WEB_CONCURRENCY", ""))
    several = any(count.isdigit() and int(count) > 1 for count in counts)
    if several and not environment.get("PROMETHEUS_MULTIPROC_DIR"):
        raise ConfigurationError(
            "--workers: one process per container; run more replicas, or set PROMETHEUS_MULTIPROC_DIR"
        )
