"""What a feed may hold, in what order, and where it ends: every mode, every source, with a model and without."""

from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import ExpiredCursor, InvalidCursor, InvalidId
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking.options import RankingOptions
from tests.support.small_service import FEW_CANDIDATES, SmallService, names

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MODELS = ["none", "formula", "learned"]
SOURCES = ["reader", "newcomer", "stranger"]  # with events; known, without events; unknown
MODES = ["ranked", "newest", "following"]
FEW, ALL = FEW_CANDIDATES, RankingOptions()


def a_service(model: str = "formula", options: RankingOptions = FEW) -> SmallService:
    """60 posts of four authors and of nobody; two hidden, two of tomorrow, two of the reader's own."""
    service = SmallService(options=options)
    service.add_users("reader", "newcomer", "other", "ann", "ben", "cay", "dan")
    for number in range(54):
        author = ("ann", "ben", "cay", "dan", None)[number % 5]
        service.add_post(f"p{number}", author, age=number * HOUR, tags=("red", "blue")[number % 2 :])
    for number in range(2):
        service.add_post(f"hidden-{number}", "ann", age=HOUR, visible=False)
        service.add_post(f"tomorrow-{number}", "ben", age=-DAY)
        service.add_post(f"own-{number}", "reader", age=HOUR)
    for author in ("ann", "ben"):
        service.follow("reader", author)
        service.follow("newcomer", author)
    service.catch_up()
    for number in (0, 1, 2, 6, 11, 30, 31):
        service.track("reader", f"p{number}", ("view", "click", "like", "comment", "share")[number % 5])
        service.track("other", f"p{number + 1}", "like")
        service.track("other", f"p{number}", "view")
    service.track("reader", "p3", "view")
    if model != "none":
        service.publish(learned=model == "learned")
    return service


@pytest.mark.parametrize("options", [FEW, ALL], ids=["few candidates", "whole catalogue"])
@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("user", SOURCES)
@pytest.mark.parametrize("model", MODELS)
def test_a_list_holds_each_eligible_post_once_and_no_other(
    model: str, user: str, mode: str, exclude_seen: bool, options: RankingOptions
) -> None:
    service = a_service(model, options)
    excluded = ["p4", "p5", "p20", "no-such-post"]
    wishes = {"mode": mode, "exclude_seen": exclude_seen, "exclude_ids": excluded}

    pages = service.all_pages(user, **wishes)

    shown = names(*pages)
    expected = service.eligible(user, exclude_seen=exclude_seen, mode=mode, excluded=excluded)
    assert sorted(shown) == sorted(expected)
    assert len(expected) > 10 or (mode, user) == ("following", "stranger")
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
    service = a_service(model)

    shown = names(*service.all_pages("reader", mode=mode))

    times = [service.created_at(one) for one in shown]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("model", "user", "source"),
    [
        ("none", "reader", "fallback"),
        ("none", "stranger", "fallback"),
        ("formula", "stranger", "cold_start"),
        ("formula", "newcomer", "cold_start"),
        ("formula", "reader", "personalized"),
        ("learned", "newcomer", "cold_start"),
        ("learned", "reader", "personalized"),
    ],
)
def test_the_source_is_the_same_at_any_depth_of_the_list(
    model: str, user: str, source: str, mode: str
) -> None:
    pages = a_service(model).all_pages(user, mode=mode)

    assert {page.source for page in pages} == {source}
    assert {page.degraded for page in pages} == {model == "none"}
    assert {page.model_version for page in pages} == {None if model == "none" else "v1"}


def test_an_answer_is_degraded_while_the_database_is_away_and_whole_again_after() -> None:
    service = a_service()
    service.tables.away = True
    service.catch_up()
    away = service.page("reader")
    service.tables.away = False
    service.catch_up()

    assert (away.degraded, away.source, len(away.post_ids)) == (True, "personalized", 47 - 1)
    assert service.page("reader").degraded is False


def test_reasons_name_what_put_a_post_there() -> None:
    service = a_service("learned", RankingOptions(exploration_share=0.2))

    ranked, newest, following = (service.page("reader", limit=20, mode=mode) for mode in MODES)

    assert len(set(ranked.reasons)) > 1
    assert "exploration" in ranked.reasons
    assert set(newest.reasons) == {"recent"}
    assert set(following.reasons) == {"following"}


def test_a_page_that_is_to_be_explained_explains_each_post_in_every_mode() -> None:
    service = a_service("learned")
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
    service = a_service(model)
    first = names(service.page("reader", limit=10))[0]

    service.track("reader", first, "like")

    assert first not in names(*service.all_pages("reader"))
    assert first in names(*service.all_pages("reader", exclude_seen=False))


def test_the_first_event_of_a_newcomer_makes_the_next_answer_personal() -> None:
    service = a_service("learned")
    before = service.page("newcomer", limit=20)
    liked = names(before)[5]

    service.track("newcomer", liked, "like")
    after = service.page("newcomer", limit=20)

    assert (before.source, after.source) == ("cold_start", "personalized")
    assert names(after) != [one for one in names(before) if one != liked]


def test_a_post_deleted_hidden_or_come_of_age_changes_the_next_answer() -> None:
    service = a_service()
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
    service = a_service()
    ann = set(names(service.page("reader", limit=200, mode="following")))

    service.tables.remove_follow(user_uuid("reader"), user_uuid("ann"))
    service.follow("reader", "cay")
    service.catch_up()
    after = set(names(service.page("reader", limit=200, mode="following")))

    assert after == service.eligible("reader", mode="following") != ann


# -- paging ------------------------------------------------------------------------------------------------------------


def test_offsets_page_through_the_last_list_without_repeats() -> None:
    service = a_service()
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


def test_an_offset_page_is_full_though_posts_of_the_list_were_met_or_deleted_since() -> None:
    service = a_service(options=ALL)
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
    service = a_service()
    first, second = (service.page("reader", limit=10, offset=start) for start in (0, 10))

    third = service.page("reader", limit=10, cursor=second.next_cursor)

    shown = names(first, second, third)
    assert len(shown) == len(set(shown)) == 30


def test_a_kept_list_goes_on_under_a_model_of_another_kind() -> None:
    service = a_service("learned")
    first = service.page("stranger", limit=10)
    service.publish(learned=False)

    second = service.page("stranger", limit=10, offset=10)

    shown = names(first, second)
    assert len(shown) == len(set(shown)) == 20


def test_an_offset_page_is_explained_against_the_list_not_against_the_page() -> None:
    service = a_service("learned", options=ALL)
    whole = service.page("reader", limit=20, explain=True)
    listed = dict(zip(whole.post_ids, whole.explanations, strict=True))

    later = service.page("reader", limit=5, offset=15, explain=True)

    assert len(later.post_ids) == 5
    for post, told in zip(later.post_ids, later.explanations, strict=True):
        assert told["probability"] == pytest.approx(listed[post]["probability"], rel=0.3)


def test_an_empty_cursor_is_none_that_was_given_out() -> None:
    with pytest.raises(InvalidCursor):
        a_service().page("reader", cursor="")


def test_a_kept_list_ends_with_its_life() -> None:
    service = a_service()
    before = names(service.page("reader", limit=10))
    service.pass_time(601)
    for user in ("other", "ann", "ben", "cay"):
        service.track(user, "p45", "share")

    again = names(service.page("reader", limit=10, offset=10))

    assert "p45" not in before + again
    assert "p45" in names(service.page("reader", limit=10))


def test_offset_paging_survives_that_the_feed_is_read_anew() -> None:
    service = a_service()
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


def test_who_asks_again_at_once_gets_the_answer_that_stands_and_no_second_copy_is_delivered() -> None:
    service = a_service("learned")
    first = service.page("reader", limit=10)
    service.pass_time(2)
    for user in ("other", "ann", "ben", "cay"):
        service.track(user, "p45", "share")

    again = service.page("reader", limit=10)

    assert names(again) == names(first)
    assert len(service.served) == 1
    assert len(names(first, service.page("reader", limit=10, cursor=again.next_cursor))) == 20


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_stands_for_its_own_question_alone(model: str) -> None:
    service = a_service(model)
    lists = [names(service.page("reader", limit=limit)) for limit in (30, 10, 40, 30)]
    again = [names(service.page("reader", limit=10, offset=start)) for start in (0, 10, 0)]

    assert [len(one) for one in lists] == [30, 10, 40, 30]
    assert not set(again[0]) & set(again[1])
    assert again[0] == again[2]


@pytest.mark.parametrize(
    "happens", ["event", "follow", "unfollow and follow", "post", "hidden", "model", "time"]
)
def test_an_answer_stands_no_longer_than_nothing_concerns_its_user(happens: str) -> None:
    service = a_service("learned")
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


def test_an_offset_beyond_the_end_is_empty_and_exhausted() -> None:
    answer = a_service().page("reader", limit=50, offset=10_000_000)

    assert (list(answer.post_ids), answer.exhausted, answer.next_cursor) == ([], True, None)


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_feed_is_exhausted(mode: str) -> None:
    answer = SmallService().page("anyone", mode=mode)

    assert (list(answer.post_ids), answer.exhausted, answer.next_cursor) == ([], True, None)


def test_a_list_of_exactly_one_page_is_followed_by_an_empty_exhausted_one() -> None:
    service = a_service()
    count = len(service.eligible("reader"))

    full = service.page("reader", limit=count)
    empty = service.page("reader", limit=count, cursor=full.next_cursor)

    assert (len(full.post_ids), full.exhausted) == (count, False)
    assert (len(empty.post_ids), empty.exhausted, empty.next_cursor) == (0, True, None)


def test_a_cursor_is_bound_to_its_user_and_mode_and_expires_after_a_day() -> None:
    service = a_service()
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


@pytest.mark.parametrize("wishes", [{"user_id": ""}, {"exclude_ids": ["a\nb"]}, {"exclude_ids": ["x" * 129]}])
def test_an_id_that_is_none_is_refused(wishes: dict[str, object]) -> None:
    user = str(wishes.pop("user_id", "reader"))

    with pytest.raises(InvalidId):
        a_service().page(user, **wishes)


def test_posts_may_be_excluded_by_either_of_their_names() -> None:
    service = a_service()
    given, by_uuid = names(service.page("reader", limit=2))

    left = names(service.page("reader", limit=200, exclude_ids=[given, str(post_uuid(by_uuid)).upper()]))

    assert not {given, by_uuid} & set(left)


def test_a_uuid_is_its_own_name() -> None:
    service = a_service()
    post = UUID(int=77)
    service.add_post(str(post))
    service.catch_up()

    answer = service.page("reader", limit=1, mode="newest")

    assert (list(answer.post_ids), list(answer.external_ids)) == ([str(post)], [None])


def test_ranked_answers_to_known_users_are_handed_on_for_copying() -> None:
    service = a_service()
    answer = service.page("reader")
    service.page("stranger")
    service.page("reader", mode="newest")

    assert service.served == [(user_uuid("reader"), answer)]


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
                "anew",
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
    elif what == "anew":  # the same rows, read as a whole once more
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


@settings(max_examples=40)
@given(
    what=steps,
    mode=st.sampled_from(MODES),
    user=st.sampled_from(SOURCES),
    model=st.sampled_from(MODELS),
    exclude_seen=st.booleans(),
    limit=st.integers(1, 12),
)
def test_no_page_repeats_and_none_is_short_whatever_happens_in_between(
    what: list[Step], mode: str, user: str, model: str, exclude_seen: bool, limit: int
) -> None:
    service = a_service(model)
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


@settings(max_examples=25)
@given(
    what=steps,
    mode=st.sampled_from(MODES),
    limit=st.integers(1, 12),
)
def test_offset_pages_never_repeat_nor_offer_what_is_not_eligible(
    what: list[Step], mode: str, limit: int
) -> None:
    service = a_service()
    shown: list[str] = []

    for one, number in [("page", 0), *what, ("page", 0), ("page", 0)]:
        if one in {"anew", "day"}:
            continue  # another feed, or one that is kept no longer, is another list
        if one != "page":
            happen(service, one, number)
            continue
        page = names(service.page("reader", limit=limit, offset=len(shown), mode=mode))
        assert set(page) <= service.eligible("reader", mode=mode)
        assert not set(page) & set(shown)
        shown += page
