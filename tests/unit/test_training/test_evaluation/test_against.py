"""The comparison with the present order is paired by request, and its verdict says no more than the interval does."""

from argparse import ArgumentTypeError
from types import SimpleNamespace

import numpy as np
import pytest

from app.infrastructure.database.past_query import PastQuery
from app.shared.exceptions import ConfigurationError
from training.evaluate import main
from training.evaluation.against import compare_orders, parse_against
from training.evaluation.metrics import bootstrap, ndcg_of_rank, widened
from training.evaluation.replay_job import AGAINST


def compared(ours: list[int], theirs: list[int], users: list[int]):
    events = SimpleNamespace(user=np.array(users))
    result = SimpleNamespace(
        requests=np.arange(len(users)), ranks={AGAINST: np.array(theirs), "served": np.array(ours)}
    )
    return compare_orders(SimpleNamespace(events=events), result, "order.sql")


def test_differences_are_paired_by_request():
    random = np.random.default_rng(0)
    theirs = random.integers(1, 10, 60)
    users = np.arange(60) // 2

    comparison = compared((theirs + 1).tolist(), theirs.tolist(), users.tolist())

    gains = ndcg_of_rank(theirs + 1) - ndcg_of_rank(theirs)
    assert comparison.difference["ndcg@10"] == widened(bootstrap(gains, users), 30)
    assert comparison.difference["ndcg@10"].high < 0


@pytest.mark.parametrize(
    ("ours", "theirs", "users", "verdict"),
    [
        ([1] * 20, [2] * 20, range(20), "ours places the post they chose higher: +0.369 [+0.369, +0.369]"),
        ([2] * 20, [1] * 20, range(20), "theirs places the post they chose higher: -0.369 [-0.369, -0.369]"),
        ([1, 9] * 10, [9, 1] * 10, range(20), "no difference can be shown with 20 requests: +0.000 ["),
        ([1] * 20, [2] * 20, [0, 1, 2, 3, 4] * 4, "no difference can be shown with the requests of 5 users"),
    ],
)
def test_the_verdict_is_the_sign_of_an_interval_that_excludes_zero(ours, theirs, users, verdict):
    assert compared(ours, theirs, list(users)).verdict.startswith(verdict)


def test_against_is_a_ranker_a_file_or_a_statement(tmp_path):
    file = tmp_path / "order.sql"
    file.write_text("\ufeffSELECT id FROM feed_posts", encoding="utf-8")

    assert parse_against("trending_1d") == "trending_1d"
    assert parse_against(str(file)) == PastQuery(str(file), "SELECT id FROM feed_posts")
    assert parse_against("TABLE feed_posts") == PastQuery("--against", "TABLE feed_posts")


@pytest.mark.parametrize("text", ["served", "best", "nowhere.sql", "."])
def test_what_is_neither_lists_what_there_is(text):
    with pytest.raises(
        ArgumentTypeError, match="give a file with a SELECT, a SELECT, or one of random, newest"
    ):
        parse_against(text)


def test_a_position_in_what_is_executed_is_found_in_what_was_written():
    text = "SELECT ':at', :at,\n  :user_id, x"
    query = PastQuery("order.sql", text)
    values = {match.start(): f"<a long expression for {match[0]}>" for match in query.parameters}
    rendered = query.render(values)

    assert rendered == f"SELECT ':at', {values[14]},\n  {values[21]}, x"
    for token in ("SELECT", "':at'", "x"):
        assert query.position(values, rendered.rindex(token)) == text.rindex(token)
    assert query.position(values, rendered.index("for :user_id")) == text.index(":user_id")
    assert str(query.error("problem", text.index("x"))) == "order.sql:2:13: problem"


def test_text_after_a_semicolon_is_rejected_unless_it_is_a_comment():
    assert PastQuery("q", "SELECT 1; -- ; end\n /* ; */ ;").parameters == []
    with pytest.raises(ConfigurationError, match="q:1:9: must be one SELECT"):
        _ = PastQuery("q", "SELECT 1; COMMIT").parameters


def test_a_ranker_is_compared_with_served_on_files_without_a_database(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("TRAINING_WORKERS", "1")
    rows = [f"u{number % 9},p{number % 7},like,{1_767_225_600 + number * 600}" for number in range(50)]
    path = tmp_path / "interactions.csv"
    path.write_text("\n".join(["user_id,post_id,interaction_type,created_at", *rows]))

    assert main(["--interactions", str(path), "--against", "newest", "--rankers", "newest"]) == 0

    out = capsys.readouterr().out
    cells = {
        row.split("│")[1].strip(): row.split("│")[2].strip()
        for row in out.splitlines()
        if row.startswith("│")
    }
    assert cells["against"] == cells["newest"] == cells["theirs (newest)"]
    assert cells["served"] == cells["ours (served)"]
