"""Settings: their defaults, one clear line for an invalid variable, no secret in any output."""

from pathlib import Path

import pytest

from app.infrastructure.config.settings import Settings, env_example, main, read_settings
from app.shared.exceptions import ConfigurationError

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)  # no .env here


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = read_settings()

    assert settings.database_url is None
    assert (settings.db_schema, str(settings.models_dir), settings.port) == (None, "models", 8000)
    assert (settings.weight_collaborative, settings.weight_content, settings.weight_recency) == (
        0.7,
        0.2,
        0.1,
    )
    assert settings.cursor_life_hours == 24


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURSOR_SECRET", "a" * 16 + ", " + "b" * 16)
    monkeypatch.setenv("API_KEYS", "one,,two,")

    settings = read_settings()

    assert [one.get_secret_value() for one in settings.cursor_secret] == ["a" * 16, "b" * 16]
    assert [one.get_secret_value() for one in settings.api_keys] == ["one", "two"]


@pytest.mark.parametrize("name", ["API_KEYS", "CURSOR_SECRET", "MODEL_TRUSTED_KEYS"])
@pytest.mark.parametrize("empty", [",", " , ", " "])
def test_a_list_of_keys_without_a_key_is_rejected(
    monkeypatch: pytest.MonkeyPatch, name: str, empty: str
) -> None:
    monkeypatch.setenv(name, empty)

    with pytest.raises(ConfigurationError, match=rf"^{name}: contains no value; unset"):
        read_settings()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 300),
        ({"TRACK_AHEAD_SECONDS": "7"}, 7),
        ({"TRACK_AHEAD_SECONDS": "7", "CLOCK_SKEW_SECONDS": "8"}, 8),
    ],
)
def test_the_deprecated_name_of_the_clock_skew_still_works(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: float
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert read_settings().clock_skew_seconds == expected


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("PORT", "")

    settings = read_settings()

    assert settings.database_url is None
    assert settings.port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "99999"),
        ("PORT", "eight"),
        ("WEIGHT_CONTENT", "nan"),
        ("WEIGHT_CONTENT", "1.5"),
        ("INTERACTION_WEIGHT_LIKE", "-1"),
        ("DB_SCHEMA", 'x"; drop table posts'),
        ("FEED_NOW", "2026-01-01T00:00:00"),
        ("FEED_NOW", "noon"),
        ("LOG_LEVEL", "loud"),
        ("DATABASE_URL", "mysql://u@h/d"),
        ("DATABASE_URL", "postgres://u:p@h:port/d"),
    ],
)
def test_an_invalid_variable_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as caught:
        read_settings()

    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


def test_a_fixed_clock_is_rejected_if_api_keys_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEYS", "k" * 20)
    monkeypatch.setenv("FEED_NOW", "2026-01-01T00:00:00Z")

    with pytest.raises(ConfigurationError, match=r"^FEED_NOW: .*API_KEYS"):
        read_settings()


def test_printed_settings_contain_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"API_KEYS": "k1" * 10, "CURSOR_SECRET": "c2" * 10, "MODEL_SIGNING_KEY": "m3" * 10}
    for name, secret in {**secrets, "DATABASE_URL": "postgres://u:p4ssword@h/d"}.items():
        monkeypatch.setenv(name, secret)

    printed = repr(read_settings())

    assert not any(secret in printed for secret in [*secrets.values(), "p4ssword"])


def test_the_example_file_has_every_setting_with_its_meaning_and_default() -> None:
    assert all(field.description for field in Settings.model_fields.values())
    assert (ROOT / ".env.example").read_text() == env_example()


def test_the_example_file_is_a_valid_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(env_example())

    assert read_settings() == read_settings(_env_file=None)


def test_scripts_read_host_and_port_from_the_environment_and_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PORT=8123\nHOST=0.0.0.0\n")
    monkeypatch.setenv("HOST", "127.0.0.2")

    assert main(["HOST", "PORT"]) == 0
    assert capsys.readouterr().out == "127.0.0.2 8123\n"

    monkeypatch.setenv("PORT", "many")
    assert main(["HOST", "PORT"]) == 2
    assert capsys.readouterr().err.startswith("settings: PORT: ")


def test_scripts_read_whether_a_database_is_set_but_not_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main(["DATABASE_URL"]) == 0
    assert not capsys.readouterr().out.strip()

    (tmp_path / ".env").write_text("DATABASE_URL='postgresql://feed:secret@db:5432/feed'\n")
    assert main(["DATABASE_URL"]) == 0
    printed = capsys.readouterr().out.strip()
    assert printed
    assert "secret" not in printed


def test_an_unknown_setting_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["PORT", "PROT"]) == 2
    assert capsys.readouterr().err == "settings: PROT is not a setting; .env.example lists all settings\n"
