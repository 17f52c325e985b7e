"""Posts that are not live leave memory, and the state is then that of a full read without them."""

from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.application.use_cases.generate_recommendations import GenerateRecommendations
from app.application.workers import post_evictor
from app.application.workers.post_evictor import PostEvictor
from app.domain.feed import eviction, revival_limit, slices
from app.domain.feed.live_posts import LivePostLimits
from app.domain.feed.state import NO_KEY, FeedState
from app.domain.feed.timeline import FeedTimeline
from app.domain.ids import user_uuid
from tests.support.fake_storage import InMemoryFeedLog, InMemoryTables
from tests.support.live_feeds import (
    HOUR,
    Change,
    a_service,
    a_service_without_triggers,
    engagements,
    feed_differences,
    is_known,
    make_changes,
    random_changes,
    reconcile_now,
)
from tests.support.small_service import FEW_CANDIDATES, SmallService, names, service_with_posts

NEWEST_FOUR = LivePostLimits(newest=4, strongest=0, engaged_days=0)


def evict(service: SmallService, limits: LivePostLimits = NEWEST_FOUR) -> None:
    """Lists end with the posts in memory from now on."""
    assert isinstance(service.use_cases.recommend, GenerateRecommendations)
    service.use_cases.recommend.storage = None
    PostEvictor(service.workers.updater, limits).run()


def tables_without_evicted(service: SmallService) -> InMemoryTables:
    """The tables of a service with those posts and events only that it has in memory."""
    known, tables = service.feed.state.post_rows, service.tables
    posts = {key: post for key, post in tables.posts.items() if key.bytes in known}
    events = [one for one in tables.events if one.interaction.post_id.bytes in known]
    return InMemoryTables(tables.users, posts, tables.follows, events, feedback=tables.feedback)


def read_without_evicted(service: SmallService) -> FeedState:
    """The state of a full read, if storage had only the posts that the service has in memory."""
    snapshot = InMemoryFeedLog(tables_without_evicted(service)).read_all()
    return snapshot.to_state(FeedTimeline(snapshot.dataset, replay=False))


def differences(service: SmallService) -> list[str]:
    return feed_differences(service.feed.state, read_without_evicted(service), service.clock.at.timestamp())


def names_in_memory(service: SmallService) -> set[str]:
    known = service.feed.state.post_rows
    return {post.external_id for post in service.tables.posts.values() if post.id.bytes in known}


def test_free_memory_is_returned_after_an_eviction_only():
    service = a_service(12)
    service.catch_up()
    returned: list[int] = []
    evictor = PostEvictor(
        service.workers.updater,
        NEWEST_FOUR,
        release_memory=lambda: returned.append(len(names_in_memory(service))),
    )

    for _ in range(2):
        evictor.run()

    assert returned == [4]


def test_posts_that_are_not_live_leave_memory_with_their_events():
    service = a_service(12)
    for post in ("p1", "p8", "p9"):
        service.pass_time(60)
        service.track("reader", post, "like")
    service.catch_up()

    evict(service, LivePostLimits(newest=4, strongest=1, engaged_days=0))

    state = service.feed.state
    assert names_in_memory(service) == {"p0", "p1", "p2", "p3", "p9"}  # p9 has the last event
    assert differences(service) == []
    assert len(state.free_rows) == 7
    assert service.state.interactions == 3  # all that the log has


def test_a_state_with_few_posts_above_the_limit_stays_as_it_is():
    service = a_service(12)

    evict(service, LivePostLimits(newest=11, strongest=0, engaged_days=0))

    assert len(service.feed.state.post_rows) == 12
    assert service.feed.state.complete_from is None


def test_new_posts_get_the_rows_of_evicted_ones_and_nothing_of_their_events():
    service = a_service(12)
    service.publish()
    service.track("reader", "p11", "like")
    service.page("reader", limit=12)  # impressions of all posts
    service.pass_time(60)
    service.track("reader", "p0", "view")
    service.catch_up()
    evict(service)

    for number in range(6):
        service.add_post(f"new{number}", "other", tags=("red",), content="some words")
    service.catch_up()

    state = service.feed.state
    assert state.n_posts == 12
    assert differences(service) == []
    shown = state.impressions.of(state.user_rows[next(iter(service.tables.users)).bytes])
    assert NO_KEY not in {state.post_key(row) for row in shown.posts.tolist()}
    assert set(names(service.page("reader", limit=50))) == {
        *(f"new{number}" for number in range(6)),
        *("p1", "p2", "p3"),
    }


def test_a_list_by_offset_shows_no_post_in_the_row_of_an_evicted_one():
    service = a_service(12)
    first = names(service.page("reader", limit=3))
    evict(service)
    for number in range(8):
        service.add_post(f"new{number}", "ann", age=HOUR / 60)
    service.catch_up()

    second = names(service.page("reader", limit=9, offset=3))

    assert set(second) <= names_in_memory(service)
    assert len(first) + len(set(second)) == 12


def test_an_event_brings_its_post_back_with_all_its_events():
    service = a_service(12)
    service.track("reader", "p11", "like")
    service.track("other", "p11", "share")
    service.pass_time(60)
    service.track("reader", "p0", "view")
    service.catch_up()
    evict(service)
    assert not is_known(service, "p11")

    service.pass_time(60)
    service.track("other", "p11", "comment")
    service.catch_up()

    state = service.feed.state
    by_author = state.posts_by_author.row(state.user_rows[user_uuid("ann").bytes])[0]
    assert np.diff(state.created[by_author]).min() > 0  # oldest first
    assert engagements(service, "p11") == 3
    assert service.state.interactions == 4
    assert differences(service) == []


def test_one_user_brings_back_a_limited_number_of_posts_in_a_day():
    service = a_service(12)
    evict(service)
    with patch.object(revival_limit, "REVIVED_POSTS_PER_USER", 2):
        for post in ("p7", "p8", "p9", "p8"):
            service.track("reader", post, "like")
            service.catch_up()
        service.track("other", "p10", "like")
        service.catch_up()
        same_day = names_in_memory(service) - {"p0", "p1", "p2", "p3"}
        service.pass_time(24 * 3600)
        service.track("reader", "p9", "view")
        service.catch_up()

    assert same_day == {"p7", "p8", "p10"}
    assert engagements(service, "p9") == 2  # also the event that was only stored
    assert service.state.interactions == 6
    assert differences(service) == []


@pytest.mark.parametrize("back", [True, False])
def test_an_evicted_post_that_is_changed_comes_back_if_it_became_new(back: bool):
    service = a_service(12)
    service.track("reader", "p9", "like")
    service.pass_time(60)
    service.track("reader", "p0", "like")
    service.catch_up()
    evict(service)

    service.add_post("p9", "ann", age=timedelta(0) if back else 9 * HOUR, content="changed")
    service.catch_up()

    assert is_known(service, "p9") == back
    assert differences(service) == []


def test_a_comparison_with_the_database_does_not_miss_evicted_posts():
    service = a_service(12)
    service.track("reader", "p9", "like")
    service.track("reader", "p8", "like")
    service.pass_time(60)
    service.track("reader", "p0", "like")
    service.catch_up()
    evict(service)
    service.retract("reader", "p8", "like")
    service.catch_up()

    reconcile_now(service)

    assert service.state.reconciliation is not None
    assert not any(service.state.reconciliation.differences.values())
    assert len(service.feed.state.post_rows) == 4


def test_a_comparison_with_the_database_finds_changes_of_live_posts_and_no_others():
    service = a_service_without_triggers()
    evict(service)
    service.add_post("p1", "other", age=HOUR)
    service.add_post("p9", "other", age=9 * HOUR)
    service.add_post("new", "ann")
    service.catch_up()

    reconcile_now(service)

    assert service.state.reconciliation is not None
    assert service.state.reconciliation.differences["posts"] == 2
    assert names_in_memory(service) == {"new", "p0", "p1", "p2", "p3"}
    assert differences(service) == []


@pytest.mark.parametrize("model", ["none", "learned"])
def test_rankings_between_the_steps_of_an_eviction_leave_nothing_outdated(model: str):
    disturbed, undisturbed = service_with_posts(model), service_with_posts(model)
    disturbed.feed.lock.on_released = lambda *_: disturbed.page("reader", record=False)
    few = LivePostLimits(newest=20, strongest=2, engaged_days=0)

    with (
        patch.object(post_evictor, "POSTS_PER_CHANGE", 3),
        patch.object(eviction, "_POSTS_PER_STEP", 1),
        patch.object(slices, "ENTRIES_PER_STEP", 1),
    ):
        evict(disturbed, few)
    evict(undisturbed, few)
    for service in (disturbed, undisturbed):
        for number in range(5):
            service.add_post(f"new{number}", "ann", age=number * HOUR, tags=("blue",))
        service.track("other", "new1", "like")
        service.catch_up()

    page, expected = (one.page("reader", limit=49, record=False) for one in (disturbed, undisturbed))
    assert len(disturbed.feed.state.post_rows) < 35
    assert names(page) == names(expected)
    assert page.scores == pytest.approx(expected.scores, rel=1e-5)


@settings(max_examples=10)
@example(changes=[], later=[("event", 0, 0), ("event", 0, 1)])  # sums in another order
@example(changes=[], later=[("delete", 0, 0), ("delete", 0, 2)])  # other posts of their author are older
@example(  # the event that arrived last is not the newest of its user
    changes=[], later=[("event", 0, 0), ("event", 0, 4), ("event", 1, 0), ("event", 1, 1)]
)
@given(changes=random_changes, later=random_changes)
def test_lists_do_not_depend_on_the_rows_of_posts(changes: list[Change], later: list[Change]) -> None:
    service = a_service(12, options=replace(FEW_CANDIDATES, exploration_share=0.0))
    service.publish(learned=True)
    make_changes(changes, service, service)
    service.catch_up()
    evict(service)
    for number in range(6):  # at equal times, in rows of evicted posts
        service.add_post(f"new{number}", "ann", age=HOUR)
    service.follow("other", "ann")
    make_changes(later, service, service)
    service.catch_up()

    fresh = SmallService(tables=tables_without_evicted(service), options=service.options, clock=service.clock)
    fresh.catch_up()
    fresh.publish(service.models.published)

    for user in ("reader", "other", "nobody"):
        for mode in ("ranked", "newest", "following"):
            page, expected = (one.page(user, limit=40, mode=mode, record=False) for one in (service, fresh))
            assert names(page) == names(expected)
            assert page.scores == pytest.approx(expected.scores, rel=1e-5)  # inputs are float32


evictions_and_changes = st.lists(
    st.tuples(st.sampled_from(["evict", "evict", "compare", "block", "erase"]), random_changes), max_size=5
)


@settings(max_examples=8)
@example(  # an event of a post that is not known yet, of a user who is removed with it
    steps=[("erase", [("post", 0, 12), ("event", 0, 12)])], limits=LivePostLimits(1, 1, 0)
)
@given(steps=evictions_and_changes, limits=st.builds(LivePostLimits, *[st.integers(1, 5)] * 2, st.just(0)))
def test_any_changes_and_evictions_give_the_state_of_a_full_read_without_the_evicted_posts(
    steps: list[tuple[str, list[Change]]], limits: LivePostLimits
) -> None:
    service = a_service(12)
    service.publish(learned=True)
    for what, changes in steps:
        make_changes(changes, service, service)
        if what == "block":
            service.feedback("other", "block_author", "ann")
        elif what == "erase":
            service.tables.remove_user(user_uuid("reader"))
            service.add_users("reader")
        service.catch_up()
        if what == "evict":
            evict(service, limits)
        elif what == "compare":
            reconcile_now(service)
            assert service.state.reconciliation is not None
            assert not any(service.state.reconciliation.differences.values())

    assert differences(service) == []
    assert service.state.interactions == len(service.tables.events)
    page = service.page("other", limit=50, exclude_seen=False)
    assert set(names(page)) <= names_in_memory(service)
    if "block" in dict(steps):
        assert not set(names(page)) & {
            post.external_id for post in service.tables.posts.values() if post.author_id == user_uuid("ann")
        }
