"""The rules of the HTTP contract, on the whole service: PostgreSQL, model, ranking and all."""

import uuid
from typing import Any

import psycopg2
import pytest

from app.domain.ids import user_uuid
from tests.e2e.test_api.test_recommendations import problem
from tests.e2e.test_service.conftest import INTERACTIONS, POSTS, USERS
from tests.support.service_process import Service, ids


@pytest.fixture(scope="module")
def rows(feed_url: str, service: Service) -> Any:
    """Asks the database."""
    connection = psycopg2.connect(feed_url)
    connection.autocommit = True

    def ask(query: str, *values: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    yield ask
    connection.close()


@pytest.fixture(scope="module")
def active_user(rows: Any) -> str:
    [(user,)] = rows(
        "SELECT external_id FROM users u JOIN user_interaction i ON i.user_id = u.id"
        " GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
    )
    return str(user)


def eligible(rows: Any, user: str, but: str = "false") -> set[str]:
    """Ids of the posts that may be recommended to a user, except those for which the condition `but` is true."""
    visible = f"SELECT feed_visible_posts('{user_uuid(user)}')"
    found = rows(f"SELECT id FROM posts p WHERE id IN ({visible}) AND NOT ({but})")
    return {str(one) for (one,) in found}


def add_user(rows: Any, given: str) -> None:
    rows("INSERT INTO users (id, external_id) VALUES (%s, %s)", str(user_uuid(given)), given)


def whole_list(service: Service, user: str, **body: Any) -> tuple[list[str], Any]:
    found: list[str] = []
    cursor = None
    for _ in range(50):
        answer = service.generate(user, cursor=cursor, **body)
        found += ids(answer)
        cursor = answer["metadata"]["next_cursor"]
        if cursor is None:
            return found, answer
    raise AssertionError("the list has no end")


def test_the_service_is_healthy_with_the_model_and_all_rows_of_the_feed(service: Service) -> None:
    health = service.health()

    assert (health["status"], health["model_version"], health["model_loaded"]) == ("healthy", "v1", True)
    assert (health["users"], health["posts"]) == (USERS, POSTS)
    assert health["interactions"] >= INTERACTIONS
    assert health["database"] == "up"


def test_an_unknown_user_gets_a_full_cold_start_page(service: Service) -> None:
    answer = service.generate("test-user")

    about = answer["metadata"]
    assert about["total"] == len(set(ids(answer))) == 50
    assert (about["source"], about["degraded"], about["exhausted"]) == ("cold_start", False, False)
    assert about["model_version"] == "v1"


def test_a_known_user_gets_a_personalized_page_with_falling_scores(
    service: Service, active_user: str
) -> None:
    answer = service.generate(active_user)

    scores = [post["score"] for post in answer["recommendations"]]
    assert answer["metadata"]["source"] == "personalized"
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


def test_no_page_contains_a_seen_an_own_or_an_excluded_post(
    service: Service, rows: Any, active_user: str
) -> None:
    user = user_uuid(active_user)
    seen_or_own = (
        f"id IN (SELECT post_id FROM user_interaction WHERE user_id = '{user}') OR author_id = '{user}'"
    )
    excluded = ids(service.generate(active_user, limit=10))

    for mode in ("ranked", "newest"):
        found, last = whole_list(
            service, active_user, limit=200, exclude_ids=excluded, context={"mode": mode}
        )
        assert len(found) == len(set(found))
        assert set(found) == eligible(rows, active_user, but=seen_or_own) - set(excluded)
        assert last["metadata"]["exhausted"] is True


def test_seen_posts_come_back_when_asked_for(service: Service, rows: Any, active_user: str) -> None:
    found, _ = whole_list(service, active_user, limit=200, context={"exclude_seen": False})

    assert set(found) == eligible(rows, active_user, but=f"author_id = '{user_uuid(active_user)}'")


def test_newest_is_by_time_and_following_holds_followed_authors_only(service: Service, rows: Any) -> None:
    [(user,)] = rows(
        "SELECT u.external_id FROM users u JOIN follows f ON f.follower_id = u.id"
        " JOIN posts p ON p.author_id = f.followee_id GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
    )
    created = {str(one): at for one, at in rows("SELECT id, created_at FROM posts")}
    followed = eligible(
        rows,
        user,
        but=f"author_id IS NULL OR author_id NOT IN"
        f" (SELECT followee_id FROM follows WHERE follower_id = '{user_uuid(user)}')",
    )

    newest, _ = whole_list(service, user, limit=90, context={"mode": "newest", "exclude_seen": False})
    following, last = whole_list(
        service, user, limit=90, context={"mode": "following", "exclude_seen": False}
    )

    for found in (newest, following):
        times = [created[one] for one in found]
        assert times == sorted(times, reverse=True)
    assert set(following) == followed
    assert last["metadata"]["exhausted"] is True


def test_a_cursor_list_never_repeats_whatever_happens_in_between(
    service: Service, rows: Any, active_user: str
) -> None:
    shown: list[str] = []
    cursor = None
    for turn in range(6):
        answer = service.generate(active_user, limit=30, cursor=cursor)
        shown += ids(answer)
        cursor = answer["metadata"]["next_cursor"]
        kind = ("view", "like", "share")[turn % 3]
        assert service.track(active_user, shown[-1], kind).status_code == 202
        rows("INSERT INTO posts (external_id, content) VALUES (%s, 'new')", f"between-{uuid.uuid4()}")
        rows("DELETE FROM posts WHERE external_id LIKE 'between-%%'" if turn % 2 else "SELECT 1")

    assert len(shown) == len(set(shown)) == 180


def test_offsets_page_through_one_list(service: Service) -> None:
    pages = [ids(service.generate("offset-reader", limit=40, offset=start)) for start in range(0, 200, 40)]

    found = [one for page in pages for one in page]
    assert len(found) == len(set(found)) == 200
    beyond = service.generate("offset-reader", limit=40, offset=10_000_000)
    assert (ids(beyond), beyond["metadata"]["exhausted"]) == ([], True)


def test_when_nothing_is_left_the_answer_is_empty_and_exhausted(service: Service, rows: Any) -> None:
    add_user(rows, "follows-nobody")

    answer = service.generate("follows-nobody", context={"mode": "following"})

    assert ids(answer) == []
    assert answer["metadata"]["exhausted"] is True
    assert answer["metadata"]["next_cursor"] is None


def test_what_was_just_tracked_counts_in_the_next_answer(service: Service, rows: Any) -> None:
    add_user(rows, "fresh-user")
    before = service.generate("fresh-user", limit=50)
    liked = ids(before)[0]
    assert before["metadata"]["source"] == "cold_start"

    assert service.track("fresh-user", liked, "like").status_code == 202
    after = service.generate("fresh-user", limit=50)

    assert liked not in ids(after)
    assert after["metadata"]["source"] == "personalized"


def test_a_committed_event_is_in_the_database_with_what_was_given(
    service: Service, rows: Any, active_user: str
) -> None:
    post, event_id = ids(service.generate(active_user, limit=1))[0], str(uuid.uuid4())

    for _ in range(2):
        sent = service.track(
            active_user,
            post,
            "comment",
            event_id=event_id,
            metadata={"dwell_time_ms": 5, "text": "ö☃"},
            request_id="r-1",
        )
        assert sent.status_code == 202

    stored = rows(
        "SELECT interaction_type, metadata, request_id FROM user_interaction WHERE event_id = %s", event_id
    )
    assert stored == [("comment", {"dwell_time_ms": 5, "text": "ö☃"}, "r-1")]


def test_unknown_users_and_posts_are_named_and_a_batch_is_all_or_none(
    service: Service, rows: Any, active_user: str
) -> None:
    [(count,)] = rows("SELECT count(*) FROM user_interaction")
    post = ids(service.generate(active_user, limit=1))[0]
    good = {"user_id": active_user, "post_id": post, "interaction_type": "view"}

    assert problem(service.track(str(uuid.uuid4()), post)) == (404, "unknown_user")
    assert problem(service.track(active_user, "no-such-post")) == (404, "unknown_post")
    batch = service.client.post(
        "/interactions/batch", json={"interactions": [good, {**good, "post_id": "nope"}]}
    )
    assert problem(batch) == (404, "unknown_post")
    assert rows("SELECT count(*) FROM user_interaction") == [(count,)]


def test_a_row_written_by_hand_reaches_the_feed_and_a_deleted_one_leaves_it(
    service: Service, rows: Any
) -> None:
    [(post,)] = rows("INSERT INTO posts (external_id, content) VALUES ('by-hand', 'x') RETURNING id")

    def is_listed() -> bool:
        return str(post) in ids(service.generate("newest-reader", limit=5, context={"mode": "newest"}))

    service.until(is_listed)
    rows("UPDATE posts SET visible = false WHERE id = %s", post)
    service.until(lambda: not is_listed())
    rows("UPDATE posts SET visible = true WHERE id = %s", post)
    service.until(is_listed)
    rows("DELETE FROM posts WHERE id = %s", post)
    service.until(lambda: not is_listed())


def test_a_post_dated_in_the_future_waits(service: Service, rows: Any) -> None:
    rows("INSERT INTO posts (external_id, created_at) VALUES ('tomorrow', now() + interval '1 day')")
    rows("INSERT INTO posts (external_id) VALUES ('today')")

    def newest() -> list[str | None]:
        page = service.generate("newest-reader", limit=5, context={"mode": "newest"})
        return [post.get("external_id") for post in page["recommendations"]]

    service.until(lambda: "today" in newest())
    assert "tomorrow" not in newest()
    rows("DELETE FROM posts WHERE external_id IN ('today', 'tomorrow')")
    service.until(lambda: "today" not in newest())


def test_answers_are_copied_to_user_recommendation(service: Service, rows: Any, active_user: str) -> None:
    answer = service.generate(active_user, limit=20)

    def copied() -> set[str]:
        found = rows(
            "SELECT r.post_id FROM user_recommendation r JOIN users u ON u.id = r.user_id"
            " WHERE u.external_id = %s AND expires_at > now()",
            active_user,
        )
        return {str(one) for (one,) in found}

    service.until(lambda: set(ids(answer)) <= copied())


def test_figures_name_every_stage(service: Service, active_user: str) -> None:
    service.generate(active_user)

    figures = service.client.get("/metrics").text

    for stage in ("sources", "filter", "score", "select", "encode", "total"):
        assert f'ml_recommendation_latency_seconds_count{{stage="{stage}"}}' in figures
    assert 'ml_recommendation_requests_total{mode="ranked",source="personalized",status="200"}' in figures
    assert 'ml_feed_lock_held_seconds_count{writer="state"}' in figures
    assert "ml_degraded 0.0" in figures
