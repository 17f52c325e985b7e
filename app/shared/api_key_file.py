"""API_KEYS_FILE: keys with scopes, read again while the service runs.

One line a key: the SHA-256 of the key in hexadecimal digits, a name, and scopes, separated by spaces or commas.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Final, cast

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.shared.api_keys import SCOPES, ApiKey, Scope, sha256
from app.shared.exceptions import ConfigurationError

log = structlog.get_logger()

_CHECK_SECONDS: Final = 1.0
_MAX_BYTES: Final = 1024**2
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
_NAME: Final = re.compile(r"[\w.:@/-]{1,64}", re.ASCII)
_NO_KEY: Final = sha256(b"")
_Identity = tuple[int, int, int]  # of a version of the file: inode, size, time of change in nanoseconds


class ApiKeyFile(Collector):
    """The keys of API_KEYS and of the file. A key that is in both has the scopes of the file.

    The file is checked at most once a second. While it is bad or missing, the keys of the last good version are valid.
    """

    def __init__(
        self, path: Path, others: Mapping[bytes, ApiKey], clock: Callable[[], float] = monotonic
    ) -> None:
        """`others` are those of API_KEYS, by SHA-256. Raises ConfigurationError if the file cannot be used."""
        self._path = path
        self._others = others
        self._clock = clock
        self._is_failing = False
        self._checked_at = clock()
        self._version: _Identity | None = None
        self._keys: Mapping[bytes, ApiKey] = {}
        self._read()

    def find(self, digest: bytes) -> ApiKey | None:
        """The key with this SHA-256, from the present version of the file."""
        now = self._clock()
        if now - self._checked_at >= _CHECK_SECONDS:
            self._checked_at = now
            self._read_if_changed()
        return self._keys.get(digest)

    def _read_if_changed(self) -> None:
        try:
            if self._path.exists() and _identity(self._path.stat()) == self._version:
                return
            self._version = None  # the same file may come back
            self._read()
        except (ConfigurationError, OSError) as error:
            if not self._is_failing:
                log.warning("api_keys.not_read", cause=str(error), hint="the keys of before are still valid")
            self._is_failing = True
            return
        self._is_failing = False
        log.info("api_keys.read", path=str(self._path), keys=len(self._keys))

    def _read(self) -> None:
        """Replace the keys. Raises ConfigurationError with file, line, problem and remedy."""
        try:
            with self._path.open("rb") as file:
                version = _identity(os.fstat(file.fileno()))
                content = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise ConfigurationError(
                f"API_KEYS_FILE: {self._path}: {error.strerror}; set the path of a file that the service can read"
            ) from None
        self._version = version  # a bad version is not read again
        self._keys = {**self._others, **_parse(content, self._path)}

    def collect(self) -> Iterator[Metric]:
        """The metric of a file that cannot be used."""
        yield GaugeMetricFamily(
            "ml_api_keys_file_failing",
            "1 while API_KEYS_FILE cannot be used and the keys of before are valid",
            self._is_failing,
        )


def _identity(status: os.stat_result) -> _Identity:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _parse(content: bytes, path: Path) -> Mapping[bytes, ApiKey]:
    """The keys by SHA-256. Raises ConfigurationError if a line is bad or there is no key."""
    if len(content) > _MAX_BYTES:
        raise ConfigurationError(f"{path}: the file is larger than {_MAX_BYTES} bytes; is it the right one?")
    keys: dict[bytes, ApiKey] = {}
    for number, line in enumerate(content.decode("utf-8-sig", "replace").splitlines(), 1):
        fields = re.split(r"[\s,]+", line.partition("#")[0].strip())
        if fields == [""]:
            continue
        try:
            digest, key = _parse_fields(fields)
            if digest in keys:
                raise ValueError(f"the key is already in the line of {keys[digest].name!r}; keep one of them")
        except ValueError as error:
            raise ConfigurationError(f"{path}:{number}: {error}") from None
        keys[digest] = key
    if not keys:
        raise ConfigurationError(
            f"{path}: no key in the file; add a line with SHA-256, name and scopes, or unset API_KEYS_FILE"
        )
    return keys


def _parse_fields(fields: list[str]) -> tuple[bytes, ApiKey]:
    """The SHA-256 and the key of a line. Raises ValueError, which does not quote what may be a secret."""
    if not _SHA256.fullmatch(fields[0]):
        raise ValueError("the line must start with the 64 hexadecimal digits of `printf %s KEY | sha256sum`")
    digest = bytes.fromhex(fields[0])
    if digest == _NO_KEY:
        raise ValueError("this is the SHA-256 of an empty text; hash the key")
    if len(fields) < 3:
        raise ValueError(f"a name or the scopes are missing; add a name and some of {', '.join(SCOPES)}")
    name, *scopes = fields[1:]
    if not _NAME.fullmatch(name):
        raise ValueError(
            "the name must have 1 to 64 letters, digits or characters of .:@/_-; choose another name"
        )
    unknown = next((scope for scope in scopes if scope not in SCOPES), None)
    if unknown is not None:
        raise ValueError(f"unknown scope {unknown[:40]!r}; use some of {', '.join(SCOPES)}")
    return digest, ApiKey(name, frozenset(cast(list[Scope], scopes)))
