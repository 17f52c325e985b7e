"""Export, reset and erasure of a user, over real HTTP."""

import httpx
import pytest

from app.domain.ids import user_uuid
from tests.e2e.test_api.test_recommendations import problem
from tests.support.fake_use_cases import Running

CALLS = [("GET", "/users/{}/export"), ("POST", "/users/{}/reset"), ("DELETE", "/users/{}")]


def test_an_export_is_one_json_object(api: httpx.Client) -> None:
    answer = api.get("/users/alice/export")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"user_id": "alice", "interactions": 0}


def test_a_reset_names_the_tables_and_their_removed_rows(api: httpx.Client, running: Running) -> None:
    running.tables.add_follow(user_uuid("alice"), user_uuid("bob"))

    answers = [api.post("/users/alice/reset") for _ in range(2)]

    stores = [{"name": "user_interaction", "rows": 0}]
    expected = {"status": "reset", "stores": stores, "managed_elsewhere": []}
    assert [(one.status_code, one.json()) for one in answers] == [(202, expected)] * 2
    assert not running.tables.follows


def test_an_erasure_is_final_and_repeats_its_receipt(api: httpx.Client, running: Running) -> None:
    answers = [api.delete("/users/alice") for _ in range(2)]
    expected = {
        "status": "erased",
        "erased_at": "2026-03-01T00:00:00Z",
        "stores": [{"name": "users", "rows": 1}],
        "managed_elsewhere": [],
        "outbox_purged_from": "2026-03-01T01:00:00Z",
    }

    assert [(one.status_code, one.json()) for one in answers] == [(202, expected)] * 2
    assert problem(api.put("/users/alice", json={})) == (410, "erased_user")
    assert user_uuid("alice") not in running.tables.users


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize(
    ("user_id", "expected"), [("nobody", (404, "unknown_user")), ("%7F", (422, "invalid_id"))]
)
def test_a_user_that_is_unknown_is_a_problem(
    api: httpx.Client, method: str, path: str, user_id: str, expected: tuple[int, str]
) -> None:
    assert problem(api.request(method, path.format(user_id))) == expected


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_database_that_is_away_is_a_problem(
    api: httpx.Client, running: Running, method: str, path: str
) -> None:
    running.tables.away = True

    answer = api.request(method, path.format("alice"))
    assert problem(answer) == (503, "storage_unavailable")
    assert "retry-after" in answer.headers
