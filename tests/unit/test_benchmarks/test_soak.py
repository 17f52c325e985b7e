"""The figures of a soak: growth of memory, and shares of requests."""

import numpy as np
import pytest

from benchmarks.soak import summary

HOUR = 3600.0


def loads(**outcomes: int) -> dict[str, dict[str, object]]:
    none = {"outcomes": {}, "p99_seconds": 0.1}
    return {"feeds": {"outcomes": outcomes, "p99_seconds": 0.1}, "events": none, "health": none}


def test_memory_that_grows_after_it_has_settled_is_a_share_in_an_hour() -> None:
    seconds = np.arange(0.0, 1200.0, 10.0)
    memory = np.where(seconds < 300, 1e6, 1e8 * (1 + 0.06 * seconds / HOUR))

    figures = summary(np.stack([seconds, memory], axis=1), loads(**{"200": 1}))

    assert figures["growth_per_hour"] == pytest.approx(0.06, rel=0.02)


def test_what_is_neither_answered_nor_shed_is_an_error() -> None:
    samples = np.array([[0.0, 1e8], [10.0, 1e8], [20.0, 1e8]])

    figures = summary(samples, loads(**{"200": 90, "202": 4, "503": 3, "500": 1, "broken": 1, "gave_up": 1}))

    assert figures["shed"] == pytest.approx(0.03)
    assert figures["errors"] == pytest.approx(0.03)
