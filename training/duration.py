"""Durations on the command line: `24h`, `30m`, `7d`, `90s`, or seconds."""

import argparse
import re
from typing import Final

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "": 1.0}
_FORM: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)", re.ASCII)


def parse(text: str) -> float:
    """An argument type: seconds, more than 0 and at most a thousand years."""
    found = _FORM.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= 1000 * 366 * 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 24h, 30m or 7d")
    return seconds
