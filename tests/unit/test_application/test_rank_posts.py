"""Given posts in the order of a user's feed."""

from datetime import timedelta

import numpy as np
import pytest

from app.application.use_cases.unfinished import Unfinished
from app.domain.errors import InvalidId
from app.domain.feed.live_posts import LivePostLimits
from app.domain.ranking.options import RankingOptions
from app.domain.services.ranking_context import RankingContext
from tests.support.fake_stored_posts import InMemoryStoredPosts
from tests.support.small_service import SmallService, names, service_with_posts

WHOLE_CATALOGUE = RankingOptions(candidates=12, whole_catalogue=1000)


def feed_order(service: SmallService, user: str) -> list[str]:
    """Names of the ranked posts of a user's feed, with seen ones, before the rules of a page."""
    feed = service.feed
    row = feed.state.user_rows.get(service.feed.user_id(user).bytes, -1)
    context = RankingContext(feed.state, row, service.clock.at.timestamp())
    ranked = feed.ranker.pipeline.rank(context)
    return [str(feed.state.external_ids[post]) for post in ranked.rows.tolist()]


@pytest.mark.parametrize("model", ["formula", "learned", "none"])
@pytest.mark.parametrize("user", ["reader", "without-events", "nobody"])
def test_given_posts_have_the_order_of_the_feed(model: str, user: str) -> None:
    service = service_with_posts(model, WHOLE_CATALOGUE)
    order = feed_order(service, user)
    given = np.random.default_rng(3).permutation(order)[:30].tolist()

    ranked = service.rank(user, *given)

    assert names(ranked) == [name for name in order if name in given]
    assert ranked.omitted == 0
    assert sorted(ranked.scores, reverse=True) == ranked.scores


@pytest.mark.parametrize("model", ["formula", "learned", "none"])
def test_given_posts_are_explained_as_in_the_feed(model: str) -> None:
    service = service_with_posts(model, WHOLE_CATALOGUE)
    page = service.page("reader", explain=True)
    parts = dict(zip(names(page), page.explanations, strict=True))

    ranked = service.rank("reader", *parts, explain=True)

    assert set(names(ranked)) == set(parts)
    for name, why in zip(names(ranked), ranked.explanations, strict=True):
        assert why.keys() == parts[name].keys()
        assert why.get("factors", {}) == pytest.approx(parts[name].get("factors", {}), abs=1e-3)
    assert service.rank("reader", *parts).explanations == ()


def test_unknown_and_invisible_posts_are_omitted_and_counted() -> None:
    service = service_with_posts()
    service.add_users("muted")
    service.add_post("by muted", "muted")
    service.add_post("hidden by the reader", "ben")
    service.add_post("for members", "ann", visibility="members", audience_id="club")
    service.add_post("in french", "ann", language="fr")
    service.add_post("sensitive", "ann", sensitive=True)
    service.add_users("reader", languages=("en",))
    service.catch_up()
    service.feedback("reader", "mute_author", "muted")
    service.feedback("reader", "hide_post", "hidden by the reader")
    rejected = ["by muted", "hidden by the reader", "for members", "in french", "sensitive"]
    rejected += ["hidden-0", "tomorrow-0", "own-0", "no-such-post"]

    ranked = service.rank("reader", "p1", *rejected, "p7", "p1")

    assert set(names(ranked)) == {"p1", "p7"}
    assert ranked.omitted == len(rejected)


def service_with_evicted_posts() -> SmallService:
    """Only p0 to p3 are live."""
    service = SmallService(live_posts=LivePostLimits(newest=4, strongest=0, engaged_days=0))
    service.add_users("reader", "ann", "ben")
    for number in range(12):
        service.add_post(f"p{number}", "ann", age=timedelta(hours=number))
    service.add_post("of ben", "ben", age=timedelta(hours=20))
    service.catch_up()
    service.feedback("reader", "mute_author", "ben")
    service.publish()
    service.evict()
    return service


def test_posts_that_are_not_live_follow_newest_first_after_one_read() -> None:
    service = service_with_evicted_posts()
    storage = service.storage.stored_posts
    assert isinstance(storage, InMemoryStoredPosts)
    posts_in_memory = service.feed.state.n_posts

    ranked = service.rank("reader", "p9", "p1", "no-such-post", "of ben", "p5", "p7")

    assert names(ranked) == ["p1", "p5", "p7", "p9"]
    assert ranked.scores[1:] == [0.0, 0.0, 0.0]
    assert ranked.omitted == 2
    assert not ranked.degraded
    assert storage.reads == 1
    assert service.feed.state.n_posts == posts_in_memory


def test_without_the_database_the_live_posts_are_ranked_and_the_others_are_omitted() -> None:
    service = service_with_evicted_posts()

    answer = service.use_cases.rank_posts("reader", ["p1", "p5"])
    assert isinstance(answer, Unfinished)
    service.disconnect()

    for ranked in (answer.without_storage(), service.rank("reader", "p1", "p5")):
        assert (names(ranked), ranked.omitted, ranked.degraded) == (["p1"], 1, True)


def test_ranking_posts_records_nothing() -> None:
    service = service_with_posts()

    service.rank("reader", "p1", "p2")

    assert not service.shown
    assert not service.served


def test_an_invalid_id_is_an_error() -> None:
    with pytest.raises(InvalidId):
        service_with_posts().use_cases.rank_posts("reader", ["\0"])
