"""training.evaluate --off-policy over PostgreSQL: pages that were drawn at random, and what users did with them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from app.domain.ranking.plackett_luce import draw_order, log_worths, place_probabilities
from app.infrastructure.database.connection import create_feed_engine
from training import evaluate

MINUTE = timedelta(minutes=1)
SHOWN_AT = datetime.now(UTC) - timedelta(days=2)  # posts and events of the future count as of now
USERS, PAGE = 300, 6
FILLED = f"""
INSERT INTO users (id, external_id, created_at)
SELECT uuid_of(n), 'u' || n, '2026-01-01' FROM generate_series(1, 400) AS n;
INSERT INTO posts (id, external_id, author_id, content, created_at)
SELECT uuid_of(9000 + n), 'p' || n, uuid_of(300 + n), 'a post', '{SHOWN_AT}'::timestamptz - n * interval '1 hour'
FROM generate_series(1, 40) AS n;
INSERT INTO user_interaction (user_id, post_id, interaction_type, occurred_at, created_at)
SELECT uuid_of(301 + n %% 90), uuid_of(9000 + n), 'like', '{SHOWN_AT - MINUTE}', '{SHOWN_AT - MINUTE}'
FROM generate_series(1, 40) AS n;
SELECT feed_impression_partition(day::date)
FROM generate_series('{SHOWN_AT.date()}'::date, '{SHOWN_AT.date()}'::date + 1, '1 day') AS day
"""
UUID_OF = "CREATE FUNCTION uuid_of(n integer) RETURNS uuid LANGUAGE sql RETURN lpad(to_hex(n), 32, '0')::uuid"
PAGE_ROW = """
INSERT INTO impression (user_id, time, request_id, mode, posts, sources, probability)
SELECT uuid_of(%s), %s, 'r', 'ranked', array_agg(p.seq ORDER BY place), 'rrrrrr', %s::real[]
FROM unnest(%s::integer[]) WITH ORDINALITY AS t (n, place) JOIN posts p ON p.id = uuid_of(9000 + n)
"""
LIKE = """
INSERT INTO user_interaction (user_id, post_id, interaction_type, occurred_at, created_at, request_id)
VALUES (uuid_of(%s), uuid_of(9000 + %s), 'like', %s, %s, 'r')
"""


@pytest.fixture
def database(own_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.setenv("EXPLORATION_SHARE", "0")
    return own_database_url


def fill(url: str) -> float:
    """Store pages that are drawn from the newest 12 posts. Users like each even post. Returns the likes of a page."""
    rng, n_likes = np.random.default_rng(1), 0
    worths = log_worths(1 / (1 + np.arange(1, 2 * PAGE + 1, dtype=np.float64)), 1.0)
    engine = create_feed_engine(url, connect_seconds=10)
    with engine.begin() as connection:
        for statement in (UUID_OF, *FILLED.split(";\n")):
            connection.exec_driver_sql(statement, ())
        for user in range(1, USERS + 1):
            order = draw_order(worths, rng)
            posts = (order[:PAGE] + 1).tolist()
            probabilities = place_probabilities(worths[order])[:PAGE].tolist()
            at = SHOWN_AT + timedelta(milliseconds=user)
            connection.exec_driver_sql(PAGE_ROW, (user, at, probabilities, posts))
            for post in posts:
                if post % 2 == 0:
                    connection.exec_driver_sql(LIKE, (user, post, at + MINUTE, at + MINUTE))
                    n_likes += 1
    engine.dispose()
    return n_likes / USERS


def test_the_ranking_that_drew_the_pages_gets_what_they_got(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    likes = fill(database)

    assert evaluate.main(["--off-policy", "--rankers", "newest,popular", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    newest = found["rankings"]["newest"]
    assert (found["targets"], found["pages"], found["users"]) == (["like"], USERS, USERS)
    assert found["drawn"]["value"] == pytest.approx(likes)
    assert newest["snips"]["value"] == pytest.approx(likes, rel=0.02)
    assert newest["doubly_robust"]["low"] < likes < newest["doubly_robust"]["high"]
    assert newest["effective_users"] > 250
    assert found["rankings"]["popular"]["rejected"]


def test_a_table_shows_the_estimates_and_why_there_are_none(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(database)

    assert evaluate.main(["--off-policy", "--rankers", "newest,popular"]) == 0

    printed = capsys.readouterr().out
    assert printed.startswith("300 pages of 300 users; like in the first 10 places of\n")
    assert "popular: no estimate: " in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rankers", "hn_hot"], "'hn_hot' cannot serve; use some of "),
        (["--interactions", __file__], "leave out --interactions"),
        (["--protocol", "owner"], "leave out --protocol"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        evaluate.main(["--off-policy", *arguments])

    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_feed_without_such_pages_is_one_line(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    engine = create_feed_engine(database, connect_seconds=10)
    with engine.begin() as connection:
        for statement in (UUID_OF, *FILLED.split(";\n")):
            connection.exec_driver_sql(statement, ())
    engine.dispose()

    assert evaluate.main(["--off-policy", "--rankers", "newest"]) == 2
    assert "no page was drawn at random more than a day ago; set RANDOMISED_SHARE" in capsys.readouterr().err
