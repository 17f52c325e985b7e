"""SQL of a team ranks as the rankers that it describes, knows nothing later than the request, and changes nothing."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from app.domain.errors import StorageUnavailable
from app.domain.feed.dataset import FeedDataset
from app.domain.ranking.options import RankingOptions
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.past_query import PastQuery
from app.shared.exceptions import ConfigurationError
from data.generate_fake_data import main as generate
from data.import_feed import main as import_feed
from tests.support.feeds import LIKE, VIEW, Feed, Post, cut, feeds, generated
from training.evaluate import main
from training.evaluation.prequential import replay_rankers
from training.evaluation.replay_job import AGAINST
from training.evaluation.replay_workers import LocalEngine
from training.evaluation.sql_order import read_orders
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay

NEWEST = "SELECT id FROM feed_posts ORDER BY created_at DESC"
LATER_LIKES = """
    SELECT post_id FROM user_interaction WHERE created_at >= :at GROUP BY post_id ORDER BY count(*) DESC
"""
EVERYTHING = """
    SELECT p.external_id FROM feed_posts p ORDER BY md5(concat(
        p.external_id, p.author_id, p.content, p.tags, p.created_at,
        (SELECT string_agg(concat(external_id, created_at), '' ORDER BY external_id) FROM feed_users),
        (SELECT string_agg(f::text, '' ORDER BY f) FROM feed_follows f),
        (SELECT string_agg(i::text, '' ORDER BY i) FROM user_interaction i)))
"""
"""An order in which every value of the views matters."""


@pytest.fixture(scope="module")
def database(database_url: str) -> Settings:
    return Settings(database_url=SecretStr(database_url))


@pytest.fixture(scope="module")
def feed() -> FeedDataset:
    return generated(users=40, posts=120, interactions=1500)


def replay_of(history: FeedDataset, start: float | None = None) -> Replay:
    targets = frozenset(range(5)) if start is not None else None
    return Replay(history, RankingOptions(), targets=targets, test_from=start)


def lists(database: Settings, sql: str, replay: Replay, at_most: int = 60) -> dict[int, list[int]]:
    """Event row of each request -> rows of the posts that the SQL lists."""
    requests = replay.test_requests(at_most)
    orders = read_orders(database, PastQuery("order.sql", sql), replay, requests, lambda *_: None)
    return {event: rows.tolist() for event, rows in orders.by_event.items()}


def ranks_beside(database: Settings, sql: str, ranker: str, history: FeedDataset) -> list[np.ndarray]:
    """The ranks of the chosen posts by SQL, and by a ranker."""
    replay = replay_of(history)
    orders = {
        event: np.array(rows, np.intp) for event, rows in lists(database, sql, replay, at_most=100).items()
    }
    result = replay_rankers(
        replay, [ranker], LearningOptions(), max_requests=100, against=orders, engine=LocalEngine(1)
    )
    return [result.ranks[AGAINST], result.ranks[ranker]]


def test_sql_for_the_newest_posts_ranks_as_newest(database, feed):
    sql, ranker = ranks_beside(database, NEWEST, "newest", feed)

    assert len(sql) > 40
    assert sql.tolist() == ranker.tolist()


def test_an_order_by_likes_of_the_future_is_random(database, feed):
    sql, ranker = ranks_beside(database, LATER_LIKES, "random", feed)

    assert sql.tolist() == ranker.tolist()


@settings(max_examples=8)
@given(feeds(least_events=4), st.integers(2, 40).map(lambda step: step * 1800.0))
def test_what_happens_at_or_after_a_time_changes_no_earlier_list(database, feed, at):
    history = feed.dataset()
    start = float(history.events.time[0])

    whole, early = (replay_of(one, start) for one in (history, cut(history, at)))

    names = [
        {event: [posts[row] for row in rows] for event, rows in lists(database, EVERYTHING, replay).items()}
        for replay in (whole, early)
        for posts in [[replay.dataset.posts.external_id[row] for row in replay.timeline.post_order.tolist()]]
    ]
    assert names[1] == {event: ids for event, ids in names[0].items() if history.events.time[event] < at}


def test_the_views_show_what_happened_strictly_before_the_request(database):
    feed = Feed(
        users=3,
        posts=[Post(10, author=1), Post(50), Post(20), Post(90)],
        events=[
            (0, 0, LIKE, 30.0),
            (1, 1, VIEW, 15.0),
            (2, 2, LIKE, 60.0),
            (0, 2, LIKE, 60.0),
            (1, 3, LIKE, 95.0),
        ],
        follows=[(0, 1, 40.0), (0, 2, 60.0), (1, 2, np.nan)],
    )
    replay = replay_of(feed.dataset(), 60.0)
    request = int(replay.test_requests(10)[0])  # at 60 s

    def posts_where(condition: str) -> list[int]:
        sql = f"SELECT id FROM feed_posts WHERE {condition} ORDER BY external_id"
        listed = replay.timeline.post_order[lists(database, sql, replay)[request]]
        return listed.tolist()

    assert posts_where("true") == [0, 1, 2]
    assert posts_where("extract(epoch FROM created_at) = 15") == [
        1
    ]  # its first event is earlier than its creation
    assert posts_where("(SELECT count(*) FROM user_interaction) = 2") == [0, 1, 2]
    assert posts_where("(SELECT count(*) FROM feed_follows) = 1") == [0, 1, 2]
    assert posts_where("extract(epoch FROM :at) = 60") == [0, 1, 2]


def test_user_id_is_the_teams_id_and_beside_a_uuid_column_the_users_id(database):
    feed = Feed(
        users=2,
        posts=[Post(0, author=1), Post(1)],
        events=[(0, 0, VIEW, 10.0), (1, 1, LIKE, 20.0)],
        follows=[(0, 1, 5.0)],
    )
    replay = replay_of(feed.dataset(), 10.0)
    followed = """SELECT p.id FROM feed_posts p JOIN feed_follows f ON f.followee_id = p.author_id
        WHERE f.follower_id = :user_id AND EXISTS (SELECT FROM feed_users WHERE external_id = :user_id)
        AND 'user ' || 0 = :user_id::text"""

    assert list(lists(database, followed, replay).values()) == [[0], []]


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT p.id\nFROM feed_posts p\nORDER BY p.like_count", 'order.sql:3:10: column p.like_count does not exist'),
        ("SELECT id FROM feed_posts WHERE author_id = :user_id AND visible", 'order.sql:1:58: column "visible"'),
        ("SELECT id FROM feed_users ORDER BY follower_count", 'column "follower_count" does not exist'),
        ("SELECT id FROM public.posts", "reads public.posts, which also shows what happened later"),
        ("SELECT id FROM posts", "reads public.posts"),
        ("SELECT id FROM public.feed_posts", "reads public.feed_posts"),
        ("SELECT id FROM pg_temp.past_feed_posts", "reads "),
        ("SELECT id FROM feed_posts WHERE id IN (SELECT id FROM posts)", "reads public.posts"),
        ("SELECT id FROM articles", 'order.sql:1:16: relation "articles" does not exist; there are feed_users'),
        ("SELECT id FROM feed_posts WHERE created_at > now() - interval '1 day'", "uses now(), the present time"),
        ("SELECT id FROM feed_posts ORDER BY age(created_at)", "uses age(), the present time"),
        ("SELECT id FROM feed_posts WHERE created_at > current_date - 7", "uses the present time"),
        ("SELECT id FROM feed_posts WHERE created_at > CURRENT_TIMESTAMP", "uses the present time"),
        ("SELECT id FROM feed_posts WHERE created_at > 'yesterday'::date", "order.sql:1:46: uses 'yesterday'::date"),
        ("SELECT id FROM feed_posts ORDER BY query_to_xml('SELECT 1', true, true, '')::text", "calls query_to_xml"),
        ("SELECT post.id FROM feed_posts post WHERE likes_of(post.id) > 1", "calls likes_of(uuid), which may read"),
        ("SELECT id FROM feed_posts WHERE author_id = :viewer", "order.sql:1:45: unknown parameter :viewer"),
        ("SELECT id FROM feed_posts; DELETE FROM posts", "order.sql:1:26: must be one SELECT"),
        ("COMMIT", "must be one SELECT"),
        ("DELETE FROM feed_posts RETURNING id", "order.sql:1:1: syntax error"),
        ("WITH gone AS (DELETE FROM posts RETURNING id) SELECT id FROM gone", "data-modifying"),
        ("SELECT id INTO copied FROM feed_posts", "SELECT INTO"),
        ("SELECT id FROM feed_posts WHERE lo_create(0) > 0", "read-only transaction"),
        ("SELECT id, nextval('posts_seq_seq') FROM feed_posts", "reads public.posts_seq_seq"),
        ("SELECT id FROM feed_posts ORDER BY 1 / (length(content) - length(content))", "division by zero (for user"),
        ("SELECT external_id FROM feed_users", "its first column must hold ids of posts, not 'user"),
        ("", "syntax error at end of input"),
    ],
)  # fmt: skip
def test_sql_that_cannot_be_compared_is_one_line_with_its_place(database, database_url, feed, sql, problem):
    with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION likes_of(uuid) RETURNS bigint STABLE LANGUAGE sql "
            "AS 'SELECT count(*) FROM user_interaction WHERE post_id = $1'"
        )

    with pytest.raises(ConfigurationError) as raised:
        lists(database, sql, replay_of(feed), at_most=3)

    message = str(raised.value)
    assert message.startswith("order.sql:")
    assert problem in message
    assert "\n" not in message


@pytest.mark.parametrize("path", ["public,pg_temp", '""'])
def test_the_views_are_found_with_every_search_path(database_url, feed, path):
    database = Settings(database_url=SecretStr(f"{database_url}?options=-csearch_path%3D{path}"))
    replay = replay_of(feed)

    assert all(lists(database, NEWEST, replay, 3).values())


def test_a_read_only_server_is_one_line_with_a_remedy(database_url, feed):
    url = f"{database_url}?options=-cdefault_transaction_read_only%3Don"

    with pytest.raises(
        StorageUnavailable, match="CREATE TABLE in a read-only transaction; use a server and a role"
    ):
        lists(Settings(database_url=SecretStr(url)), NEWEST, replay_of(feed), 3)


def test_user_id_is_a_number_where_it_is_compared_with_one(database):
    feed = Feed(users=1, posts=[Post(0)], events=[(0, 0, LIKE, 10.0)]).dataset()
    feed = replace(feed, users=replace(feed.users, external_id=["42"]))
    sql = "SELECT id FROM feed_posts WHERE (SELECT external_id::bigint FROM feed_users) = :user_id"

    assert list(lists(database, sql, replay_of(feed, 10.0)).values()) == [[0]]


def test_the_examples_of_the_documentation_run(database, feed):
    page = Path(__file__).parents[3].joinpath("docs/adopting.md").read_text()
    section = page.partition("## Compare before you switch")[2].partition("\n## ")[0]
    examples = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)

    assert len(examples) == 2
    for example in examples:
        assert all(lists(database, example, replay_of(feed), at_most=3).values())


def test_comments_strings_and_a_final_semicolon_are_no_parameters_and_no_second_statement(database, feed):
    sql = """
        -- the newest of :nobody; all of them
        SELECT p.id /* ; :nobody */, ':nobody;' AS "a;b:c", E'it\\'s ;' FROM feed_posts p
        WHERE $$;:x$$ <> '' AND content NOT LIKE '%:nobody%' AND p.created_at::date <= :at::date
        ORDER BY p.created_at DESC; -- the end;
    """
    replay = replay_of(feed)

    assert lists(database, sql, replay, 5) == lists(database, NEWEST, replay, 5)


@pytest.fixture
def secret_rule_feed(own_database_url, monkeypatch, tmp_path):
    """In the database: each of eight users likes, of the eight new posts of an hour, the one with their id as text."""
    posts, events = [], []
    for hour in range(30):
        start = f"2026-01-0{1 + hour // 24}T{hour % 24:02}"
        for number in range(8):
            name, reader = f"{hour}-{number}", f"reader {number}"
            author = f"writer of {name}"
            posts.append((name, author, reader, f"{start}:00:00Z"))
            events.append((reader, name, "like", f"{start}:2{number}:00Z"))
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.setenv("TRAINING_WORKERS", "1")
    monkeypatch.chdir(tmp_path)
    for name, columns, rows in (
        ("interactions.csv", "user_id,post_id,interaction_type,created_at", events),
        ("posts.csv", "id,author_id,content,created_at", posts),
    ):
        tmp_path.joinpath(name).write_text("\n".join([columns, *map(",".join, rows)]))
    assert import_feed(["--interactions", "interactions.csv", "--posts", "posts.csv"]) == 0
    return own_database_url


def tables(url: str) -> list[str]:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT relnamespace::regnamespace::text || relname FROM pg_class ORDER BY 1")
        return [name for (name,) in cursor]


def test_a_better_order_of_a_team_wins_and_leaves_the_database_as_it_was(secret_rule_feed, tmp_path, capsys):
    tmp_path.joinpath("order.sql").write_text(
        "SELECT id FROM feed_posts ORDER BY content = :user_id DESC, created_at DESC LIMIT 5"
    )
    before = tables(secret_rule_feed)
    capsys.readouterr()

    code = main(["--against", "order.sql", "--json", "--dump", "dump.ndjson"])

    out, err = capsys.readouterr()
    printed = json.loads(out)
    lines = [json.loads(line) for line in tmp_path.joinpath("dump.ndjson").read_text().splitlines()]
    theirs = np.array([line["rank"] for line in lines if line["ranker"] == "against"])
    ours = np.array([line["rank"] for line in lines if line["ranker"] == "served"])
    gain = np.where(ours <= 10, 1 / np.log2(ours + 1), 0) - np.where(theirs <= 10, 1 / np.log2(theirs + 1), 0)
    assert code == 0
    assert len(theirs) == len(ours) == printed["requests"] == 48
    assert set(theirs) == {1}
    assert printed["against"]["order"] == "order.sql"
    assert printed["against"]["difference"]["ndcg@10"]["mean"] == pytest.approx(gain.mean())
    assert printed["against"]["difference"]["ndcg@10"]["high"] < 0
    assert printed["against"]["verdict"].startswith("theirs places the post they chose higher: -")
    assert err == (
        "training.evaluate: warning: order.sql: 48 of 48 lists have fewer than 10 posts; "
        "the others rank after them in random order\n"
    )
    assert tables(secret_rule_feed) == before


def test_files_are_compared_on_any_database_and_a_worse_order_loses(
    empty_database_url, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    path = str(tmp_path / "feed.json")
    assert generate(["--users", "40", "--posts", "120", "--interactions", "1500", "--output", path]) == 0
    capsys.readouterr()
    unordered = "SELECT external_id FROM feed_posts LIMIT 8"

    assert main(["--interactions", path, "--against", unordered]) == 0

    out, err = capsys.readouterr()
    table, verdict = out.rstrip().rsplit("\n", 1)
    assert "theirs (--against)" in table
    no_order, too_short = err.splitlines()
    assert no_order.endswith("--against: has no ORDER BY, so PostgreSQL may return the posts in any order")
    assert re.search(r"--against: (\d+) of \1 lists have fewer than 10 posts", too_short)
    assert verdict.startswith("ours places the post they chose higher: +")
