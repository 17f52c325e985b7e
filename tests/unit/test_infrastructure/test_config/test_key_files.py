"""The cursor secret: one for all processes of a machine, and never a silent replacement."""

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.bootstrap import create_app
from app.infrastructure.config.key_files import MIN_SECRET_CHARACTERS, cursor_secrets
from app.infrastructure.config.settings import Settings
from app.shared.exceptions import ConfigurationError

ROOT = Path(__file__).parents[4]
PRINT_SECRET = """
import sys
from pathlib import Path
from app.infrastructure.config.key_files import cursor_secrets
from app.infrastructure.config.settings import Settings
settings = Settings(_env_file=None, cursor_secret=[], keys_dir=Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print("secret", cursor_secrets(settings)[0].decode())
"""


def settings_of(keys_dir: Path, cursor_secret: str = "") -> Settings:
    return Settings(_env_file=None, keys_dir=keys_dir, cursor_secret=cursor_secret)  # type: ignore[call-arg, arg-type]


def test_configured_secrets_are_used_and_no_file_is_created(tmp_path: Path) -> None:
    assert cursor_secrets(settings_of(tmp_path / "keys", "first,second")) == [b"first", b"second"]
    assert not (tmp_path / "keys").exists()


def test_a_missing_file_is_created_once_for_the_owner_alone_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "cursor_secret"

    with capture_logs() as logs:
        first, second = (cursor_secrets(settings_of(path.parent)) for _ in range(2))

    assert first == second == [path.read_bytes()]
    assert len(first[0]) >= MIN_SECRET_CHARACTERS
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["cursor_secret"]
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("keys.created", "warning")]


def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PRINT_SECRET, str(tmp_path / "keys")],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # all of them have imported everything and start to create the file now
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    printed = [process.communicate()[0].splitlines()[-1] for process in processes]

    secret = (tmp_path / "keys" / "cursor_secret").read_text()
    assert printed == [f"secret {secret}"] * 3


@pytest.mark.parametrize(
    "content", ["", "\n", "0123456789abcdef" * 2], ids=["empty", "blank", "half-written"]
)
def test_an_empty_or_half_written_file_is_one_clear_error_and_stays_as_it_is(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "cursor_secret"
    path.write_text(content)

    with pytest.raises(
        ConfigurationError, match=r"cursor_secret: .*cut off .*; delete it .* CURSOR_SECRET"
    ) as caught:
        cursor_secrets(settings_of(tmp_path))

    assert "\n" not in str(caught.value)
    assert path.read_text() == content


def test_a_secret_that_a_person_wrote_is_used_without_its_line_break(tmp_path: Path) -> None:
    (tmp_path / "cursor_secret").write_text("s" * MIN_SECRET_CHARACTERS + "\n")

    assert cursor_secrets(settings_of(tmp_path)) == [b"s" * MIN_SECRET_CHARACTERS]


def test_a_folder_that_cannot_be_used_gives_a_secret_of_this_process_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file, not a folder")

    with capture_logs() as logs:
        first, second = (cursor_secrets(settings_of(tmp_path / "keys")) for _ in range(2))

    assert first != second
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("keys.not_stored", "warning")] * 2


def test_the_application_stops_with_that_error_before_it_serves(tmp_path: Path) -> None:
    (tmp_path / "cursor_secret").touch()

    with pytest.raises(ConfigurationError, match="cursor_secret"):
        create_app(settings_of(tmp_path))
