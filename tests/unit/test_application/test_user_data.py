"""What ranking knows of a user after a reset."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from app.domain.ranking.options import RankingOptions
from tests.support.small_service import SmallService, names, service_with_posts

READER = "without-events"  # has no posts, which would not be in the own list


def ranked(service: SmallService, user: str) -> tuple[list[str], Sequence[float], str]:
    pages = service.all_pages(user, record=False)
    return names(*pages), [score for page in pages for score in page.scores], pages[0].source


def did_everything(model: str) -> SmallService:
    service = service_with_posts(model)
    for number in (0, 4, 9, 20):
        service.track(READER, f"p{number}", "like")
    service.set_follow(READER, "dan")
    for action, target in (
        ("hide_post", "p5"),
        ("not_interested", "p6"),
        ("mute_author", "cay"),
        ("block_author", "ben"),
        ("mute_tag", "red"),
        ("report_post", "p7"),
    ):
        service.feedback(READER, action, target)
    shown = service.page(READER, limit=5, request_id="a request")
    service.save_pages()
    service.report_seen(READER, "a request", *names(shown)[:2])
    return service


@pytest.mark.parametrize("model", ["none", "formula", "learned"])
def test_after_a_reset_the_list_is_that_of_an_unknown_user(model: str) -> None:
    service = did_everything(model)
    other = SmallService(tables=service.tables, clock=service.clock)
    other.publish(service.models.published) if model != "none" else None
    other.catch_up()
    before = [ranked(one, READER)[0] for one in (service, other)]

    service.user_data.reset(READER)
    at_once = ranked(service, READER)
    other.catch_up()
    service.catch_up()

    expected = ranked(service, "nobody-knows")
    assert before[0] == before[1] != expected[0]
    assert at_once == expected
    assert ranked(service, READER) == expected
    assert ranked(other, READER) == ranked(other, "nobody-knows")


def test_after_a_reset_the_user_is_known_and_their_posts_and_followers_stay() -> None:
    service = service_with_posts()
    service.set_follow("other", "reader")

    service.user_data.reset("reader")

    assert {"own-0", "own-1"} <= set(names(*service.all_pages("other", mode="following")))
    assert not {"own-0", "own-1"} & set(names(*service.all_pages("reader")))
    service.track("reader", "p4", "like")
    assert "p4" not in names(*service.all_pages("reader"))


def test_after_a_reset_the_events_count_for_nobody() -> None:
    service = service_with_posts()
    events = service.feed.state.n_events
    rows = service.user_data.reset("reader").rows

    assert rows["user_interaction"] == 8
    assert service.feed.state.n_events == events - 8


def test_after_an_erasure_a_page_is_that_of_a_process_that_never_held_the_user() -> None:
    """Also its posts for exploration, though rows of users and posts have other numbers."""
    service = SmallService(options=RankingOptions(exploration_share=0.5))
    service.add_users("erased", "reader", "ann")
    for number in range(80):
        author = "erased" if number % 4 == 0 else "ann"
        service.add_post(f"p{number}", author, age=timedelta(minutes=number))
    service.catch_up()
    service.track("reader", "p1", "like")

    service.user_data.erase("erased")
    service.catch_up()
    fresh = SmallService(options=service.options, tables=service.tables, clock=service.clock)
    fresh.catch_up()
    page, expected = (one.page("reader", limit=20) for one in (service, fresh))

    assert "exploration" in page.reasons
    assert (page.post_ids, page.reasons) == (expected.post_ids, expected.reasons)


@pytest.mark.parametrize("installed", ["before the erasure", "after it, by a rollback"])
def test_an_erased_user_is_nobodys_neighbour_in_a_model_that_was_trained_before(installed: str) -> None:
    options = RankingOptions(exploration_share=0.0)
    service = SmallService(options=options)
    service.add_users("erased", "reader", "ann")
    for number in range(30):
        service.add_post(f"p{number}", "ann", age=timedelta(minutes=number))
    service.catch_up()
    for post in ("p1", "p2", "p3", "p20"):
        service.track("erased", post, "share")
    for post in ("p1", "p2", "p3"):
        service.track("reader", post, "share")
    service.publish()
    published = service.feed.ranker.published
    assert published is not None
    assert "collaborative_filtering" in service.page("reader", limit=20).reasons

    service.user_data.erase("erased")
    service.catch_up()
    if installed != "before the erasure":
        service.workers.updater.replace_model(published, None)

    assert "collaborative_filtering" not in service.page("reader", limit=20).reasons
