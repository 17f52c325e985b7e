"""GET /admin/explain and GET /admin/users/{user_id}, over real HTTP."""

import httpx
import pytest

from app.domain.ids import post_uuid, user_uuid
from tests.e2e.test_api.test_recommendations import problem
from tests.support.fake_use_cases import Running


def test_a_stored_post_is_explained(api: httpx.Client) -> None:
    answer = api.get("/admin/explain", params={"user_id": "alice", "post_id": "post-1"})

    assert answer.status_code == 200
    assert answer.json() == {
        "user_id": str(user_uuid("alice")),
        "post_id": str(post_uuid("post-1")),
        "known_user": False,
        "model_version": None,
        "generated_at": "2026-03-01T12:00:00Z",
        "verdict": "not_live",
        "position": None,
        "reason": None,
        "sources": [],
        "removed_by": [],
        "excluded_as": [],
        "rank": None,
        "score": None,
        "page_rule": None,
        "score_parts": {},
    }


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/admin/explain?user_id=alice&post_id=never", 404, "unknown_post"),
        ("/admin/explain?user_id=alice", 422, "invalid_request"),
        ("/admin/explain?user_id=alice&post_id=post-1&limit=0", 422, "invalid_request"),
        ("/admin/explain?user_id=alice&post_id=post-1&limit=many", 422, "invalid_request"),
        ("/admin/explain?user_id=%00&post_id=post-1", 422, "invalid_id"),
        ("/admin/users/nobody", 404, "unknown_user"),
        (f"/admin/users/{'x' * 129}", 422, "invalid_id"),
        ("/admin/users/alice?limit=201", 422, "invalid_request"),
    ],
)
def test_a_wrong_question_is_a_problem(api: httpx.Client, path: str, status: int, code: str) -> None:
    assert problem(api.get(path)) == (status, code)


def test_a_database_that_is_away_is_a_problem(api: httpx.Client, running: Running) -> None:
    running.tables.away = True

    assert problem(api.get("/admin/users/alice")) == (503, "storage_unavailable")
