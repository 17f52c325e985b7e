"""Each page returns the evidence that holds at its time, at any depth of a list."""

from datetime import timedelta

import pytest

from app.application.dto import EvidenceKind, RecommendationResponse
from app.domain.feed.live_posts import LivePostLimits
from app.domain.ids import user_uuid
from tests.support.small_service import FEW_CANDIDATES, SmallService, names

AUTHORS = ("ann", "ben", "cay")


def a_service(model: str = "none") -> SmallService:
    """40 posts, of which memory has 10. The reader follows ann and ben; cay is followed by nobody."""
    limits = LivePostLimits(newest=8, strongest=2, engaged_days=0)
    service = SmallService(options=FEW_CANDIDATES, live_posts=limits)
    service.add_users("reader", *AUTHORS)
    for number in range(40):
        service.add_post(f"p{number}", AUTHORS[number % 3], age=number * timedelta(hours=1))
    service.follow("reader", "ann")
    service.follow("reader", "ben")
    service.catch_up()
    service.track("reader", "p30")
    if model != "none":
        service.publish(learned=model == "learned")
    service.evict()
    return service


def named_authors(service: SmallService, *pages: RecommendationResponse) -> dict[str, str | None]:
    """The user that the evidence of each post with a followed author names, by post."""
    return {
        name: evidence.user_id
        for page in pages
        for name, evidence in zip(names(page), page.evidence, strict=True)
        if evidence is not None and evidence.kind is EvidenceKind.FOLLOWED_AUTHOR
    }


@pytest.mark.parametrize("mode", ["ranked", "newest", "following"])
@pytest.mark.parametrize("model", ["none", "formula", "learned"])
def test_every_post_by_a_followed_author_says_so_at_any_depth(model: str, mode: str) -> None:
    service = a_service(model)

    pages = service.all_pages("reader", mode=mode)

    shown = names(*pages)
    assert len(shown) > 20
    authors = {name: AUTHORS[int(name[1:]) % 3] for name in shown}
    followed = {name: str(user_uuid(author)) for name, author in authors.items() if author != "cay"}
    assert named_authors(service, *pages) == followed


def test_a_page_that_is_returned_again_names_nobody_whom_the_user_unfollowed() -> None:
    service = a_service("formula")
    service.page("reader", limit=4)
    before = service.page("reader", limit=4, offset=4)

    service.set_follow("reader", "ann", follows=False)
    after = service.page("reader", limit=4, offset=4)

    assert names(before) == names(after)
    assert set(named_authors(service, before).values()) == {str(user_uuid("ann")), str(user_uuid("ben"))}
    assert set(named_authors(service, after).values()) == {str(user_uuid("ben"))}
