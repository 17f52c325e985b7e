"""POST /interactions/track and /interactions/batch over real HTTP."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.domain.ids import post_uuid, user_uuid
from app.presentation.schemas.interaction_schema import BatchResponse, TrackResponse
from tests.e2e.test_api.test_recommendations import problem
from tests.support.fake_use_cases import NOON, Running

TRACK, BATCH, RETRACT = "/interactions/track", "/interactions/batch", "/interactions/retract"


def event(**changes: Any) -> dict[str, Any]:
    return {"user_id": "alice", "post_id": "post-1", "interaction_type": "view", **changes}


def test_a_tracked_event_is_stored_and_handed_to_the_feed(api: httpx.Client, running: Running) -> None:
    event_id = uuid4()
    answer = api.post(
        TRACK,
        json=event(
            interaction_type="like",
            metadata={"dwell_time_ms": 3500},
            event_id=str(event_id),
            occurred_at="2026-03-01T10:00:00+01:00",
            request_id="abc-1",
        ),
    )

    assert answer.status_code == 202
    assert TrackResponse.model_validate_json(answer.content).status == "tracked"
    [row] = running.interactions.rows
    assert (row.user_id, row.post_id, row.interaction_type) == (
        user_uuid("alice"),
        post_uuid("post-1"),
        "like",
    )
    assert (row.event_id, row.request_id, row.metadata) == (event_id, "abc-1", {"dwell_time_ms": 3500})
    assert row.occurred_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert [one.interaction for one in running.applied] == [row]


@pytest.mark.parametrize("kind", ["view", "click", "like", "comment", "share"])
def test_all_five_types_are_taken_by_uuid_or_by_name(api: httpx.Client, running: Running, kind: str) -> None:
    ids = {"user_id": str(user_uuid("bob")), "post_id": str(post_uuid("post-2")).upper()}

    assert api.post(TRACK, json=event(interaction_type=kind, **ids)).status_code == 202
    assert running.interactions.rows[0].user_id == user_uuid("bob")
    assert running.interactions.rows[0].occurred_at == NOON


def test_an_unknown_user_or_post_is_a_404_and_nothing_is_stored(api: httpx.Client, running: Running) -> None:
    assert problem(api.post(TRACK, json=event(user_id="nobody"))) == (404, "unknown_user")
    assert problem(api.post(TRACK, json=event(post_id="nothing"))) == (404, "unknown_post")
    batch = {"interactions": [event(), event(post_id="nothing")]}
    assert problem(api.post(BATCH, json=batch)) == (404, "unknown_post")
    assert running.interactions.rows == running.applied == []


def test_the_same_event_twice_is_stored_once(api: httpx.Client, running: Running) -> None:
    same = event(event_id=str(uuid4()))

    first, second = api.post(TRACK, json=same), api.post(TRACK, json=same)
    batch = api.post(BATCH, json={"interactions": [same, event(), event(event_id=str(uuid4()))]})

    assert (first.status_code, second.status_code) == (202, 202)
    counted = BatchResponse.model_validate_json(batch.content)
    assert (batch.status_code, counted.accepted, counted.duplicates) == (202, 2, 1)
    assert len(running.interactions.rows) == len(running.applied) == 3


def test_a_batch_holds_one_to_five_hundred_events(api: httpx.Client) -> None:
    small = {"user_id": "alice", "post_id": "post-1", "interaction_type": "view"}

    assert api.post(BATCH, json={"interactions": [small] * 500}).json()["accepted"] == 500
    for events in ([], [small] * 501, {"0": small}, None):
        assert problem(api.post(BATCH, json={"interactions": events})) == (422, "invalid_request")


@pytest.mark.parametrize(
    "late", [timedelta(), timedelta(days=7), timedelta(seconds=-5)], ids=["now", "a week ago", "a fast clock"]
)
def test_an_event_may_lie_a_week_back_and_a_fast_clock_counts_as_now(
    api: httpx.Client, running: Running, late: timedelta
) -> None:
    answer = api.post(TRACK, json=event(occurred_at=(NOON - late).isoformat()))

    assert answer.status_code == 202
    assert running.interactions.rows[0].occurred_at == min(NOON, NOON - late)


@pytest.mark.parametrize(
    ("late", "status", "code"),
    [
        (timedelta(days=7, seconds=1), 422, "event_too_old"),
        (timedelta(minutes=-10), 409, "clock_ahead"),
        (timedelta(days=-9), 409, "clock_ahead"),
    ],
)
def test_an_event_outside_of_the_window_is_rejected(
    api: httpx.Client, running: Running, late: timedelta, status: int, code: str
) -> None:
    stamp = (NOON - late).astimezone(timezone(timedelta(hours=9))).isoformat()
    answer = api.post(BATCH, json={"interactions": [event(), event(occurred_at=stamp)]})

    assert problem(answer) == (status, code)
    assert answer.json()["detail"].startswith("interactions[1]: occurred_at")
    if code == "clock_ahead":
        assert int(answer.headers["retry-after"]) == (-late - timedelta(minutes=5)).total_seconds()
    assert running.interactions.rows == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"user_id": 5}, "/user_id"),
        ({"post_id": None}, "/post_id"),
        ({"interaction_type": "LIKE"}, "/interaction_type"),
        ({"metadata": []}, "/metadata"),
        ({"metadata": None}, "/metadata"),
        ({"metadata": {"a": "x" * 4096}}, "/metadata"),
        ({"metadata": {"a": "b\0c"}}, "/metadata"),
        ({"metadata": {"a\0": 1}}, "/metadata"),
        ({"metadata": {"a": [[["\0"]]]}}, "/metadata"),
        ({"event_id": "17"}, "/event_id"),
        ({"event_id": 17}, "/event_id"),
        ({"occurred_at": "yesterday"}, "/occurred_at"),
        ({"occurred_at": 1_772_366_400}, "/occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "/occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "/occurred_at"),
        ({"request_id": ""}, "/request_id"),
        ({"request_id": "a\0"}, "/request_id"),
        ({"request_id": "x" * 129}, "/request_id"),
    ],
)
def test_a_wrong_field_is_named_alone_and_in_a_batch(
    api: httpx.Client, running: Running, changes: dict[str, Any], pointer: str
) -> None:
    alone = api.post(TRACK, json=event(**changes))
    third = api.post(BATCH, json={"interactions": [event(), event(), event(**changes)]})

    assert problem(alone) == problem(third) == (422, "invalid_request")
    assert alone.json()["errors"][0]["pointer"] == pointer
    assert third.json()["errors"][0]["pointer"] == f"/interactions/2{pointer}"
    assert running.interactions.rows == []


def test_deep_metadata_is_rejected(api: httpx.Client) -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]

    assert problem(api.post(TRACK, json=event(metadata={"a": deep}))) == (422, "invalid_request")


def test_integers_beyond_64_bits_are_kept_exact_in_metadata(api: httpx.Client, running: Running) -> None:
    numbers = {"large": 10**100, "small": -(2**70), "float": 1.5e300}

    assert api.post(TRACK, json=event(metadata=numbers)).status_code == 202
    assert running.interactions.rows[0].metadata == numbers


def test_metadata_of_four_kibibytes_is_taken(api: httpx.Client) -> None:
    assert api.post(TRACK, json=event(metadata={"a": "x" * (4096 - len('{"a":""}'))})).status_code == 202
    assert problem(api.post(TRACK, json=event(metadata={"a": "x" * 4089}))) == (422, "invalid_request")


def test_without_the_database_tracking_says_when_to_come_back(
    own_api: httpx.Client, running: Running
) -> None:
    running.interactions.away = True

    answer = own_api.post(TRACK, json=event())

    assert problem(answer) == (503, "storage_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "s3cret" not in answer.text
    assert 'ml_tracked_events_total{outcome="unavailable"} 1.0' in own_api.get("/metrics").text


@pytest.fixture
def stuck(running: Running) -> Iterator[threading.Event]:
    running.interactions.hold = threading.Event()
    yield running.interactions.hold
    running.interactions.hold.set()


def test_a_stuck_database_holds_neither_tracking_nor_the_feed(
    own_api: httpx.Client, running: Running, stuck: threading.Event
) -> None:
    answers: list[tuple[float, httpx.Response]] = []

    def track() -> None:
        began = time.perf_counter()
        with httpx.Client(base_url=own_api.base_url, verify=False) as client:
            answers.append((time.perf_counter() - began, client.post(TRACK, json=event(), timeout=5)))

    callers = [threading.Thread(target=track) for _ in range(6)]  # two may write, four wait for a writer
    began = time.perf_counter()
    for one in callers:
        one.start()
    feed = own_api.post("/recommendations/generate", json={"user_id": "alice"})
    feed_after = time.perf_counter() - began
    for one in callers:
        one.join()
    all_after = time.perf_counter() - began

    assert feed.status_code == 200
    assert feed_after < 0.8  # did not wait for the budget of the writers
    assert all_after < 1.5  # six of them, the last within a second of its sending
    assert [problem(answer) for _, answer in answers] == [(503, "storage_unavailable")] * 6


def test_events_stored_after_their_caller_gave_up_count_all_the_same(
    own_api: httpx.Client, running: Running, stuck: threading.Event
) -> None:
    same = event(event_id=str(UUID(int=4)))
    assert own_api.post(TRACK, json=same).status_code == 503

    stuck.set()
    deadline = time.monotonic() + 5
    while not running.applied and time.monotonic() < deadline:
        own_api.get("/livez")
    again = own_api.post(TRACK, json=same)

    assert again.status_code == 202
    assert len(running.interactions.rows) == len(running.applied) == 1


# -- retraction --------------------------------------------------------------------------------------------------------


def test_a_like_is_taken_back_by_its_type_and_an_event_by_its_id(api: httpx.Client, running: Running) -> None:
    event_id = str(uuid4())
    api.post(BATCH, json={"interactions": [event(interaction_type="like"), event(event_id=event_id)]})

    by_type = api.post(RETRACT, json=event(interaction_type="like"))
    by_id = api.post(RETRACT, json={"user_id": "alice", "event_id": event_id})
    again = api.post(RETRACT, json={"user_id": "alice", "event_id": event_id})

    assert [answer.status_code for answer in (by_type, by_id, again)] == [202, 202, 202]
    assert by_type.json() == by_id.json() == {"status": "retracted", "removed": 1}
    assert again.json()["removed"] == 0
    assert running.interactions.rows == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"user_id": "alice"}, 422, "invalid_request"),
        ({"user_id": "alice", "post_id": "post-1"}, 422, "invalid_request"),
        ({"user_id": "alice", "post_id": "post-1", "event_id": str(uuid4())}, 422, "invalid_request"),
        ({"user_id": "alice", "post_id": "post-1", "interaction_type": "hug"}, 422, "invalid_request"),
        ({"user_id": "nobody", "post_id": "post-1", "interaction_type": "like"}, 404, "unknown_user"),
        ({"user_id": "alice", "post_id": "nothing", "interaction_type": "like"}, 404, "unknown_post"),
    ],
)
def test_a_retraction_without_one_clear_target_is_a_problem(
    api: httpx.Client, body: dict[str, Any], status: int, code: str
) -> None:
    answer = api.post(RETRACT, json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_retraction_while_the_database_is_away_is_a_503(api: httpx.Client, running: Running) -> None:
    running.interactions.away = True

    answer = api.post(RETRACT, json=event(interaction_type="like"))

    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert "s3cret" not in answer.text


def test_one_bad_event_of_a_partial_batch_does_not_lose_the_others(
    own_api: httpx.Client, running: Running
) -> None:
    good = {"user_id": "alice", "post_id": "post-1", "interaction_type": "like"}
    event_id = "0b7c8f6e-54a1-4b0e-9a3d-1f6c0d2e4a5b"
    events: list[object] = [
        {**good, "interaction_type": "clap"},
        good,
        {**good, "user_id": "nobody"},
        {**good, "post_id": "no post"},
        {**good, "user_id": "a\x7f"},
        {**good, "occurred_at": "2001-01-01T00:00:00Z"},
        "no object",
        {**good, "event_id": event_id},
        {**good, "event_id": event_id},
        {**good, "user_id": "nobody", "post_id": "no post"},
    ]

    answer = own_api.post("/interactions/batch?partial=true", json={"interactions": events})

    assert answer.status_code == 202
    assert answer.json() == {
        "status": "tracked",
        "accepted": 2,
        "duplicates": 1,
        "rejected": [
            {"index": 0, "code": "invalid_request"},
            {"index": 2, "code": "unknown_user"},
            {"index": 3, "code": "unknown_post"},
            {"index": 4, "code": "invalid_id"},
            {"index": 5, "code": "event_too_old"},
            {"index": 6, "code": "invalid_request"},
            {"index": 9, "code": "unknown_user"},
        ],
    }
    assert len(running.interactions.rows) == 2
    metrics = own_api.get("/metrics").text
    assert 'ml_tracked_events_total{outcome="refused"} 7.0' in metrics
    assert 'ml_tracked_events_total{outcome="stored"} 2.0' in metrics


def test_a_partial_batch_without_a_valid_event_stores_nothing(api: httpx.Client, running: Running) -> None:
    answer = api.post("/interactions/batch?partial=true", json={"interactions": [{}]})

    assert answer.json()["rejected"] == [{"index": 0, "code": "invalid_request"}]
    assert (answer.json()["accepted"], running.interactions.rows) == (0, [])


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("partial=true", {"interactions": []}),
        ("partial=true", {"interactions": [{}] * 501}),
        ("partial=true", {"interactions": {}}),
        ("partial=true", []),
        (
            "partial=yes",
            {"interactions": [{"user_id": "alice", "post_id": "post-1", "interaction_type": "like"}]},
        ),
    ],
)
def test_a_partial_batch_is_a_list_of_1_to_500_events(api: httpx.Client, query: str, body: Any) -> None:
    assert problem(api.post(f"/interactions/batch?{query}", json=body)) == (422, "invalid_request")


def test_a_batch_names_no_rejected_events_unless_it_is_partial(api: httpx.Client) -> None:
    good = {"user_id": "alice", "post_id": "post-1", "interaction_type": "like"}

    whole = api.post("/interactions/batch?partial=false", json={"interactions": [good]}).json()
    partial = api.post("/interactions/batch?partial=true", json={"interactions": [good]}).json()

    assert (whole.get("rejected"), partial["rejected"]) == (None, [])
