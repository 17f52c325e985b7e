"""A page of a ranked list holds one post of a thread, and one of a repost and its original, while others are left."""

import pytest

from app.application.dto import RecommendationResponse
from app.domain.ids import post_uuid
from tests.support.live_feeds import HOUR
from tests.support.small_service import SmallService, names


def a_forum(threads: int = 6, replies: int = 4, model: str = "formula") -> SmallService:
    """Each thread has a root and replies; the replies of the first thread are popular. Two posts are reposted."""
    service = SmallService()
    service.add_users("reader", "other", *(f"author{number}" for number in range(max(threads, 3))))
    for thread in range(threads):
        service.add_post(f"t{thread}", f"author{thread}", age=thread * HOUR)
        for reply in range(replies):
            author = f"author{(thread + reply) % threads}"
            root_id = post_uuid(f"t{thread}")
            service.add_post(f"t{thread}-{reply}", author, age=thread * HOUR, root_id=root_id)
    for number in range(2):
        service.add_post(f"o{number}", f"author{number}", age=HOUR)
        for repost in range(3):
            repost_of = post_uuid(f"o{number}")
            service.add_post(f"o{number}-{repost}", f"author{repost}", age=HOUR, repost_of=repost_of)
    service.catch_up()
    for reply in range(replies):
        service.track("other", f"t0-{reply}", "share")
    if model != "none":
        service.publish(learned=model == "learned")
    return service


def groups(page: RecommendationResponse) -> list[str]:
    """The thread, or the original, of each post of the page."""
    return [name.partition("-")[0] for name in names(page)]


@pytest.mark.parametrize("model", ["none", "formula", "learned"])
@pytest.mark.parametrize("limit", [3, 8])
def test_no_page_repeats_a_thread_or_an_original_while_enough_others_are_left(model: str, limit: int) -> None:
    service = a_forum(model=model)
    left = {group: 5 if group.startswith("t") else 4 for group in (*(f"t{n}" for n in range(6)), "o0", "o1")}

    for page in service.all_pages("reader", limit=limit):
        shown = groups(page)
        distinct = min(len(shown), sum(count > 0 for count in left.values()))
        assert len(set(shown)) == distinct
        for group in shown:
            left[group] -= 1

    assert set(left.values()) == {0}


def test_a_page_is_full_when_fewer_threads_than_places_are_left() -> None:
    service = a_forum(threads=2)

    page = service.page("reader", limit=10)

    assert len(set(groups(page))) == 4
    assert len(names(page)) == len(set(names(page))) == 10


def test_a_further_post_of_a_thread_ranks_lower_on_a_later_page() -> None:
    service = a_forum(threads=3, replies=2)
    service.track("other", "t1-1", "share")
    first = service.page("reader", limit=1)
    later = service.page("reader", limit=1, cursor=first.next_cursor)

    assert groups(first) == ["t0"]
    assert groups(later) == ["t1"]


def test_lists_by_time_keep_the_order_of_time() -> None:
    service = a_forum()

    pages = service.all_pages("reader", limit=3, mode="newest")

    created = [service.created_at(name) for name in names(*pages)]
    assert created == sorted(created, reverse=True)
