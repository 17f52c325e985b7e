"""Lists go on with posts that left memory: in order of time, without repeats, and to the end of the catalogue."""

from collections.abc import Iterator
from datetime import timedelta
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.application import list_progress
from app.application.dto import RecommendationResponse
from app.domain.feed.live_posts import LivePostLimits
from app.domain.ids import post_uuid
from app.domain.ranking.options import RankingOptions
from tests.support.fake_stored_posts import InMemoryStoredPosts
from tests.support.small_service import FEW_CANDIDATES, SmallService, names

HOUR = timedelta(hours=1)
AUTHORS = ("ann", "ben", "cay")
MODES = ("ranked", "newest", "following")


def a_service(
    posts: int = 40, live: int = 8, options: RankingOptions = FEW_CANDIDATES, *, evicts: bool = True
) -> SmallService:
    """Posts p0 (the newest) and older ones. The reader follows ann and ben, and has seen p3 and the oldest one."""
    limits = LivePostLimits(newest=live, strongest=2, engaged_days=0)
    service = SmallService(options=options, live_posts=limits)
    service.add_users("reader", "other", *AUTHORS)
    for number in range(posts):
        service.add_post(f"p{number}", AUTHORS[number % 3], age=number // 2 * HOUR)
    service.follow("reader", "ann")
    service.follow("reader", "ben")
    service.catch_up()
    for post in (posts - 1, posts // 2, 3):
        service.track("other", f"p{post}", "share")
    service.track("reader", f"p{posts - 1}")
    service.track("reader", "p3")
    if evicts:
        service.evict()
    return service


def storage_of(service: SmallService) -> InMemoryStoredPosts:
    storage = service.storage.stored_posts
    assert isinstance(storage, InMemoryStoredPosts)
    return storage


def newest_first(service: SmallService, mode: str = "newest") -> list[str]:
    """What a reader of all posts sees, computed one post at a time."""
    eligible = service.eligible("reader", mode=mode)
    posts = [post for post in service.tables.posts.values() if post.external_id in eligible]
    return [post.external_id for post in sorted(posts, key=lambda post: (post.created_at, post.seq))][::-1]


@pytest.fixture(params=["short", "long"])
def set_of_shown_posts(request: pytest.FixtureRequest) -> Iterator[None]:
    """A cursor has all posts of a list, or a position as soon as it can."""
    bound = 0 if request.param == "short" else list_progress.MAX_SHOWN_BYTES
    with patch.object(list_progress, "MAX_SHOWN_BYTES", bound):
        yield


@pytest.mark.usefixtures("set_of_shown_posts")
@pytest.mark.parametrize("mode", ["newest", "following"])
@pytest.mark.parametrize("limit", [1, 7, 50])
def test_lists_by_time_are_those_of_all_posts(mode: str, limit: int) -> None:
    service = a_service()

    pages = service.all_pages("reader", mode=mode, limit=limit)

    assert len(service.feed.state.post_rows) < 15
    assert names(*pages) == newest_first(service, mode)
    assert all(len(names(page)) == limit for page in pages[:-1])
    assert [page.exhausted for page in pages] == [False] * (len(pages) - 1) + [True]
    scores = [score for page in pages for score in page.scores]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.usefixtures("set_of_shown_posts")
@pytest.mark.parametrize("limit", [3, 10, 50])
def test_a_ranked_list_goes_on_to_the_end_of_the_catalogue_without_repeats(limit: int) -> None:
    service = a_service()

    pages = service.all_pages("reader", limit=limit)

    shown = names(*pages)
    assert len(shown) == len(set(shown))
    assert set(shown) == service.eligible("reader")
    assert all(len(names(page)) == limit for page in pages[:-1])


@pytest.mark.parametrize("mode", MODES)
def test_pages_by_offset_go_on_as_well(mode: str) -> None:
    service = a_service()
    shown: list[str] = []
    while names(page := service.page("reader", mode=mode, limit=7, offset=len(shown))):
        shown += names(page)
        repeated = service.page("reader", mode=mode, limit=7, offset=len(shown) - len(names(page)))
        assert names(repeated) == names(page)

    assert len(shown) == len(set(shown))
    assert set(shown) == service.eligible("reader", mode=mode)


@pytest.mark.parametrize("mode", ["ranked", "newest"])
def test_the_cursor_of_a_deep_offset_page_goes_on_after_it(mode: str) -> None:
    service = a_service()
    pages = [service.page("reader", mode=mode, limit=6, offset=offset) for offset in (0, 6, 12, 18)]
    pages.append(service.page("reader", mode=mode, limit=50, cursor=pages[-1].next_cursor))

    shown = names(*pages)
    assert len(shown) == len(set(shown))
    assert set(shown) == service.eligible("reader")


def test_what_a_user_hides_between_two_pages_is_not_shown() -> None:
    service = a_service()
    first = service.page("reader", mode="newest", limit=12)

    service.feedback("reader", "hide_post", "p20")
    service.feedback("reader", "mute_author", "cay")
    service.feedback("ben", "block_author", "reader")
    second = service.page("reader", mode="newest", limit=50, cursor=first.next_cursor)

    rest = [name for name in newest_first(service)[12:] if int(name[1:]) % 3 == 0]
    assert names(second) == rest


@pytest.mark.parametrize("mode", MODES)
def test_a_list_ends_degraded_where_memory_ends_while_the_database_is_away(mode: str) -> None:
    service = a_service()
    first = service.page("reader", mode=mode, limit=2)
    assert not first.exhausted
    service.tables.away = True  # before the service notices it

    unnoticed = service.page("reader", mode=mode, limit=20, cursor=first.next_cursor)
    service.disconnect()
    noticed = service.page("reader", mode=mode, limit=20, cursor=first.next_cursor)
    service.reconnect()
    again = service.page("reader", mode=mode, limit=50, cursor=first.next_cursor)

    for page in (unnoticed, noticed):
        assert page.degraded
        assert page.exhausted
        assert page.next_cursor is None
    assert names(unnoticed) == names(noticed)
    assert set(names(first, again)) == service.eligible("reader", mode=mode)


def test_a_page_within_memory_does_not_read_storage() -> None:
    service = a_service()

    service.page("reader", mode="newest", limit=3)
    service.page("reader", limit=3)

    assert storage_of(service).reads == 0


def test_a_search_for_visible_posts_goes_on_where_it_stopped() -> None:
    service = a_service(60)
    storage_of(service).most = 5
    for number in range(12, 50):
        service.feedback("reader", "hide_post", f"p{number}")

    pages = service.all_pages("reader", mode="newest", limit=4)

    shown = [name for name in newest_first(service) if not 12 <= int(name[1:]) < 50]
    assert names(*pages) == shown
    assert not any(page.exhausted for page in pages[:-1])


@pytest.mark.parametrize("mode", ["newest", "following"])
def test_a_list_by_time_does_not_read_again_what_it_has_shown(mode: str) -> None:
    service = a_service(posts=90)
    storage_of(service).most = 10  # a search ends there

    pages = service.all_pages("reader", mode=mode, limit=5)

    assert names(*pages) == newest_first(service, mode)
    assert all(len(page.post_ids) == 5 for page in pages[:-1])
    assert max(len(page.next_cursor or "") for page in pages) < 150


def test_a_page_from_storage_has_one_post_of_a_thread_while_others_are_left() -> None:
    service = SmallService(live_posts=LivePostLimits(newest=3, strongest=0, engaged_days=0))
    service.add_users("reader", "ann")
    for number in range(24):
        root = None if number % 8 == 7 else post_uuid(f"p{number // 8 * 8 + 7}")
        service.add_post(f"p{number}", "ann", age=number * HOUR, root_id=root)
    service.catch_up()
    service.evict()

    pages = service.all_pages("reader", limit=3)

    threads = [[int(name[1:]) // 8 for name in names(page)] for page in pages]
    assert [len(set(thread)) for thread in threads[:-1]] == [3] * 8
    assert len(set(names(*pages))) == 24


@given(
    heads=st.lists(st.none() | st.integers(0, 11), min_size=12, max_size=12),
    relation=st.sampled_from(["root_id", "repost_of"]),
    live=st.integers(1, 6),
    revived=st.sets(st.integers(0, 11), max_size=3),
    limit=st.integers(2, 6),
)
@example(heads=[None, *[11] * 5, *[None] * 6], relation="root_id", live=1, revived={11}, limit=4)
@settings(max_examples=20, deadline=None)
def test_a_page_repeats_a_group_only_when_too_few_others_are_left(
    heads: list[int | None], relation: str, live: int, revived: set[int], limit: int
) -> None:
    """Wherever the posts of a group are, and whichever of them came first: replies and their root, or reposts."""
    service = SmallService(live_posts=LivePostLimits(newest=live, strongest=0, engaged_days=0))
    service.add_users("reader", "other", "ann")
    for number, head in enumerate(heads):
        key = {} if head is None else {relation: post_uuid(f"p{head}")}
        service.add_post(f"p{number}", "ann", age=number * HOUR, **key)
    service.catch_up()
    service.evict()
    for number in revived:
        service.track("other", f"p{number}")
    service.catch_up()
    group_of = {f"p{number}": f"p{number if head is None else head}" for number, head in enumerate(heads)}

    left = dict(group_of)
    for page in service.all_pages("reader", limit=limit):
        groups = {group_of[name] for name in names(page)}
        if not page.time_ordered:
            assert len(groups) >= min(len(names(page)), len(set(left.values())))
        left = {name: group for name, group in left.items() if name not in names(page)}

    assert left == {}


def test_stored_posts_are_explained_and_count_as_shown() -> None:
    service = a_service()
    pages = service.all_pages("reader", limit=9, explain=True)

    assert all(len(page.explanations) == len(page.post_ids) for page in pages)
    assert [one.posts for one in service.shown] == [page.post_seqs for page in pages if page.post_ids]
    by_time = service.all_pages("reader", limit=9, mode="newest", explain=True)
    assert all("age_days" in one for page in by_time for one in page.explanations)


@st.composite
def feeds(draw: st.DrawFn) -> SmallService:
    """A feed with some evicted posts, before and after what users did."""
    service = a_service(draw(st.integers(4, 30)), draw(st.integers(1, 12)), evicts=draw(st.booleans()))
    posts = st.integers(0, len(service.tables.posts) - 1).map(lambda number: f"p{number}")
    for post in draw(st.sets(posts, max_size=5)):
        service.feedback("reader", draw(st.sampled_from(["hide_post", "report_post"])), post)
    for author in draw(st.sets(st.sampled_from(AUTHORS), max_size=2)):
        if draw(st.booleans()):
            service.feedback("reader", "mute_author", author)
        else:
            service.feedback(author, "block_author", "reader")
    for post in draw(st.sets(posts, max_size=5)):
        service.track(draw(st.sampled_from(["reader", "other"])), post)
    service.evict()
    storage_of(service).most = draw(st.sampled_from([3, 1000]))
    return service


@given(
    service=feeds(),
    mode=st.sampled_from(MODES),
    limits=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    bound=st.sampled_from([0, 16, 1024]),
    evicts_later=st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_the_pages_of_a_list_are_the_list_of_a_service_that_has_all_posts_in_memory(
    service: SmallService, mode: str, limits: list[int], bound: int, evicts_later: bool
) -> None:
    whole = SmallService(tables=service.tables, clock=service.clock)
    whole.catch_up()
    expected = names(whole.page("reader", mode=mode, limit=50))

    with patch.object(list_progress, "MAX_SHOWN_BYTES", bound):
        pages: list[RecommendationResponse] = []
        cursor = None
        while not pages or cursor is not None:
            limit = limits[len(pages) % len(limits)]
            pages.append(service.page("reader", mode=mode, limit=limit, cursor=cursor))
            cursor = pages[-1].next_cursor
            if evicts_later:
                service.add_post(f"late{len(pages)}", "cay", age=-HOUR)
                service.catch_up()
                service.evict()
            assert len(pages) < 100

    shown = names(*pages)
    assert len(shown) == len(set(shown))
    if mode == "ranked":
        assert set(shown) == set(expected)
    else:
        assert shown == expected
