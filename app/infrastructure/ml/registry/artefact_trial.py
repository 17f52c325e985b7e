"""Reads the pickle of an artefact in a child process first, with bounded memory and time.

The reader of pickles is native code, and a few forged bytes make it allocate any amount of memory. What ends the child
is then a reason to reject the artefact, and the service continues. The child has no secrets: no environment, no socket.
"""

import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Final

from app.infrastructure.ml.registry.pickle_reading import PlainUnpickler

log = logging.getLogger(__name__)

_LIMIT_SECONDS: Final = 60
_BASE_LIMIT_BYTES: Final = 128 * 1024**2
_LIMIT_BY_SIZE: Final = 8  # in memory, short texts take about 6 times their size in a pickle
# Requests go first where both have one core, and still leave a tenth of it: a published model must serve soon.
_PROGRAM: Final = f"import os; os.nice(10); from {__name__} import read_standard_input; read_standard_input()"
_UNREADABLE, _OUT_OF_MEMORY = 3, 4


def reason_to_reject(content: bytes) -> str | None:
    """Why a child process could not read the pickle in `content`; None if it could, or if no child can be started."""
    limit_bytes = _BASE_LIMIT_BYTES + _LIMIT_BY_SIZE * len(content)
    try:
        done = subprocess.run(
            [sys.executable, "-S", "-c", _PROGRAM, str(limit_bytes)],
            input=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
            timeout=2 * _LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"reading it takes more than {2 * _LIMIT_SECONDS} s"
    except OSError as error:  # the system's fault, not that of the artefact, which is signed
        log.warning("no child process to read an artefact first: %s", error.strerror)
        return None
    if done.returncode == _OUT_OF_MEMORY:
        return f"reading it takes more than {limit_bytes // 1024**2} MiB of memory"
    if done.returncode < 0:
        return f"reading it ended with {signal.Signals(-done.returncode).name}"
    if done.returncode == _UNREADABLE:
        return "it is not a readable pickle"
    if done.returncode:
        log.warning("the child process that reads an artefact first ended with %d", done.returncode)
    return None


def read_standard_input() -> None:
    """The child. Ends the process."""
    _limit(int(sys.argv[1]))
    code = _UNREADABLE
    try:
        PlainUnpickler(sys.stdin.buffer).load()
        code = 0
    except MemoryError:
        code = _OUT_OF_MEMORY
    finally:
        os._exit(code)  # the parts need not be freed one by one


def _limit(memory_bytes: int) -> None:
    """Limit this process, as far as the system can."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (_LIMIT_SECONDS, _LIMIT_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
