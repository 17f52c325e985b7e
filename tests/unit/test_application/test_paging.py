"""Paging by cursor and by offset: no page repeats a post or is short. Identical requests are served from a cache."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ExpiredCursor, InvalidCursor
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking.options import RankingOptions
from tests.support.small_service import SmallService, names, service_with_posts

HOUR = timedelta(hours=1)
MODELS = ["none", "formula", "learned"]
USERS = ["reader", "without-events", "unknown"]  # with events; known, without events; unknown
MODES = ["ranked", "newest", "following"]


def test_offsets_page_through_the_last_list_without_repeats() -> None:
    service = service_with_posts()
    shown: list[str] = []
    for start in range(0, 60, 10):
        answer = service.page("reader", limit=10, offset=start)
        shown += names(answer)
        service.pass_time()
        service.add_post(f"new-{start}", "cay")
        service.track("other", "p40", "like")
        service.catch_up()

    assert len(shown) == len(set(shown))
    assert service.eligible("reader") - set(shown) <= {f"new-{start}" for start in range(0, 60, 10)}
    assert answer.exhausted


def test_an_offset_page_is_full_though_posts_of_the_list_were_seen_or_deleted_since() -> None:
    service = service_with_posts(options=RankingOptions())
    first = names(service.page("reader", limit=10))
    coming = names(service.page("reader", limit=30))[10:]
    service.page("reader", limit=10)

    service.remove_post(coming[0])
    service.catch_up()
    service.track("reader", coming[1])
    second = names(service.page("reader", limit=10, offset=10))

    assert len(second) == 10
    assert not set(second) & {*first, coming[0], coming[1]}


def test_the_cursor_of_an_offset_page_goes_on_after_the_list_so_far() -> None:
    service = service_with_posts()
    first, second = (service.page("reader", limit=10, offset=start) for start in (0, 10))

    third = service.page("reader", limit=10, cursor=second.next_cursor)

    shown = names(first, second, third)
    assert len(shown) == len(set(shown)) == 30


def test_a_kept_list_goes_on_under_a_model_of_another_kind() -> None:
    service = service_with_posts("learned")
    first = service.page("unknown", limit=10)
    service.publish(learned=False)

    second = service.page("unknown", limit=10, offset=10)

    shown = names(first, second)
    assert len(shown) == len(set(shown)) == 20


def test_an_offset_page_is_explained_against_the_list_not_against_the_page() -> None:
    service = service_with_posts("learned", options=RankingOptions())
    whole = service.page("reader", limit=20, explain=True)
    listed = dict(zip(whole.post_ids, whole.explanations, strict=True))

    later = service.page("reader", limit=5, offset=15, explain=True)

    assert len(later.post_ids) == 5
    for post, explained in zip(later.post_ids, later.explanations, strict=True):
        assert explained["probability"] == pytest.approx(listed[post]["probability"], rel=0.3)


def test_an_empty_cursor_is_none_that_was_given_out() -> None:
    with pytest.raises(InvalidCursor):
        service_with_posts().page("reader", cursor="")


def test_a_kept_list_ends_with_its_life() -> None:
    service = service_with_posts()
    before = names(service.page("reader", limit=10))
    service.pass_time(601)
    for user in ("other", "ann", "ben", "cay"):
        service.track(user, "p45", "share")

    again = names(service.page("reader", limit=10, offset=10))

    assert "p45" not in before + again
    assert "p45" in names(service.page("reader", limit=10))


def test_offset_paging_continues_after_another_full_read() -> None:
    service = service_with_posts()
    service.page("reader", limit=10)
    service.tables.away = True
    service.catch_up()
    service.tables.away, service.tables.source = False, "another database"
    for number in range(30, 54):
        service.remove_post(f"p{number}")
    service.catch_up()

    shown = names(service.page("reader", limit=30, offset=10))

    assert shown
    assert set(shown) <= service.eligible("reader")


def test_a_repeated_request_gets_the_cached_response_and_no_second_copy_is_stored() -> None:
    service = service_with_posts("learned")
    first = service.page("reader", limit=10)
    service.pass_time(2)
    for user in ("other", "ann", "ben", "cay"):
        service.track(user, "p45", "share")

    again = service.page("reader", limit=10)

    assert names(again) == names(first)
    assert len(service.served) == 1
    assert len(names(first, service.page("reader", limit=10, cursor=again.next_cursor))) == 20


def test_caches_expire_although_the_system_clock_is_set_back() -> None:
    service = service_with_posts()
    first = service.page("reader", limit=10)

    service.set_clock_back(3600)
    service.pass_time(11)
    for user in ("other", "ann", "ben", "cay"):
        service.track(user, "p45", "share")
    again = service.page("reader", limit=10)

    assert len(service.served) == 2
    assert "p45" in names(again)
    assert "p45" not in names(first)


@pytest.mark.parametrize("model", MODELS)
def test_a_cached_response_is_returned_only_for_an_identical_request(model: str) -> None:
    service = service_with_posts(model)
    lists = [names(service.page("reader", limit=limit)) for limit in (30, 10, 40, 30)]
    again = [names(service.page("reader", limit=10, offset=start)) for start in (0, 10, 0)]

    assert [len(one) for one in lists] == [30, 10, 40, 30]
    assert not set(again[0]) & set(again[1])
    assert again[0] == again[2]


@pytest.mark.parametrize(
    "happens", ["event", "follow", "unfollow and follow", "post", "hidden", "model", "time"]
)
def test_a_cached_response_is_dropped_when_something_relevant_changes(happens: str) -> None:
    service = service_with_posts("learned")
    ranked = service.feed.ranker.pipeline
    service.page("reader", limit=10)
    service.page("reader", limit=10)
    delivered = len(service.served)

    match happens:
        case "event":
            service.track("reader", "p50", "like")
        case "follow":
            service.follow("reader", "cay")
        case "unfollow and follow":
            service.tables.remove_follow(user_uuid("reader"), user_uuid("ann"))
            service.follow("reader", "cay")
        case "post":
            service.add_post("new", "cay")
        case "hidden":
            service.remove_post("p45")
        case "model":
            service.publish(learned=True)
        case "time":
            service.pass_time(11)
    service.catch_up()
    service.page("reader", limit=10)

    assert len(service.served) == delivered + 1
    assert (service.feed.ranker.pipeline is ranked) == (happens != "model")


TAKEN_BACK_OR_HIDDEN: dict[str, Callable[[SmallService], object]] = {
    "retraction": lambda service: service.retract("reader", "p44", "share"),
    "retraction by another user": lambda service: service.retract("other", "p45", "share"),
    "control": lambda service: service.feedback("reader", "mute_author", "cay"),
    "block by an author": lambda service: service.feedback("cay", "block_author", "reader"),
}


@pytest.mark.parametrize("change", TAKEN_BACK_OR_HIDDEN.values(), ids=TAKEN_BACK_OR_HIDDEN)
def test_a_cached_response_is_dropped_by_retractions_and_by_controls_that_concern_the_user(
    change: Callable[[SmallService], object],
) -> None:
    service = service_with_posts("learned")
    service.track("other", "p45", "share")
    service.track("reader", "p44", "share")
    service.page("reader", limit=10)

    change(service)
    service.page("reader", limit=10)

    assert len(service.served) == 2


def test_a_post_is_shown_when_its_time_comes_although_a_response_is_cached() -> None:
    service = SmallService()
    service.add_users("reader")
    service.add_post("now", age=timedelta(hours=1))
    service.add_post("later", age=-timedelta(seconds=1))
    service.catch_up()

    before = names(service.page("reader", mode="newest"))
    service.pass_time(2)

    assert before == ["now"]
    assert names(service.page("reader", mode="newest")) == ["later", "now"]


def test_a_cached_response_stays_when_others_set_controls_or_retract_nothing() -> None:
    service = service_with_posts("learned")
    first = service.page("reader", limit=10)

    service.feedback("other", "mute_author", "cay")
    service.feedback("other", "block_author", "ann")
    service.retract("other", "p45", "share")
    service.catch_up()

    assert names(service.page("reader", limit=10)) == names(first)
    assert len(service.served) == 1


def test_an_offset_beyond_the_end_is_empty_and_exhausted() -> None:
    answer = service_with_posts().page("reader", limit=50, offset=10_000_000)

    assert (list(answer.post_ids), answer.exhausted, answer.next_cursor) == ([], True, None)


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_feed_is_exhausted(mode: str) -> None:
    answer = SmallService().page("anyone", mode=mode)

    assert (list(answer.post_ids), answer.exhausted, answer.next_cursor) == ([], True, None)


def test_a_list_of_exactly_one_page_is_followed_by_an_empty_exhausted_one() -> None:
    service = service_with_posts()
    count = len(service.eligible("reader"))

    full = service.page("reader", limit=count)
    empty = service.page("reader", limit=count, cursor=full.next_cursor)

    assert (len(full.post_ids), full.exhausted) == (count, False)
    assert (len(empty.post_ids), empty.exhausted, empty.next_cursor) == (0, True, None)


def test_a_cursor_is_bound_to_its_user_and_mode_and_expires_after_a_day() -> None:
    service = service_with_posts()
    cursor = service.page("reader", limit=5).next_cursor

    for user, mode in (("other", "ranked"), ("reader", "newest")):
        with pytest.raises(InvalidCursor):
            service.page(user, cursor=cursor, mode=mode)
    service.pass_time(86_399)
    renewed = service.page("reader", limit=5, cursor=cursor).next_cursor
    service.pass_time(2)
    with pytest.raises(ExpiredCursor):
        service.page("reader", cursor=cursor)
    assert service.page("reader", limit=5, cursor=renewed).post_ids


# -- whatever happens in between ------------------------------------------------------------------------------

Step = tuple[str, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "page",
                "page",
                "page",
                "track",
                "post",
                "backdate",
                "delete",
                "hide",
                "show",
                "formula",
                "learned",
                "away",
                "full read",
                "day",
            ]
        ),
        st.integers(0, 59),
    ),
    min_size=4,
    max_size=24,
)


def happen(service: SmallService, what: str, number: int) -> None:
    """One thing that changes feed, model or database between two pages."""
    posts = [post.external_id for post in service.tables.posts.values()]
    some = posts[number % len(posts)] if posts else None
    if what in {"formula", "learned"}:
        service.publish(learned=what == "learned")
    elif what == "away":
        service.tables.away = True
        service.catch_up()
        service.tables.away = False
    elif what == "full read":  # the same rows
        service.tables.away = True
        service.catch_up()
        service.tables.away, service.tables.source = False, service.tables.source + "'"
    elif what == "day":
        service.pass_time(number * 60)
    elif what in {"post", "backdate"}:
        age = number * HOUR if what == "backdate" else timedelta(0)
        service.add_post(f"new-{len(service.tables.changes)}", ("ann", "reader", None)[number % 3], age=age)
    elif some is not None:
        if what == "delete":
            service.remove_post(some)
        elif what == "track":
            service.catch_up()
            service.track(("reader", "other")[number % 2], some, "like")
        else:
            author = service.tables.posts[post_uuid(some)].author_id
            by = next((one.external_id for one in service.tables.users.values() if one.id == author), None)
            age = service.clock.at - service.created_at(some)
            service.add_post(some, by, age=age, visible=what == "show")
    service.pass_time()
    service.catch_up()


@given(
    what=steps,
    mode=st.sampled_from(MODES),
    user=st.sampled_from(USERS),
    model=st.sampled_from(MODELS),
    exclude_seen=st.booleans(),
    limit=st.integers(1, 12),
)
def test_no_page_repeats_and_none_is_short_whatever_happens_in_between(
    what: list[Step], mode: str, user: str, model: str, exclude_seen: bool, limit: int
) -> None:
    service = service_with_posts(model)
    wishes = {"mode": mode, "exclude_seen": exclude_seen}
    shown: list[str] = []
    cursor: str | None = None
    started = service.clock.at

    def turn_a_page() -> bool:
        nonlocal cursor, started
        started = service.clock.at if cursor is None else started
        answer = service.page(user, limit=limit, cursor=cursor, **wishes)
        page = names(answer)
        left = service.eligible(user, exclude_seen=exclude_seen, mode=mode) - set(shown)
        if mode != "ranked":  # what was posted since waits for the next list
            left = {one for one in left if service.created_at(one) <= started}
        assert len(page) == len(set(page)) == min(limit, len(left))
        assert set(page) <= left
        assert all(later <= earlier for earlier, later in pairwise(answer.scores))
        assert answer.exhausted is (len(page) < limit) is (answer.next_cursor is None)
        shown.extend(page)
        cursor = answer.next_cursor
        return cursor is not None

    for one, number in [*what, ("page", 0)]:
        if one != "page":
            happen(service, one, number)
        elif not turn_a_page():
            return
    while turn_a_page():
        pass


@given(
    what=steps,
    mode=st.sampled_from(MODES),
    limit=st.integers(1, 12),
)
def test_offset_pages_never_repeat_and_contain_only_eligible_posts(
    what: list[Step], mode: str, limit: int
) -> None:
    service = service_with_posts()
    shown: list[str] = []

    for one, number in [("page", 0), *what, ("page", 0), ("page", 0)]:
        if one in {"full read", "day"}:
            continue  # another feed, or one that is kept no longer, is another list
        if one != "page":
            happen(service, one, number)
            continue
        page = names(service.page("reader", limit=limit, offset=len(shown), mode=mode))
        assert set(page) <= service.eligible("reader", mode=mode)
        assert not set(page) & set(shown)
        shown += page


@pytest.mark.parametrize("by", ["cursor", "offset"])
def test_an_author_of_an_earlier_page_gives_way_to_others_on_the_next(by: str) -> None:
    service = SmallService(options=replace(RankingOptions(), exploration_share=0.0))
    service.add_users("ann", "bea", "reader")
    for name, author in (("ann1", "ann"), ("ann2", "ann"), ("bea1", "bea")):
        service.add_post(name, author)
    service.catch_up()
    service.track("ann", "bea1", "like", service.clock.at - HOUR)  # a little less popular than the others
    for name in ("ann1", "ann2"):
        service.track("bea", name, "like")

    first = service.page("reader", limit=1)
    where = {"cursor": first.next_cursor} if by == "cursor" else {"offset": 1}
    second = service.page("reader", limit=1, **where)

    assert names(first)[0] in {"ann1", "ann2"}
    assert names(second) == ["bea1"]
