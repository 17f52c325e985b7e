"""Pages that were shown affect later pages: ignored posts sink, so that a refresh shows others."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.application.dto import RecommendationResponse, Shown
from app.domain.ids import user_uuid
from app.domain.ranking.assembly import NoObserver
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedSnapshot, LogPosition
from app.domain.services.ranking_context import RankingContext
from benchmarks.served_state import served_state
from tests.support.feeds import generated
from tests.support.restarts import a_folder, started_from, with_snapshots
from tests.support.small_service import SmallService, names, service_with_posts
from training.training_run import fit_served_model

LATER = 11  # seconds: longer than a response is cached


def refreshed(service: SmallService, **options: Any) -> RecommendationResponse:
    service.pass_time(LATER)
    return service.page("reader", limit=5, **options)


@pytest.mark.parametrize("model", ["formula", "learned"])
def test_a_refresh_shows_other_posts_and_the_order_before_if_shown_posts_are_ignored(model: str) -> None:
    service = service_with_posts(model)
    first = service.page("reader", limit=5)

    second = refreshed(service)
    unchanged = refreshed(service, shown="ignore")

    assert set(names(second)) - set(names(first))
    assert names(unchanged) == names(first)


def test_excluded_shown_posts_never_come_back_until_the_list_ends() -> None:
    service = service_with_posts()
    shown: list[str] = []
    while names(page := refreshed(service, shown="exclude")):
        shown += names(page)

    assert len(shown) == len(set(shown))
    assert set(shown) == service.eligible("reader")
    assert names(refreshed(service, shown="sink"))


def test_the_pages_of_a_list_repeat_nothing_and_end_after_every_eligible_post() -> None:
    service = service_with_posts()
    service.all_pages("reader", limit=7)
    service.pass_time(LATER)

    pages = []
    page = service.page("reader", limit=7)
    while page.next_cursor is not None:
        pages.append(page)
        service.pass_time(LATER)
        page = service.page("reader", limit=7, cursor=page.next_cursor)

    listed = names(*pages, page)
    assert len(listed) == len(set(listed))
    assert set(listed) == service.eligible("reader")


def test_a_repeated_request_gets_the_cached_page_and_counts_once() -> None:
    service = service_with_posts()
    first = service.page("reader", limit=5, request_id="first")
    service.pass_time(5)

    assert names(service.page("reader", limit=5, request_id="second")) == names(first)

    impressions = service.feed.state.impressions
    assert len(impressions.of(service.feed.state.user_rows[user_uuid("reader").bytes]).posts) == 5
    assert [one.request_id for one in service.shown] == ["first", "second"]
    assert {one.shown_at for one in service.shown} == {first.generated_at}


@pytest.mark.parametrize("mode", ["newest", "following"])
@pytest.mark.parametrize("shown", ["sink", "exclude"])
def test_lists_by_time_do_not_depend_on_what_was_shown(mode: str, shown: Shown) -> None:
    service = service_with_posts()
    options: dict[str, Any] = {"mode": mode, "shown": shown}
    first = service.page("reader", limit=5, **options)
    refreshed(service)

    assert names(refreshed(service, **options)) == names(first)


def test_each_ranked_page_is_passed_on_with_its_posts_in_order() -> None:
    service = service_with_posts()
    service.page("reader", limit=5, mode="newest")
    page = service.page("reader", limit=5, request_id="r1")

    [shown] = service.shown
    numbers = {post.seq: post.external_id for post in service.tables.posts.values()}
    assert [numbers[seq] for seq in shown.posts] == names(page)
    assert (shown.request_id, shown.user_id, shown.mode) == ("r1", user_uuid("reader"), "ranked")
    assert (shown.model_version, list(shown.reasons)) == (page.model_version, page.reasons)
    assert shown.known_user


def test_the_page_of_a_visitor_is_stored_so_that_their_first_event_joins_it() -> None:
    service = service_with_posts()
    page = service.page("visitor", limit=5, request_id="r1")
    service.save_pages()

    assert service.report_seen("visitor", "r1", *names(page)[:2]) == 2


def test_what_was_shown_to_one_user_does_not_change_the_feed_of_another() -> None:
    service = service_with_posts()
    before = service.page("other", limit=10)
    service.page("reader", limit=10)
    service.clock.at += timedelta(seconds=LATER)

    assert names(service.page("other", limit=10, shown="ignore")) == names(before)


def impressions_of(service: SmallService, user: str) -> list[tuple[str | None, float, bool]]:
    """External ids of posts, times and whether they were seen, in order of posts and times."""
    state = service.feed.state
    columns = state.impressions.of(state.user_rows[user_uuid(user).bytes])
    entries = zip(*(column.tolist() for column in columns), strict=True)
    return sorted((state.external_ids[post] or "", time, seen) for post, time, seen in entries)


def test_once_the_client_reports_what_was_seen_only_those_posts_sink() -> None:
    service = service_with_posts()
    first = service.page("reader", limit=5, request_id="r1")

    reported = service.report_seen("reader", "r1", *names(first)[:2], "p-unknown")

    assert reported == 2
    seen = {post for post, _, was_seen in impressions_of(service, "reader") if was_seen}
    assert seen == set(names(first)[:2])
    service.pass_time(LATER)
    rest = service.page("reader", limit=200, shown="exclude")
    assert set(names(rest)) == service.eligible("reader") - seen


def test_a_page_of_another_process_arrives_with_the_next_poll_and_so_does_what_was_seen() -> None:
    service = service_with_posts()
    other = SmallService(tables=service.tables)
    other.catch_up()
    page = service.page("reader", limit=5, request_id="r1")
    service.save_pages()

    other.catch_up()
    shown = impressions_of(other, "reader")
    other.report_seen("reader", "r1", *names(page)[:1])
    service.catch_up()

    assert shown == [(post, page.generated_at.timestamp(), False) for post in sorted(names(page))]
    assert impressions_of(service, "reader") == impressions_of(other, "reader") != shown


def test_a_restart_knows_what_was_shown_with_and_without_a_snapshot(tmp_path: Path) -> None:
    service = service_with_posts()
    service.page("reader", limit=5, request_id="before")
    service.save_pages()
    with_snapshots(service, a_folder(tmp_path)).write_snapshot()
    service.pass_time(LATER)
    service.page("reader", limit=5, request_id="after")
    service.save_pages()

    fully_read = SmallService(tables=service.tables)
    fully_read.catch_up()
    restored = started_from(service, a_folder(tmp_path))

    assert len(impressions_of(service, "reader")) == 10
    for started in (fully_read, restored):
        assert impressions_of(started, "reader") == impressions_of(service, "reader")


def test_what_was_shown_to_a_deleted_user_is_forgotten() -> None:
    service = service_with_posts()
    service.page("reader", limit=5)
    row = service.feed.state.user_rows[user_uuid("reader").bytes]

    service.tables.remove_user(user_uuid("reader"))
    service.catch_up()

    assert len(service.feed.state.impressions.of(row).posts) == 0


def test_most_places_of_nine_refreshes_show_a_post_of_no_earlier_one() -> None:
    feed = FeedSnapshot(generated(100, 500, 5000), LogPosition("generated", 1), frozenset())
    model = fit_served_model(feed, RankingOptions(), None, {})
    state = served_state(feed, model)
    pipeline = model.pipeline(state, NoObserver())
    active = np.flatnonzero(state.events_by_user.lengths(np.arange(state.n_users)))[:25]
    new_places = 0
    for user in active.tolist():
        now, shown = float(state.last_engaged[: state.n_posts].max()), set[int]()
        for refresh in range(10):
            now += LATER
            context = RankingContext(state, user, now, state.seen_posts(user))
            page = pipeline.page(context, pipeline.rank(context), 20).rows
            state.impressions.record(user, page, now)
            new_places += 0 if refresh == 0 else len(set(page.tolist()) - shown)
            shown |= set(page.tolist())

    assert new_places / (25 * 180) >= 0.6


def test_a_page_that_nobody_sees_leaves_no_trace_and_is_the_page_that_would_be_shown() -> None:
    service = service_with_posts()
    user = service.feed.state.user_rows[user_uuid("reader").bytes]

    shadow = [service.page("reader", limit=5, record=False) for _ in range(2)]
    following = service.page("reader", limit=5, record=False, cursor=shadow[0].next_cursor)

    assert names(following)
    assert service.shown == []
    assert len(service.feed.state.impressions.of(user).posts) == 0

    shown = service.page("reader", limit=5)  # at the same time: the cached page of nobody is not used

    assert names(shown) == names(shadow[0]) == names(shadow[1])
    assert len(service.shown) == 1
    assert len(service.feed.state.impressions.of(user).posts) == 5
