"""PUT and DELETE /audiences/{audience_id}/members/{user_id}, over real HTTP."""

import httpx
import pytest

from app.domain.ids import user_uuid
from tests.e2e.test_api.test_recommendations import problem
from tests.support.fake_use_cases import Running

ALICE_IN_CLUB = "/audiences/club/members/alice"


def test_a_membership_and_its_end_are_stored(api: httpx.Client, running: Running) -> None:
    joined = api.put(ALICE_IN_CLUB)
    audiences = running.tables.users[user_uuid("alice")].audiences
    left = api.delete(ALICE_IN_CLUB)

    assert (joined.status_code, joined.json()) == (202, {"status": "joined"})
    assert (left.status_code, left.json()) == (202, {"status": "left"})
    assert (audiences, running.tables.users[user_uuid("alice")].audiences) == (("club",), ())


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/audiences/club/members/nobody", 404, "unknown_user"),
        (f"/audiences/{'x' * 129}/members/alice", 422, "invalid_id"),
        ("/audiences/%00/members/alice", 422, "invalid_id"),
        ("/audiences/club/members/%00", 422, "invalid_id"),
    ],
)
def test_a_wrong_membership_is_a_problem(
    api: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    assert problem(api.request(method, path)) == (status, code)


def test_memberships_of_another_application_are_a_conflict(api: httpx.Client, running: Running) -> None:
    running.memberships.managed_elsewhere = True

    assert problem(api.put(ALICE_IN_CLUB)) == (409, "managed_elsewhere")


def test_a_database_that_is_away_rejects_memberships(api: httpx.Client, running: Running) -> None:
    running.tables.away = True

    assert problem(api.delete(ALICE_IN_CLUB)) == (503, "storage_unavailable")
