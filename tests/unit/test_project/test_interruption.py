"""Ctrl-C in the middle of a command."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.database.embedded.locks import wait_until
from tests.support.service_process import environment


def started(folder: Path, *words: str, **settings: str) -> subprocess.Popen[str]:
    own = {"MODELS_DIR": str(folder / "models"), "KEYS_DIR": str(folder / "keys")}
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=CHECKOUT,
        env=environment(**own | settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # what a shell starts in the background ignores Ctrl-C, and so does all that it starts in turn
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no other thread here
    )


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its status, as a shell sees it, and what it said."""
    _, said = process.communicate(timeout=60)
    status = process.returncode
    return (128 - status if status < 0 else status), said


def test_what_is_being_written_is_taken_away_again(tmp_path: Path) -> None:
    size = ["--users", "1000", "--posts", "1000", "--interactions", "60000"]
    process = started(tmp_path, "data.generate_fake_data", *size, "--output", str(tmp_path / "feed.json"))
    assert wait_until(lambda: any(tmp_path.iterdir()) or process.poll() is not None, 60)

    process.send_signal(signal.SIGINT)

    assert end_of(process) == (130, "interrupted\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", ["data.seed_database", pytest.param("training.evaluate", marks=pytest.mark.slow)]
)
def test_a_command_that_works_with_its_database_ends_with_one_line(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none"
        process = started(tmp_path, command, DATABASE_URL=url)
        with silent.accept()[0]:
            process.send_signal(signal.SIGINT)

    assert end_of(process) == (130, "interrupted\n")
