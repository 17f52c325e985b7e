"""PUT and DELETE /users/{user_id}/follows/{followee_id}, and POST /recommendations/updates, over real HTTP."""

import httpx
import pytest

from app.domain.ids import user_uuid
from tests.e2e.test_api.test_recommendations import problem
from tests.support.fake_use_cases import Running

ALICE_FOLLOWS_BOB = "/users/alice/follows/bob"


def test_a_follow_and_its_end_are_stored(api: httpx.Client, running: Running) -> None:
    pair = user_uuid("alice"), user_uuid("bob")

    followed = api.put(ALICE_FOLLOWS_BOB)
    stored = pair in running.tables.follows
    unfollowed = api.delete(ALICE_FOLLOWS_BOB)

    assert (followed.status_code, followed.json()) == (202, {"status": "followed"})
    assert (unfollowed.status_code, unfollowed.json()) == (202, {"status": "unfollowed"})
    assert (stored, pair in running.tables.follows) == (True, False)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/users/nobody/follows/bob", 404, "unknown_user"),
        ("/users/alice/follows/nobody", 404, "unknown_user"),
        ("/users/alice/follows/alice", 422, "invalid_follow"),
        (f"/users/alice/follows/{'x' * 129}", 422, "invalid_id"),
        ("/users/alice/follows/%00", 422, "invalid_id"),
    ],
)
def test_a_wrong_follow_is_a_problem(
    api: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    assert problem(api.request(method, path)) == (status, code)


def test_follows_of_another_application_are_a_conflict(api: httpx.Client, running: Running) -> None:
    running.follows.managed_elsewhere = True

    assert problem(api.put(ALICE_FOLLOWS_BOB)) == (409, "managed_elsewhere")


def test_a_database_that_is_away_rejects_follows(api: httpx.Client, running: Running) -> None:
    running.tables.away = True

    answer = api.put(ALICE_FOLLOWS_BOB)

    assert problem(answer) == (503, "storage_unavailable")
    assert int(answer.headers["retry-after"]) > 0


def test_the_number_of_new_posts_is_returned(api: httpx.Client) -> None:
    page = api.post("/recommendations/generate", json={"user_id": "alice", "limit": 2}).json()

    cursor = page["metadata"]["next_cursor"]
    answer = api.post("/recommendations/updates", json={"user_id": "alice", "cursor": cursor})

    assert (answer.status_code, answer.json()) == (200, {"new": 3, "capped": False})


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"user_id": "alice", "cursor": "abc"}, 400, "invalid_cursor"),
        ({"user_id": "alice", "cursor": None}, 422, "invalid_request"),
        ({"user_id": "alice"}, 422, "invalid_request"),
        ({"user_id": "", "cursor": "abc"}, 422, "invalid_request"),
    ],
)
def test_wrong_updates_are_a_problem(
    api: httpx.Client, body: dict[str, object], status: int, code: str
) -> None:
    assert problem(api.post("/recommendations/updates", json=body)) == (status, code)
