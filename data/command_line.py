"""What the data commands share: one-line errors with exit code 2, and checked arguments."""

import argparse
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, NoReturn

from app.domain.entities import INTERACTION_TYPES
from data.schemas import shown
from data.times import parse_time

BAD_INPUT: Final = 2


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, without the usage above it."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with exit code 2."""
        self.exit(BAD_INPUT, f"{self.prog}: {message}\n")


def refuse(prog: str, error: object) -> int:
    """Say in one line why nothing was done; the exit code for it."""
    print(f"{prog}: {' '.join(str(error).split())}", file=sys.stderr)
    return BAD_INPUT


def whole_number(least: int, most: int = 2**63 - 1) -> Callable[[str], int]:
    """An argument type: a whole number of at least `least` and at most `most`."""

    def parse(text: str) -> int:
        is_number = text.isascii() and text.isdigit()
        if is_number and (
            len(text) > 19 or int(text) > most
        ):  # Python reads no number of thousands of digits
            raise argparse.ArgumentTypeError(f"{shown(text)} is more than {most:,}")
        if not is_number or int(text) < least:
            raise argparse.ArgumentTypeError(f"{shown(text)} is not a whole number of at least {least}")
        return int(text)

    return parse


def positive(text: str) -> float:
    """An argument type: a number above zero, at most a million."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1e6:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a number above 0")
    return number


def moment(text: str) -> datetime:
    """An argument type: a time as in feed files."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{shown(text)} {error}") from None


def event_map(text: str) -> dict[str, str]:
    """An argument type: `VIEW=view,BOOKMARK=like`, names in a file mapped onto interaction types."""
    mapped: dict[str, str] = {}
    for pair in text.split(","):
        given, equals, kind = (part.strip() for part in pair.partition("="))
        if not equals or not given or kind not in INTERACTION_TYPES:
            allowed = ", ".join(INTERACTION_TYPES)
            raise argparse.ArgumentTypeError(f"{shown(pair)} is not NAME=TYPE with one of {allowed}")
        if mapped.get(given, kind) != kind:
            raise argparse.ArgumentTypeError(f"{shown(given)} is mapped to {mapped[given]} and to {kind}")
        mapped[given] = kind
    return mapped


def existing_file(text: str) -> Path:
    """An argument type: a file that is there."""
    path = Path(text)
    if not path.is_file():
        why = "is a folder" if path.is_dir() else "no such file"
        raise argparse.ArgumentTypeError(f"{path}: {why}")
    return path
