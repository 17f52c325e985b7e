"""Why a post is, or is not, in a user's feed: the verdict equals what the user gets."""

from collections import Counter

import numpy as np
import pytest

from app.domain.errors import StorageUnavailable, UnknownPost, UnknownUser
from app.domain.feed.eviction import evict_posts
from app.domain.ids import post_uuid, user_uuid
from tests.support.live_feeds import HOUR
from tests.support.small_service import SmallService, names

PAGE = 10


def a_feed(model: str) -> SmallService:
    """The reader sees, hides, mutes and follows; 12 authors have 60 posts, with threads, and some posts are private."""
    service = SmallService()
    authors = [f"author{number}" for number in range(12)]
    service.add_users("reader", "fan", *authors)
    service.follow("reader", "author1")
    for number in range(60):
        service.add_post(
            f"post{number}",
            authors[number % 12],
            age=number * HOUR,
            tags=("spiders" if number % 11 == 0 else "cats",),
            content="about snakes" if number % 13 == 0 else "hello",
            visible=number != 7,
            visibility="followers" if number % 9 == 4 else "public",
            root_id=post_uuid("post1") if number % 10 == 1 else None,
        )
    service.add_post("own", "reader")
    service.add_post("tomorrow", "author2", age=-24 * HOUR)
    service.catch_up()
    for number in range(0, 60, 3):
        service.track("fan", f"post{number}", "like")
    for number in range(5, 20, 5):
        service.track("reader", f"post{number}", "like")
    service.feedback("reader", "hide_post", "post2")
    service.feedback("reader", "mute_author", "author3")
    service.feedback("reader", "mute_tag", "spiders")
    service.feedback("reader", "mute_word", "snakes")
    if model != "none":
        service.publish(learned=model == "learned")
    return service


@pytest.mark.parametrize("model", ["none", "formula", "learned"])
@pytest.mark.parametrize("user", ["reader", "fan", "nobody-knows-me"])
def test_the_verdict_of_each_post_equals_what_the_user_gets(model: str, user: str) -> None:
    service = a_feed(model)
    verdicts = Counter[str]()

    explained = {
        post.external_id: service.explain.post(user, post.external_id, PAGE)
        for post in service.tables.posts.values()
    }

    page = names(service.page(user, limit=PAGE))
    listed = set(names(*service.all_pages(user, limit=PAGE, record=False)))
    for name, why in explained.items():
        verdicts[why.verdict] += 1
        assert why.trace is not None
        assert why.position == (page.index(name) + 1 if name in page else None)
        assert (why.verdict == "filtered") == (name not in listed)
        assert (why.verdict == "filtered") == bool(why.trace.removed_by)
        assert (why.trace.rank is None) == (why.trace.removed_by != () or not why.trace.sources)
        assert bool(why.score_parts) == (why.trace.rank is not None)
    ranks = sorted(why.trace.rank for why in explained.values() if why.trace and why.trace.rank)
    assert ranks == list(range(1, len(ranks) + 1))
    assert {"on_page", "filtered"} <= set(verdicts)


@pytest.mark.parametrize(
    ("post", "removed_by", "excluded_as"),
    [
        ("post5", "not_excluded", "seen"),
        ("post2", "not_excluded", "hidden"),
        ("post3", "not_excluded", "muted_or_blocked_author"),
        ("post11", "not_muted", None),
        ("post26", "not_muted", None),
        ("post4", "visible_to_user", None),
        ("post7", "published", None),
        ("tomorrow", "published", None),
        ("own", "not_own", None),
    ],
)
def test_the_filter_that_removes_a_post_is_named(post: str, removed_by: str, excluded_as: str | None) -> None:
    why = a_feed("formula").explain.post("reader", post, PAGE)

    assert why.trace is not None
    assert removed_by in why.trace.removed_by
    assert excluded_as is None or excluded_as in why.excluded_as


def test_a_post_below_a_better_one_of_its_thread_or_author_says_so() -> None:
    service = a_feed("formula")
    traces = [service.explain.post("fan", f"post{number}", PAGE).trace for number in range(60)]

    rules = Counter(trace.page_rule for trace in traces if trace is not None and trace.rank is not None)

    assert rules["one_per_thread"] > 0
    assert rules["author_spacing"] > 0
    assert rules[None] > 0


def test_explanations_record_nothing_and_change_no_list() -> None:
    service = a_feed("learned")
    before = names(*service.all_pages("reader", record=False))

    service.explain.post("reader", "post20", PAGE)
    service.explain.user("reader", PAGE)
    service.pass_time(60)

    assert service.shown == []
    assert names(*service.all_pages("reader", record=False)) == before


def test_a_post_that_is_not_live_is_read_from_storage() -> None:
    service = a_feed("formula")
    state = service.feed.state
    evict_posts(state, np.array([state.post_rows[post_uuid("post59").bytes]]))

    assert service.explain.post("reader", "post59", PAGE).verdict == "not_live"
    with pytest.raises(UnknownPost):
        service.explain.post("reader", "never", PAGE)
    service.tables.away = True
    with pytest.raises(StorageUnavailable):
        service.explain.post("reader", "post59", PAGE)


def test_the_overview_of_a_user_holds_events_follows_controls_and_the_list_as_served() -> None:
    service = a_feed("learned")

    overview = service.explain.user("reader", PAGE)

    page = service.page("reader", limit=PAGE)
    assert [post.external_id for post in overview.posts] == names(page)
    assert [post.score for post in overview.posts] == page.scores
    assert [post.reason for post in overview.posts] == page.reasons
    assert all(post.sources and post.score_parts for post in overview.posts)
    assert [event.external_id for event in overview.events] == ["post15", "post10", "post5"]
    assert (overview.event_count, overview.follow_count) == (3, 1)
    assert (overview.personalised, overview.discoverable, overview.show_sensitive) == (True, True, False)
    assert overview.languages == []
    assert overview.follows == [str(user_uuid("author1"))]
    assert [control.action for control in overview.controls] == [
        "hide_post",
        "mute_author",
        "mute_tag",
        "mute_word",
    ]
    with pytest.raises(UnknownUser):
        service.explain.user("nobody-knows-me", PAGE)
