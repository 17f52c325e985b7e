"""The output of a command does not depend on the locale."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
from app.shared.command_line import OneLineParser
parser = OneLineParser(prog="demo", description="dots …")
parser.add_argument("name")
print(parser.parse_args().name)
"""


@pytest.mark.parametrize(("argument", "said"), [("zo\u00eb", "zo\\xeb\n"), ("--help", "dots \\u2026")])
def test_characters_that_the_encoding_lacks_are_escaped(argument: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, argument],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1", "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
