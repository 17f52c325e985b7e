"""Commands on a database that is silent, away or not as it should be: one line that says where, and exit 2."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.domain.errors import StorageUnavailable
from app.infrastructure.config.settings import Settings, read_settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.embedded import CHECKOUT
from data import export_log, import_feed, seed_database
from training import evaluate, train, tune


def alembic(arguments: list[str]) -> int:
    """In a process of its own: it sets up logging for the whole of it."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=CHECKOUT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


COMMANDS: dict[str, tuple[Callable[[list[str]], int], list[str]]] = {
    "migrations": (alembic, ["upgrade", "head"]),
    "import_feed": (import_feed.main, ["--interactions", "feed.csv"]),
    "seed_database": (seed_database.main, []),
    "export_log": (export_log.main, ["--output", "export"]),
    "train": (train.main, []),
    "evaluate": (evaluate.main, []),
    "tune": (tune.main, ["--output", "tuned.json"]),
}
each_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a command writes what is its own; one feed file is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMMAND_CONNECT_SECONDS", "1")
    Path("feed.csv").write_text("user_id,post_id,interaction_type,created_at\nanna,first,view,1700000000\n")


@pytest.fixture
def silent() -> Iterator[str]:
    """The place of a server that accepts connections and never says a word, as one that is frozen."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def settings_of(url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DATABASE_URL", url)
    return read_settings()


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(name, marks=() if name in {"import_feed", "train"} else pytest.mark.slow)
        for name in COMMANDS
    ],
)
def test_a_silent_database_ends_a_command_with_one_line(
    command: str, silent: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://feed:secret@{silent}/feed")
    run, arguments = COMMANDS[command]

    code = run(arguments)

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    message = f"the database at {silent} is not available: timeout expired; check that it runs and that DATABASE_URL"
    assert message in err
    assert err.count("\n") == 1
    assert "secret" not in err


def test_an_unreachable_database_is_reported_with_each_address_and_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_of("postgresql://feed:secret@/feed?host=127.0.0.1:1&host=127.0.0.1:2", monkeypatch)

    with (
        pytest.raises(
            StorageUnavailable, match=r"at 127\.0\.0\.1:1,127\.0\.0\.1:2 .*: Connection refused; check"
        ),
        cli_engine(settings) as engine,
    ):
        engine.connect()


def test_a_query_takes_as_long_as_it_takes_on_a_connection_that_is_kept_alive(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        cli_engine(settings_of(database_url, monkeypatch)) as engine,
        engine.connect() as connection,
    ):
        connection.execute(text("SELECT pg_sleep(1.1)"))
        driver = connection.connection.driver_connection
        assert driver is not None
        with socket.socket(fileno=os.dup(driver.fileno())) as line:
            kept_alive = line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    assert kept_alive == 1


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "SELECT * FROM of_nobody",
            'is not available: relation "of_nobody" does not exist; run `python -m alemb',
        ),
        (
            "SET LOCAL statement_timeout TO 1; SELECT pg_sleep(1)",
            "timeout; LOAD_BUDGET_SECONDS allows longer",
        ),
        (
            "SELECT of_nobody FROM posts",
            'is not available: column "of_nobody" does not exist; run `python -m alembic upgrade head`',
        ),
        ("SELECT 1 FROM posts GROUP", "rejects a statement: syntax error"),
    ],
)
def test_a_database_error_is_reported_with_its_remedy(
    database_url: str, monkeypatch: pytest.MonkeyPatch, statement: str, said: str
) -> None:
    place = database_url.rpartition("@")[2].partition("/")[0]

    with (
        pytest.raises(StorageUnavailable) as rejected,
        cli_engine(settings_of(database_url, monkeypatch)) as engine,
        engine.connect() as connection,
    ):
        connection.execute(text(statement))

    assert str(rejected.value).startswith(f"the database at {place} ")
    assert said in str(rejected.value)
