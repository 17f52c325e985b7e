"""Standard output for log lines: a bounded queue, so that no request and no worker waits for the reader of the log."""

import atexit
import os
import threading
from collections import deque
from collections.abc import Iterator
from functools import cache

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

MAX_WAITING_LINES = 10_000
_PAUSE_SECONDS = 0.02  # lines of this time are written together
_CLOSE_SECONDS = 1.0
_STDOUT = 1


class LogOutput(Collector):
    """A file for lines of bytes. A thread writes them to a file descriptor.

    Lines are dropped and counted while too many wait, because nobody reads the pipe, and if they cannot be written,
    because the pipe is closed or the disk is full.

    dropped  number of lines that were not written
    """

    def __init__(self, descriptor: int, max_waiting_lines: int = MAX_WAITING_LINES) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._max_waiting_lines = max_waiting_lines
        self._lines: deque[bytes] = deque()
        self._has_lines = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-output", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Queue a line, or drop it. Never waits and never raises."""
        if len(self._lines) >= self._max_waiting_lines:
            self.dropped += 1
            return
        self._lines.append(line)
        if not self._has_lines.is_set():
            self._has_lines.set()

    def flush(self) -> None:
        """Nothing: `close` waits for queued lines."""

    def close(self) -> None:
        """Write the queued lines, for a limited time."""
        self._closing.set()
        self._has_lines.set()
        self._thread.join(_CLOSE_SECONDS)

    def collect(self) -> Iterator[Metric]:
        """The metric of dropped lines."""
        yield CounterMetricFamily("ml_log_lines_dropped", "Log lines that were not written", self.dropped)

    def _run(self) -> None:
        while True:
            self._has_lines.wait()
            is_last = self._closing.wait(_PAUSE_SECONDS)
            self._has_lines.clear()
            self._write_queued()
            if is_last:
                return

    def _write_queued(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        rest = memoryview(b"".join(lines))
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            self.dropped += bytes(rest).count(b"\n")


@cache
def standard_output() -> LogOutput:
    """The output of this process. Queued lines are written when the process exits."""
    output = LogOutput(_STDOUT)
    atexit.register(output.close)
    return output
