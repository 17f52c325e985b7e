"""The use cases: what a feed may hold and in what order, what tracking checks and commits, what health reports."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from app.application.use_cases.get_health_status import GetHealthStatus
from app.application.use_cases.retract_interaction import RetractInteraction, Retraction
from app.application.use_cases.track_interaction import CLOCK_AHEAD, TrackedEvent, TrackInteraction
from app.domain.errors import (
    ClockAhead,
    EventTooOld,
    InvalidId,
    InvalidInteraction,
    StorageUnavailable,
    UnknownPost,
    UnknownUser,
)
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.interaction_repository import RemovedEvents, StoredInteraction
from tests.support.fake_use_cases import NOON, DerivedIds, FixedClock, MemoryInteractions, Running
from tests.support.small_service import FEW_CANDIDATES, SmallService, names, service_with_posts

HOUR = timedelta(hours=1)
MODELS = ["none", "formula", "learned"]
USERS = ["reader", "without-events", "unknown"]  # with events; known, without events; unknown
MODES = ["ranked", "newest", "following"]

# -- GenerateRecommendations: content and order ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [FEW_CANDIDATES, RankingOptions()], ids=["few candidates", "whole catalogue"]
)
@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("model", MODELS)
def test_a_list_holds_each_eligible_post_once_and_no_other(
    model: str, user: str, mode: str, exclude_seen: bool, options: RankingOptions
) -> None:
    service = service_with_posts(model, options)
    excluded = ["p4", "p5", "p20", "no-such-post"]
    wishes = {"mode": mode, "exclude_seen": exclude_seen, "exclude_ids": excluded}

    pages = service.all_pages(user, **wishes)

    shown = names(*pages)
    expected = service.eligible(user, exclude_seen=exclude_seen, mode=mode, excluded=excluded)
    assert sorted(shown) == sorted(expected)
    assert len(expected) > 10 or (mode, user) == ("following", "unknown")
    for page in pages:
        assert all(0 <= one <= 1 for one in page.scores)
        assert all(later <= earlier for earlier, later in pairwise(page.scores))
        assert len(page.post_ids) == len(page.scores) == len(page.reasons)
    for page in pages[:-1]:
        assert (len(page.post_ids), page.exhausted) == (7, False)
    assert (pages[-1].exhausted, pages[-1].next_cursor) == (True, None)
    assert len(pages[-1].post_ids) < 7


@pytest.mark.parametrize("mode", ["newest", "following"])
@pytest.mark.parametrize("model", MODELS)
def test_lists_by_time_are_newest_first_on_every_page(model: str, mode: str) -> None:
    service = service_with_posts(model)

    shown = names(*service.all_pages("reader", mode=mode))

    times = [service.created_at(one) for one in shown]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("model", "user", "source"),
    [
        ("none", "reader", "fallback"),
        ("none", "unknown", "fallback"),
        ("formula", "unknown", "cold_start"),
        ("formula", "without-events", "cold_start"),
        ("formula", "reader", "personalized"),
        ("learned", "without-events", "cold_start"),
        ("learned", "reader", "personalized"),
    ],
)
def test_the_source_is_the_same_at_any_depth_of_the_list(
    model: str, user: str, source: str, mode: str
) -> None:
    pages = service_with_posts(model).all_pages(user, mode=mode)

    assert {page.source for page in pages} == {source}
    assert {page.degraded for page in pages} == {model == "none"}
    assert {page.model_version for page in pages} == {None if model == "none" else "v1"}


def test_an_answer_is_degraded_while_the_database_is_away_and_whole_again_after() -> None:
    service = service_with_posts()
    service.tables.away = True
    service.catch_up()
    away = service.page("reader")
    service.tables.away = False
    service.catch_up()

    assert (away.degraded, away.source, len(away.post_ids)) == (True, "personalized", 47 - 1)
    assert service.page("reader").degraded is False


def test_reasons_name_what_put_a_post_there() -> None:
    service = service_with_posts("learned", RankingOptions(exploration_share=0.2))

    ranked, newest, following = (service.page("reader", limit=20, mode=mode) for mode in MODES)

    assert len(set(ranked.reasons)) > 1
    assert "exploration" in ranked.reasons
    assert set(newest.reasons) == {"recent"}
    assert set(following.reasons) == {"following"}


def test_a_page_without_any_candidate_is_explained() -> None:
    service = SmallService()
    for number in range(400):  # more than the sources look at
        settings = {} if number >= 395 else {"visibility": "members", "audience_id": "club"}
        service.add_post(f"p{number}", age=timedelta(hours=number), **settings)
    service.catch_up()

    page = service.page("reader", explain=True)

    assert names(page) == [f"p{number}" for number in range(395, 400)]
    assert page.explanations == [{}] * 5


def test_a_page_that_is_to_be_explained_explains_each_post_in_every_mode() -> None:
    service = service_with_posts("learned")
    for mode in MODES:
        service.page("reader", limit=7, mode=mode)
        pages = [
            *service.all_pages("reader", mode=mode, explain=True),
            service.page("reader", mode=mode, limit=10, offset=5, explain=True),
        ]
        assert all(len(page.explanations) == len(page.post_ids) for page in pages)
        assert not service.page("reader", mode=mode).explanations


# -- what just happened ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_what_was_just_tracked_is_gone_from_the_next_answer(model: str) -> None:
    service = service_with_posts(model)
    first = names(service.page("reader", limit=10))[0]

    service.track("reader", first, "like")

    assert first not in names(*service.all_pages("reader"))
    assert first in names(*service.all_pages("reader", exclude_seen=False))


def test_the_first_event_of_a_user_makes_the_next_response_personal() -> None:
    service = service_with_posts("learned")
    before = service.page("without-events", limit=20)
    liked = names(before)[5]

    service.track("without-events", liked, "like")
    after = service.page("without-events", limit=20)

    assert (before.source, after.source) == ("cold_start", "personalized")
    assert names(after) != [one for one in names(before) if one != liked]


def test_a_post_deleted_hidden_or_come_of_age_changes_the_next_answer() -> None:
    service = service_with_posts()
    assert {"p7", "p8"} <= set(names(service.page("reader", limit=200)))

    service.remove_post("p7")
    service.add_post("p8", "dan", age=8 * HOUR, visible=False)
    service.catch_up()
    after = set(names(service.page("reader", limit=200)))
    service.pass_time(86_401)
    next_day = set(names(service.page("reader", limit=200)))

    assert not {"p7", "p8", "tomorrow-0"} & after
    assert next_day - after == {"tomorrow-0", "tomorrow-1"}


def test_following_changes_with_the_follows() -> None:
    service = service_with_posts()
    ann = set(names(service.page("reader", limit=200, mode="following")))

    service.tables.remove_follow(user_uuid("reader"), user_uuid("ann"))
    service.follow("reader", "cay")
    service.catch_up()
    after = set(names(service.page("reader", limit=200, mode="following")))

    assert after == service.eligible("reader", mode="following") != ann


@pytest.mark.parametrize("wishes", [{"user_id": ""}, {"exclude_ids": ["a\nb"]}, {"exclude_ids": ["x" * 129]}])
def test_an_invalid_id_is_rejected(wishes: dict[str, object]) -> None:
    user = str(wishes.pop("user_id", "reader"))

    with pytest.raises(InvalidId):
        service_with_posts().page(user, **wishes)


def test_posts_may_be_excluded_by_either_of_their_names() -> None:
    service = service_with_posts()
    given, by_uuid = names(service.page("reader", limit=2))

    left = names(service.page("reader", limit=200, exclude_ids=[given, str(post_uuid(by_uuid)).upper()]))

    assert not {given, by_uuid} & set(left)


def test_a_uuid_is_its_own_name() -> None:
    service = service_with_posts()
    post = UUID(int=77)
    service.add_post(str(post))
    service.catch_up()

    answer = service.page("reader", limit=1, mode="newest")

    assert (list(answer.post_ids), list(answer.external_ids)) == ([str(post)], [None])


def test_ranked_answers_to_known_users_are_handed_on_for_copying() -> None:
    service = service_with_posts()
    answer = service.page("reader")
    service.page("unknown")
    service.page("reader", mode="newest")

    assert service.served == [(user_uuid("reader"), answer)]


# -- RetractInteraction ------------------------------------------------------------------------------------------------


def test_a_retraction_is_applied_after_the_commit_and_once_more_removes_nothing(
    repository: MemoryInteractions,
) -> None:
    TrackInteraction(repository, FixedClock(), lambda stored: None, DerivedIds())([viewed(), viewed()])
    rows_when_applied: list[int] = []
    retract = RetractInteraction(
        repository, lambda removed: rows_when_applied.append(len(repository.rows)), DerivedIds()
    )

    assert retract(Retraction("alice", "post-1", "view")) == 2
    assert retract(Retraction("alice", "post-1", "view")) == 0
    assert rows_when_applied[0] == 0


def test_a_feed_that_cannot_take_events_back_does_not_fail_the_retraction(
    repository: MemoryInteractions,
) -> None:
    def broken(removed: Sequence[RemovedEvents]) -> None:
        raise RuntimeError("the feed is being swapped")

    TrackInteraction(repository, FixedClock(), lambda stored: None, DerivedIds())([viewed()])

    assert RetractInteraction(repository, broken, DerivedIds())(Retraction("alice", "post-1", "view")) == 1


def test_unknown_ids_of_a_retraction_are_named_as_the_caller_wrote_them(
    repository: MemoryInteractions,
) -> None:
    retract = RetractInteraction(repository, lambda removed: None, DerivedIds())

    with pytest.raises(UnknownUser, match="nobody"):
        retract(Retraction("nobody", "post-1", "view"))
    with pytest.raises(UnknownPost, match="nothing"):
        retract(Retraction("alice", "nothing", "view"))
    with pytest.raises(InvalidId):
        retract(Retraction("", "post-1", "view"))


# -- TrackInteraction --------------------------------------------------------------------------------------------------


@pytest.fixture
def repository() -> MemoryInteractions:
    return MemoryInteractions({user_uuid("alice")}, {post_uuid("post-1")})


def viewed(**changes: object) -> TrackedEvent:
    given = {"user_id": "alice", "post_id": "post-1", "interaction_type": "view", **changes}
    return TrackedEvent(**given)  # type: ignore[arg-type]


def test_events_are_applied_after_they_were_committed(repository: MemoryInteractions) -> None:
    committed_when_applied: list[int] = []

    def apply(stored: Sequence[StoredInteraction]) -> None:
        committed_when_applied.append(len(repository.rows))

    TrackInteraction(repository, FixedClock(), apply, DerivedIds())([viewed(), viewed()])

    assert committed_when_applied == [2]


def test_a_feed_that_cannot_take_them_does_not_take_the_commit_back(repository: MemoryInteractions) -> None:
    def broken(stored: Sequence[StoredInteraction]) -> None:
        raise RuntimeError("the feed is being swapped")

    recorded = TrackInteraction(repository, FixedClock(), broken, DerivedIds())([viewed()])

    assert recorded.accepted == len(repository.rows) == 1


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (viewed(user_id=""), InvalidId),
        (viewed(post_id="a\0"), InvalidId),
        (viewed(interaction_type="hug"), InvalidInteraction),
        (viewed(metadata={"a": "x" * 5000}), InvalidInteraction),
        (viewed(occurred_at=NOON + timedelta(minutes=5, microseconds=1)), ClockAhead),
        (viewed(occurred_at=NOON - timedelta(days=7, microseconds=1)), EventTooOld),
    ],
)
def test_one_wrong_event_keeps_the_whole_batch_out_and_its_place_is_named(
    repository: MemoryInteractions, wrong: TrackedEvent, error: type[Exception]
) -> None:
    applied: list[StoredInteraction] = []
    track = TrackInteraction(repository, FixedClock(), applied.extend, DerivedIds())

    with pytest.raises(error, match=r"^interactions\[1\]: "):
        track([viewed(), wrong, viewed()])

    assert repository.rows == applied == []


@pytest.mark.parametrize("ahead", [timedelta(seconds=6), timedelta(minutes=1), timedelta(minutes=5)])
def test_an_event_of_a_clock_that_is_ahead_is_stored_as_now_with_the_difference(
    repository: MemoryInteractions, ahead: timedelta
) -> None:
    full = {"a": "x" * 4087}  # the largest metadata of a caller
    track = TrackInteraction(repository, FixedClock(), lambda _: None, DerivedIds())

    track([viewed(occurred_at=NOON + ahead, metadata=full), viewed(occurred_at=NOON)])

    first, second = repository.rows
    assert (first.occurred_at, dict(first.metadata)) == (NOON, full | {CLOCK_AHEAD: ahead.total_seconds()})
    assert CLOCK_AHEAD not in second.metadata


def test_a_clock_further_ahead_is_asked_to_wait_until_its_event_is_accepted(
    repository: MemoryInteractions,
) -> None:
    clock = FixedClock()
    track = TrackInteraction(repository, clock, lambda _: None, DerivedIds())
    event = viewed(occurred_at=NOON + timedelta(minutes=10))

    with pytest.raises(ClockAhead) as early:
        track([event])
    clock.at += timedelta(seconds=early.value.retry_after_seconds)

    assert early.value.retry_after_seconds == 300
    assert track([event]).accepted == 1


def test_what_the_store_rejects_is_not_applied(repository: MemoryInteractions) -> None:
    applied: list[StoredInteraction] = []
    track = TrackInteraction(repository, FixedClock(), applied.extend, DerivedIds())

    with pytest.raises(UnknownPost, match=r"^another$"):
        track([viewed(post_id="another")])
    with pytest.raises(UnknownPost, match=r"^interactions\[1\]: another$"):
        track([viewed(), viewed(post_id="another")])
    repository.away = True
    with pytest.raises(StorageUnavailable):
        track([viewed()])

    assert applied == []


def test_an_event_of_a_fast_clock_is_stored_as_of_now(repository: MemoryInteractions) -> None:
    track = TrackInteraction(repository, FixedClock(), lambda stored: None, DerivedIds())

    track(
        [
            viewed(occurred_at=NOON + timedelta(seconds=4)),
            viewed(occurred_at=NOON - timedelta(days=7)),
            viewed(),
        ]
    )

    assert [row.occurred_at for row in repository.rows] == [NOON, NOON - timedelta(days=7), NOON]


# -- GetHealthStatus ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "status"),
    [
        ({}, "healthy"),
        ({"model_version": None}, "degraded"),
        ({"database": "down"}, "degraded"),
        ({"database": "none"}, "degraded"),
        ({"ready": False}, "degraded"),
    ],
)
def test_the_service_is_healthy_only_if_no_part_is_missing(missing: dict[str, object], status: str) -> None:
    running = Running()
    running.now_with(**missing)

    assert GetHealthStatus(running.state, FixedClock())().status == status


def test_a_model_has_an_age_that_is_never_negative() -> None:
    running = Running()
    health = GetHealthStatus(running.state, FixedClock())

    ages = []
    for created_at in (NOON - timedelta(hours=1), NOON + timedelta(hours=1), None):
        running.now_with(model_created_at=created_at)
        ages.append(health().model_age_seconds)

    assert ages == [3600.0, 0.0, None]
