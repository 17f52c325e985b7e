"""Log lines reach standard output, and never hold up the thread that writes them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from app.infrastructure.database.embedded.locks import wait_until
from app.shared.log_output import LogOutput

LINE = b"x" * 999 + b"\n"
BYTES_OF_PIPE = 65_536


@dataclass
class Pipe:
    reader: int
    writer: int


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    one = Pipe(*os.pipe())
    yield one
    for descriptor in (one.reader, one.writer):
        with suppress(OSError):  # the test closed it
            os.close(descriptor)


def test_lines_are_written_in_order_until_the_output_is_closed(pipe: Pipe) -> None:
    output = LogOutput(pipe.writer)

    for number in range(100):
        output.write(b"%d\n" % number)
    output.close()

    assert os.read(pipe.reader, BYTES_OF_PIPE) == b"".join(b"%d\n" % number for number in range(100))
    assert output.dropped == 0


def test_a_reader_that_does_not_read_costs_lines_but_no_time(pipe: Pipe) -> None:
    output = LogOutput(pipe.writer, max_waiting_lines=100)

    for _ in range(1000):
        output.write(LINE)
    dropped = output.dropped
    written = b""
    while len(written) < (1000 - dropped) * len(LINE):
        written += os.read(pipe.reader, BYTES_OF_PIPE)
    output.close()

    assert dropped >= 1000 - 100 - 2 * BYTES_OF_PIPE // len(LINE)
    assert written == LINE * (1000 - dropped)


def test_a_closed_pipe_costs_lines_and_nothing_else(pipe: Pipe) -> None:
    output = LogOutput(pipe.writer)
    os.close(pipe.reader)

    output.write(LINE)
    assert wait_until(lambda: output.dropped == 1, 10)
    output.write(LINE)
    output.close()

    assert output.dropped == 2


def test_dropped_lines_are_a_metric(pipe: Pipe) -> None:
    output = LogOutput(pipe.writer, max_waiting_lines=0)

    output.write(LINE)

    [metric] = output.collect()
    assert (metric.name, metric.samples[0].value) == ("ml_log_lines_dropped", 1)
