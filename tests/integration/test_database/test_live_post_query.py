"""A full read that skips posts that are not live gives what an eviction leaves of a read of all posts."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from math import inf

import numpy as np
import pytest
from sqlalchemy import Engine

from app.domain.feed.embeddings import PostVectors
from app.domain.feed.list_limits import ListLimits
from app.domain.feed.live_posts import LivePostLimits
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.full_read import post_source
from app.infrastructure.database.live_post_query import events_by_post
from app.infrastructure.database.schema import SchemaName
from tests.support.small_service import FEW_CANDIDATES
from tests.support.sql_services import a_process, assert_as_read_completely
from tests.support.storage_under_test import NOON

SHORT_LISTS = replace(FEW_CANDIDATES, lists=ListLimits(events_per_user=8, users_per_post=3))
# Posts at a few times, so that ties occur; events of authors with own posts; events that repeat within the window.
FEED = f"""
SELECT setseed(0.5);
INSERT INTO users (external_id) SELECT 'u' || k FROM generate_series(0, 11) k;
INSERT INTO posts (external_id, author_id, created_at)
SELECT 'p' || k, (SELECT id FROM users WHERE external_id = 'u' || k %% 12),
    timestamptz '{NOON}' - (k / 4) * interval '5 hours' FROM generate_series(0, 199) k;
INSERT INTO user_interaction (user_id, post_id, interaction_type, occurred_at, created_at)
SELECT (SELECT id FROM users WHERE external_id = 'u' || u), (SELECT id FROM posts WHERE external_id = 'p' || p),
    (ARRAY['view', 'click', 'like', 'comment', 'share'])[1 + floor(random() * 5)::int],
    at - late * interval '1 hour', at
FROM (
    SELECT floor(random() ^ 2 * 12)::int AS u, floor(random() ^ 2 * 200)::int AS p, floor(random() * 3) AS late,
        timestamptz '{NOON}' - floor(random() * 4000) * interval '15 minutes' AS at
    FROM generate_series(1, 800) k OFFSET 0
) AS drawn
"""
ADOPTED = """
CREATE OR REPLACE VIEW feed_posts AS SELECT t.id, t.external_id, t.author_id, t.content, t.tags, t.visible,
    t.created_at, t.seq FROM posts t WHERE t.external_id NOT LIKE '%%7';
CREATE OR REPLACE VIEW feed_users AS SELECT id, external_id, created_at FROM users WHERE external_id <> 'u2'
"""
LATER = """
INSERT INTO user_interaction (user_id, post_id, interaction_type)
SELECT u.id, p.id, 'like' FROM users u, posts p WHERE u.external_id = 'u0' AND p.external_id IN ('p0', 'p198');
DELETE FROM user_interaction WHERE seq %% 5 = 0
"""


def run(engine: Engine, statements: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(statements)


@pytest.mark.parametrize("is_adopted", [False, True], ids=["own tables", "a team's views"])
def test_a_start_gives_what_an_eviction_leaves(engine: Engine, is_adopted: bool) -> None:
    run(engine, FEED)
    if is_adopted:
        run(engine, ADOPTED)
    for limits in (
        LivePostLimits(20, 0, 0),
        LivePostLimits(5, 4, 0),
        LivePostLimits(1, 1, 2),
        LivePostLimits(30, 20, 1),
    ):
        service, _ = a_process(engine, options=SHORT_LISTS, live_posts=limits)
        service.clock.at = NOON + timedelta(days=8)
        assert service.feed.state.complete_from is not None
        assert_as_read_completely(service, engine)
    run(engine, LATER)
    service.catch_up()
    assert_as_read_completely(service, engine)


def test_a_full_read_counts_as_the_evaluation_and_gives_the_oldest_account_the_first_row(
    engine: Engine,
) -> None:
    run(engine, FEED)
    run(engine, "UPDATE users SET created_at = created_at - substr(external_id, 2)::int * interval '1 day'")
    log, state = SqlFeedLog(engine), FeedState()

    evaluated = log.read_all()
    expected = evaluated.to_state(FeedTimeline(evaluated.dataset, replay=False))
    read = log.read_into(state)
    read.fill(state, PostVectors.zeros(len(read.dataset.posts)), inf)

    users = evaluated.dataset.users
    assert state.user_rows.rows(users.key[np.argsort(users.created)]).tolist() == list(range(12))
    counts = [of.author_counters.log2_counts(of.user_rows.rows(users.key)) for of in (expected, state)]
    assert np.isfinite(counts[0]).any()
    np.testing.assert_array_equal(*counts)  # to the last bit


@pytest.mark.parametrize(
    "limits", [LivePostLimits(200, 0, 0), LivePostLimits(185, 0, 0), LivePostLimits(5, 0, 1000)]
)
def test_all_posts_are_read_if_few_are_not_live(engine: Engine, limits: LivePostLimits) -> None:
    run(engine, FEED)

    snapshot = SqlFeedLog(engine).read_into(FeedState(), limits)

    assert len(snapshot.dataset.posts) == 200
    assert snapshot.complete_from is None


@pytest.mark.parametrize("events_per_part", [1, 7, 60, 1000])
def test_events_come_by_post_also_of_posts_with_more_than_a_part(
    engine: Engine, events_per_part: int
) -> None:
    run(engine, FEED)
    schema = SchemaName()
    with engine.connect() as connection:
        counts = connection.exec_driver_sql(
            "SELECT decode(replace(p.id::text, '-', ''), 'hex'), count(*) FROM posts p "
            "JOIN user_interaction i ON post_id = p.id WHERE user_id <> author_id GROUP BY p.id"
        )
        expected = {bytes(post): n for post, n in counts}

        parts = list(
            events_by_post(connection, schema, post_source(schema, own_tables=True), events_per_part)
        )

    assert max(expected.values()) > 7
    found = [Counter(part["post"].tolist()) for part in parts]
    assert all(found)
    assert sum(map(len, found)) == len(expected)  # each post is in one part
    assert sum(found, Counter()) == expected
