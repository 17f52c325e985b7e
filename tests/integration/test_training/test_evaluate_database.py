"""The evaluation of the database is the evaluation of the files that were loaded into it."""

import json

import pytest

from data import import_feed
from data.generate_fake_data import main as generate
from training.evaluate import main


@pytest.fixture
def feed(own_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "feed.json"
    assert generate(["--users", "40", "--posts", "120", "--interactions", "1500", "--output", str(path)]) == 0
    return path


def figures(capsys: pytest.CaptureFixture[str], *arguments: str):
    capsys.readouterr()
    assert main([*arguments, "--rankers", "newest,trending_1d,owner_knn,formula", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    for row in printed["rankers"].values():
        row.pop("seconds")
    printed.pop("seconds")
    return printed


def test_files_and_the_database_that_they_were_loaded_into_give_the_same_figures(feed, tmp_path, capsys):
    assert import_feed.main(["--interactions", str(feed)]) == 0

    from_database = figures(capsys, "--dump", str(tmp_path / "database"))
    from_files = figures(capsys, "--interactions", str(feed), "--dump", str(tmp_path / "files"))

    assert from_database == from_files
    assert (tmp_path / "database").read_bytes() == (tmp_path / "files").read_bytes()


def test_an_empty_database_and_one_that_is_away_are_one_line_and_exit_code_2(
    own_database_url, monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    assert main([]) == 2
    empty = capsys.readouterr().err
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    assert main([]) == 2

    away = capsys.readouterr().err
    assert "no interactions" in empty
    assert away.startswith("training.evaluate: ")
    assert empty.count("\n") == away.count("\n") == 1
