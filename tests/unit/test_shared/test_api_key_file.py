"""API_KEYS_FILE: what a line may be, and what happens when the file changes."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from app.infrastructure.config.key_files import api_key_lookup
from app.infrastructure.config.settings import Settings
from app.shared.api_key_file import ApiKeyFile
from app.shared.api_keys import ApiKey, plain_keys
from app.shared.exceptions import ConfigurationError


@dataclass
class Seconds:
    """A monotonic clock that a test moves."""

    at: float = 0.0

    def __call__(self) -> float:
        return self.at


def digest(key: str) -> bytes:
    return sha256(key.encode()).digest()


def line(key: str, rest: str) -> str:
    return f"{digest(key).hex()} {rest}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def failing(keys: ApiKeyFile) -> float:
    [family] = keys.collect()
    return family.samples[0].value


def test_lines_name_keys_and_scopes(path: Path) -> None:
    path.write_text(
        f"# callers\n\n{line('one', 'web feed track')}{line('two', 'back-office  manage,admin # new').upper()[:64]}"
        " back-office manage,admin # new\n"
    )

    keys = ApiKeyFile(path, plain_keys(["plain", "one"]))

    assert keys.find(digest("one")) == ApiKey("web", frozenset({"feed", "track"}))
    assert keys.find(digest("two")) == ApiKey("back-office", frozenset({"manage", "admin"}))
    assert keys.find(digest("plain")) == ApiKey("API_KEYS[1]", frozenset({"feed", "track", "manage"}))
    assert keys.find(digest("three")) is None


@pytest.mark.parametrize(
    ("content", "place", "problem"),
    [
        ("", "", "no key in the file"),
        ("# nothing\n \n", "", "no key in the file"),
        ("\nsecret-word web feed\n", ":2", "64 hexadecimal digits"),
        (line("one", "web"), ":1", "the scopes are missing"),
        (line("one", "web feed") + line("two", "app read"), ":2", "unknown scope 'read'; use some of feed, "),
        (line("one", "a/;b feed"), ":1", "the name must have"),
        (line("one", "web feed") * 2, ":2", "the key is already in the line of 'web'"),
        (line("", "web feed"), ":1", "an empty text"),
        ("\0" * (2**20 + 1), "", "larger than"),
    ],
)
def test_a_bad_file_is_rejected_with_place_problem_and_remedy(
    path: Path, content: str, place: str, problem: str
) -> None:
    path.write_text(content)

    with pytest.raises(ConfigurationError) as caught:
        api_key_lookup(Settings(_env_file=None, api_keys_file=path))

    message = str(caught.value)
    assert message.startswith(f"{path}{place}: ")
    assert problem in message
    assert "\n" not in message
    assert "secret-word" not in message


def test_a_missing_file_is_rejected(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^API_KEYS_FILE: .*: No such file or directory; "):
        ApiKeyFile(path, {})


def test_a_changed_file_is_read_within_a_second_and_not_sooner(path: Path) -> None:
    path.write_text(line("one", "web feed"))
    clock = Seconds()
    keys = ApiKeyFile(path, {}, clock)
    path.write_text(line("two", "web feed"))

    clock.at = 0.9
    assert keys.find(digest("one")) is not None
    clock.at = 1.0
    assert keys.find(digest("one")) is None
    assert keys.find(digest("two")) is not None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_text("nonsense"),
        lambda path: path.write_text(""),
        lambda path: path.rename(path.with_suffix(".old")),
    ],
)
def test_a_file_that_became_bad_keeps_the_keys_until_it_is_good_again(
    path: Path, spoil: Callable[[Path], None]
) -> None:
    path.write_text(line("one", "web feed"))
    clock = Seconds()
    keys = ApiKeyFile(path, {}, clock)

    spoil(path)
    for clock.at in (1.0, 2.0):
        assert keys.find(digest("one")) is not None
        assert failing(keys) == 1

    path.write_text(line("two", "web feed"))
    clock.at = 3.0
    assert keys.find(digest("one")) is None
    assert failing(keys) == 0


def test_the_same_file_may_come_back(path: Path) -> None:
    path.write_text(line("one", "web feed"))
    clock = Seconds()
    keys = ApiKeyFile(path, {}, clock)
    other = path.rename(path.with_suffix(".old"))
    clock.at = 1.0
    keys.find(digest("one"))

    other.rename(path)
    clock.at = 2.0
    keys.find(digest("one"))

    assert failing(keys) == 0
