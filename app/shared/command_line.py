"""What the data commands share: one-line errors with exit code 2, and checked arguments."""

import argparse
import re
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, NoReturn

BAD_INPUT: Final = 2


def escape_unprintable_output() -> None:
    """Print characters that the encoding of the locale lacks as escapes instead of failing."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, without the usage above it.

    From then on the output does not depend on the locale.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        escape_unprintable_output()
        super().__init__(*args, **options)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with exit code 2."""
        self.exit(BAD_INPUT, f"{self.prog}: {message}\n")


def fail(prog: str, error: object) -> int:
    """Say in one line why nothing was done; the exit code for it."""
    print(f"{prog}: {' '.join(str(error).split())}", file=sys.stderr)
    return BAD_INPUT


def warn(prog: str, message: str) -> None:
    """Print a warning as one line to standard error."""
    print(f"{prog}: warning: {message}", file=sys.stderr)


def whole_number(least: int, most: int = 2**63 - 1) -> Callable[[str], int]:
    """An argument type: a whole number of at least `least` and at most `most`."""

    def parse(text: str) -> int:
        is_number = text.isascii() and text.isdigit()
        if is_number and (len(text) > 19 or int(text) > most):  # int() rejects thousands of digits
            raise argparse.ArgumentTypeError(f"{preview(text)} is more than {most:,}")
        if not is_number or int(text) < least:
            raise argparse.ArgumentTypeError(f"{preview(text)} is not a whole number of at least {least}")
        return int(text)

    return parse


def positive(text: str) -> float:
    """An argument type: a number above zero, at most a million."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1e6:
        raise argparse.ArgumentTypeError(f"{preview(text)} is not a number above 0")
    return number


def existing_file(text: str) -> Path:
    """An argument type: a file that is there."""
    path = Path(text)
    if not path.is_file():
        why = "is a folder" if path.is_dir() else "no such file"
        raise argparse.ArgumentTypeError(f"{path}: {why}")
    return path


def preview(value: object) -> str:
    """A value as one short printable line, for messages."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


_DURATION_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "": 1.0}
_DURATION_FORM: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)", re.ASCII)


def duration(text: str) -> float:
    """An argument type: seconds, more than 0 and at most a thousand years."""
    found = _DURATION_FORM.fullmatch(text.strip())
    seconds = float(found[1]) * _DURATION_UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= 1000 * 366 * 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 24h, 30m or 7d")
    return seconds
