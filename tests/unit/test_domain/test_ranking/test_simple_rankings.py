"""Each simple ranking serves a list in its order, with its reasons and explanations."""

import pytest

from app.domain.entities import Reason
from app.domain.feed.time_units import DAY, HOUR
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.simple_rankings import SIMPLE_RANKINGS
from app.domain.services.ranking_context import RankingContext
from tests.support.feeds import LIKE, Feed, Post, whole_state

NOW = 40 * DAY
HOURS_SINCE_LIKES = ((0.1,), (0.5, 0.6, 0.7), (100,) * 8, (700,) * 12, ())
"""The ages of the likes of each post."""


def context() -> RankingContext:
    """The feed as a user without events sees it."""
    posts = [
        Post(NOW - 0.2 * HOUR),
        Post(NOW - HOUR),
        Post(NOW - 6 * DAY),
        Post(NOW - 35 * DAY),
        Post(NOW - 2),
    ]
    events = [
        (1 + number, post, LIKE, NOW - age * HOUR)
        for post, ages in enumerate(HOURS_SINCE_LIKES)
        for number, age in enumerate(ages)
    ]
    state, _ = whole_state(Feed(20, posts, events).dataset())
    return RankingContext(state, -1, NOW)


def listed(ranking: str, whole_catalogue: int = 1000) -> tuple[list[float], list[float], list, list]:
    """Ages in hours, scores, reasons and explanations of the first page."""
    at = context()
    options = RankingOptions(whole_catalogue=whole_catalogue, exploration_share=0)
    pipeline = ranking_pipeline(options, None, None, NoObserver(), ranking)
    ranked = pipeline.rank(at)
    page = pipeline.page(at, ranked, 10)
    ages = ((NOW - at.state.created[page.rows]) / HOUR).round(3).tolist()
    return ages, page.values.tolist(), page.reasons, pipeline.explain(at, ranked, page.rows)


NONE, NEW, PAST_HOUR, WEEK, MONTH = round(2 / HOUR, 3), 0.2, 1.0, 144.0, 840.0


@pytest.mark.parametrize(
    ("ranking", "order"),
    [
        ("newest", [NONE, NEW, PAST_HOUR, WEEK, MONTH]),
        ("trending_1h", [PAST_HOUR, NEW, NONE, WEEK, MONTH]),
        ("trending_7d", [WEEK, PAST_HOUR, NEW, MONTH, NONE]),
        ("popular", [MONTH, WEEK, PAST_HOUR, NEW, NONE]),
    ],
)
@pytest.mark.parametrize("whole_catalogue", [0, 1000])
def test_the_list_is_in_the_order_of_the_ranking(ranking, order, whole_catalogue):
    ages, scores, _, _ = listed(ranking, whole_catalogue)

    assert ages == order
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


def test_reasons_and_explanations_are_those_of_the_ranking():
    assert listed("newest")[2] == [Reason.RECENT] * 5
    assert [one["age_hours"] for one in listed("newest")[3]][1:] == [NEW, PAST_HOUR, WEEK, MONTH]
    assert listed("popular")[2][:4] == [Reason.TRENDING] * 4
    assert [one["trending"] for one in listed("popular")[3]] == [12, 8, 3, 1, 0]
    assert listed("popular", whole_catalogue=0)[2][4] == Reason.RECENT  # only the newest posts hold it


def test_every_simple_ranking_lists_every_post_of_a_small_feed():
    assert all(
        sorted(listed(ranking)[0]) == [NONE, NEW, PAST_HOUR, WEEK, MONTH] for ranking in SIMPLE_RANKINGS
    )
