"""What a replay on Spark needs on this machine: the package pyspark, and Java."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from app.shared.exceptions import ConfigurationError

MIN_JAVA: Final = 17
_JAVA_TIMEOUT_SECONDS: Final = 30


def check_requirements() -> None:
    """Raise ConfigurationError unless pyspark is installed and Java is new enough."""
    if find_spec("pyspark") is None:
        raise ConfigurationError(
            "TRAINING_ENGINE=spark: pyspark is not installed; install requirements-spark.lock, or set "
            "TRAINING_ENGINE=local"
        )
    version = _java_version()
    if version is None or version < MIN_JAVA:
        found = "no Java was found" if version is None else f"Java {version} is too old"
        raise ConfigurationError(
            f"TRAINING_ENGINE=spark: {found}; install Java {MIN_JAVA} and put it on the PATH or in JAVA_HOME, or set "
            "TRAINING_ENGINE=local"
        )


def _java_version() -> int | None:
    """The major version of the Java that Spark starts; None if there is none."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if java is None:
        return None
    command = [java, "-version"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_JAVA_TIMEOUT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(version[1]) if version else None
