"""GET /admin/explain, GET /admin/users/{user_id} and GET /admin/experiments, over real HTTP."""

from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from app.domain.experiments.preference import preference
from app.domain.experiments.read_out import read_out, stops_due
from app.domain.ids import post_uuid, user_uuid
from tests.e2e.test_api.test_recommendations import problem
from tests.support.experiments import an_experiment, an_interleaving, experiment_data, user_credits
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


NOW = datetime(2026, 12, 22, 9, tzinfo=UTC)


def read_out_experiment(running: Running) -> None:
    """An experiment of which a guardrail is worse."""
    experiment = an_experiment()
    running.experiments.append(experiment)
    data = experiment_data(hides=(0.01, 0.02))
    [stop] = stops_due(experiment, read_out(experiment, data, NOW.date()), NOW)
    running.experiment_results.stored.append(stop)
    running.experiment_results.save_read_out(read_out(experiment, data, NOW.date(), [stop]), NOW)


def test_without_a_file_there_are_no_experiments(api: httpx.Client) -> None:
    assert api.get("/admin/experiments").json() == {"experiments": []}


def test_an_experiment_has_its_variants_its_stops_and_what_it_shows(
    api: httpx.Client, running: Running
) -> None:
    read_out_experiment(running)

    [found] = api.get("/admin/experiments").json()["experiments"]

    assert (found["name"], found["enabled"], found["primary_metric"]) == ("order", True, "like")
    assert [(one["name"], one["is_control"]) for one in found["variants"]] == [
        ("control", True),
        ("other", False),
    ]
    [stop] = found["stops"]
    assert (stop["variant"], stop["metric"], stop["stopped_at"]) == (
        "other",
        "hide_post",
        "2026-12-22T09:00:00Z",
    )
    assert found["read_at"] == "2026-12-22T09:00:00Z"
    shown = found["read_out"]
    assert sum(shown["users"].values()) == 8000
    assert [one["outcome"] for one in shown["guardrails"]] == ["worse", "worse"]
    assert shown["primary"][0]["low"] < shown["primary"][0]["difference"] < shown["primary"][0]["high"]
    assert (len(shown["days"]), len(shown["positions"]), len(shown["reasons"])) == (21, 20, 2)


def test_a_read_out_of_other_users_or_of_another_version_is_not_shown(
    api: httpx.Client, running: Running
) -> None:
    read_out_experiment(running)
    [experiment] = running.experiments
    running.experiments[:] = [replace(experiment, salt="another")]
    [found] = api.get("/admin/experiments").json()["experiments"]
    assert (found["stops"], found["read_at"], found["read_out"]) == ([], None, None)

    running.experiments[:] = [experiment]
    running.experiment_results.lacking = "days"
    [found] = api.get("/admin/experiments").json()["experiments"]
    assert (len(found["stops"]), found["read_at"], found["read_out"]) == (1, None, None)


def test_an_interleaving_has_the_preference_of_its_users(api: httpx.Client, running: Running) -> None:
    experiment = replace(an_interleaving(), planned_users=1000)
    running.experiments.append(experiment)
    credited = user_credits(of_control=1.0, of_variant=1.2)
    running.experiment_results.save_read_out(preference(experiment, credited, NOW.date()), NOW)

    [found] = api.get("/admin/experiments").json()["experiments"]

    assert (found["kind"], found["read_at"], found["read_out"]) == (
        "interleaving",
        "2026-12-22T09:00:00Z",
        None,
    )
    shown = found["preference"]
    assert (shown["control"], shown["variant"], shown["metric"]) == ("control", "other", "like")
    assert (shown["complete_users"], shown["pages"], shown["verdict"]) == (2000, 6000, "users prefer other")
    assert 0 < shown["low"] < shown["preference"] < shown["high"]


def test_experiments_need_the_database(api: httpx.Client, running: Running) -> None:
    running.experiments.append(an_experiment())
    running.experiment_results.is_away = True

    assert problem(api.get("/admin/experiments")) == (503, "storage_unavailable")
