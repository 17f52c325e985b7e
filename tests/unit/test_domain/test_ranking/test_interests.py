"""Declared interests rank the feeds of users with few events."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from app.domain.entities import Reason
from app.domain.errors import UnknownAuthor
from app.domain.feed.interests import FeedInterests
from app.domain.ids import user_uuid
from app.domain.ranking.options import RankingOptions
from app.domain.services.ranking_context import RankingContext
from tests.support.live_feeds import feed_differences, fully_read_state
from tests.support.small_service import SmallService, names, service_with_posts

RED = {f"p{number}" for number in range(0, 54, 2)}
"""These posts have the tags red and blue; the others have the tag blue."""


@pytest.fixture(params=["none", "formula", "learned"])
def service(request: pytest.FixtureRequest) -> SmallService:
    """Only posts of declared interests have a score."""
    return service_with_posts(
        request.param, RankingOptions(candidates=40, exploration_share=0, interest_factor=0)
    )


def declare(service: SmallService, user: str = "new", **interests: Any) -> None:
    service.entities.put_user(user, interests)


def test_posts_of_a_declared_tag_come_first_for_a_user_without_events(service: SmallService) -> None:
    declare(service, tags=["#Red"])
    page = service.page("new", limit=10)

    assert set(names(page)) <= RED
    assert set(page.reasons) <= set(Reason)


def test_posts_of_a_declared_author_come_first(service: SmallService) -> None:
    by_cay = {f"p{number}" for number in range(2, 54, 5)}

    declare(service, authors=["cay"])

    assert set(names(service.page("new", limit=10))) <= by_cay


def test_interests_can_be_taken_back(service: SmallService) -> None:
    def values(user: str) -> dict[str, float]:
        page = service.page(user, limit=50, exclude_seen=False)
        return dict(zip(names(page), page.scores, strict=True))

    unknown = values("nobody")
    declare(service, tags=["red"])
    assert values("new") != unknown
    declare(service, tags=[])
    assert values("new") == unknown


def test_interests_change_no_other_users_feed(service: SmallService) -> None:
    before = [service.page(user, record=False) for user in ("reader", "nobody")]

    declare(service, tags=["red"], authors=["ann"])

    after = [service.page(user, record=False) for user in ("reader", "nobody")]
    assert [(names(page), page.scores) for page in before] == [(names(page), page.scores) for page in after]


def test_an_author_who_does_not_exist_is_an_error_and_changes_nothing() -> None:
    service = service_with_posts()

    with pytest.raises(UnknownAuthor, match="nobody"):
        declare(service, "reader", tags=["red"], authors=["ann", "nobody"])

    assert len(service.feed.state.interests) == 0


def test_another_service_and_a_new_start_know_the_interests() -> None:
    service = service_with_posts()
    replica = SmallService(tables=service.tables, clock=service.clock)
    replica.catch_up()

    declare(service, "reader", tags=["red", "green"], authors=["ben", "cay"])
    replica.catch_up()

    now = service.clock.at.timestamp()
    assert feed_differences(replica.feed.state, service.feed.state, now) == []
    assert feed_differences(fully_read_state(service), service.feed.state, now) == []
    row = replica.feed.state.user_rows[user_uuid("reader").bytes]
    assert len(replica.feed.state.interests.of(row).authors) == 2


def test_the_weight_of_interests_falls_with_the_number_of_events() -> None:
    service = service_with_posts()
    service.pass_time(timedelta(days=1).total_seconds())
    pipeline, state = service.feed.ranker.pipeline, service.feed.state
    declare(service, tags=["red"])
    row = state.user_rows[user_uuid("new").bytes]
    factors = []
    for number in range(1, 8, 2):
        context = RankingContext(state, row, service.clock.at.timestamp())
        [blue] = pipeline.interests(context, np.array([state.post_rows[service.feed.post_id("p1").bytes]]))
        factors.append(float(blue))
        service.track("new", f"p{number}", "like")

    assert factors[0] == pytest.approx(0.4)
    assert factors == sorted(factors)
    assert factors[-1] == pytest.approx(0.4 ** (1 / 4))


def test_interests_survive_a_snapshot_and_a_damaged_one_is_an_error() -> None:
    interests = FeedInterests()
    interests.set_user(3, ["red", "blue"], [])
    interests.set_user(1, [], [0, 2])
    interests.set_user(2, ["gone"], [])
    interests.set_user(2, [], [])

    tree = interests.array_tree()
    made = FeedInterests.from_tree(tree, 4)

    assert len(made) == 2
    for user in range(4):
        assert made.of(user).tags.tolist() == interests.of(user).tags.tolist()
        assert made.of(user).authors.tolist() == interests.of(user).authors.tolist()
    assert len(FeedInterests.from_tree(FeedInterests().array_tree(), 0)) == 0
    for damaged in (
        {"user": np.array([9, 1])},
        {"n_tags": np.array([5, 0])},
        {"author": np.array([7, 7], np.int32)},
    ):
        with pytest.raises(ValueError, match="interests"):
            FeedInterests.from_tree({**tree, **damaged}, 4)
