"""A limit of memory ends a command before it starts, and selects one process."""

import argparse

import pytest

from app.infrastructure.config.settings import Settings
from app.shared.exceptions import ConfigurationError
from training.memory_limit import memory_size, workers_within

GIB = 1 << 30


def settings(workers: int | None = None) -> Settings:
    return Settings(_env_file=None, training_workers=workers, training_window_days=30)


@pytest.mark.parametrize(
    ("text", "size"), [("4GiB", 4 * GIB), ("512 MiB", GIB // 2), ("1.5g", 3 * GIB // 2), ("1TB", 1024 * GIB)]
)
def test_a_size_has_a_unit(text: str, size: int):
    assert memory_size(text) == size


@pytest.mark.parametrize("text", ["", "4", "0GiB", "-1GiB", "4 gibibytes", "GiB"])
def test_another_text_is_no_size(text: str):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a size such as"):
        memory_size(text)


def test_a_limit_selects_one_process_unless_a_number_is_set():
    assert workers_within(None, 10**9, settings()) is None
    assert workers_within(4 * GIB, 10**6, settings()) == 1
    assert workers_within(4 * GIB, 10**6, settings(workers=2)) == 2


def test_too_many_events_for_the_limit_are_an_error_with_a_remedy():
    with pytest.raises(ConfigurationError) as error:
        workers_within(4 * GIB, 50_000_000, settings())

    assert str(error.value).startswith("--memory-limit 4 GiB: 50,000,000 interactions need about ")
    assert "use a smaller TRAINING_WINDOW_DAYS (now 30)" in str(error.value)


def test_several_processes_need_several_times_the_memory():
    with pytest.raises(ConfigurationError, match="TRAINING_WORKERS=4"):
        workers_within(4 * GIB, 3_000_000, settings(workers=4))
