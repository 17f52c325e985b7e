"""The pipeline puts its pieces together: nominated, eligible, scored, on a page."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.entities import Reason
from app.domain.ranking.filters import NotExcluded, NotOwn, Published
from app.domain.ranking.page_selector import PageSelector
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import Scored
from tests.support.feeds import LIKE, Feed, Post, whole_state


@dataclass(frozen=True)
class Names:
    """A source that names what it was told to."""

    rows: tuple[int, ...]
    reason: Reason = Reason.RECENT
    name: str = "names"

    def __call__(self, context):
        return np.array(self.rows, np.intp)


@dataclass(frozen=True)
class Table:
    """A scorer that looks scores up, and gives its own reason from .9 on."""

    scores: tuple[float, ...]

    def __call__(self, context, rows):
        values = np.array(self.scores)[rows]
        return Scored(
            values,
            lambda at: [Reason.TRENDING if values[place] >= 0.9 else None for place in at],
            lambda at: [{"score": float(values[place])} for place in at],
        )


@dataclass
class Stages:
    seen: list[str] = field(default_factory=list)

    def observe(self, stage, seconds):
        assert seconds >= 0
        self.seen.append(stage)


def asked(posts=None, user: int = -1):
    state, chronicle = whole_state(Feed(2, posts or [Post(created=float(i)) for i in range(6)]).dataset())
    return RankingContext(state, user if user < 0 else int(chronicle.user_row[user]), 1e6), chronicle


def pipeline(sources, scores, selector=None, filters=(), stages=None):
    return FeedPipeline(
        sources, filters, Table(tuple(scores)), selector or PageSelector(exploration=0.0), stages or Stages()
    )


def test_posts_that_sources_name_are_listed_once_best_first():
    context, _ = asked()
    pipe = pipeline([Names((3, 1)), Names((1, 5))], [0, 0.5, 0, 0.2, 0, 0.8])

    ranked = pipe.rank(context)

    assert ranked.rows.tolist() == [5, 1, 3]
    assert ranked.values.tolist() == [0.8, 0.5, 0.2]


def test_a_post_is_shown_for_what_the_scorer_says_else_for_the_first_source_that_named_it():
    context, _ = asked()
    both = [Names((1, 2), Reason.FOLLOWING), Names((2, 3, 4), Reason.POPULAR_AUTHOR, "popular")]
    pipe = pipeline(both, [0, 0.3, 0.2, 0.1, 0.95, 0])

    ranked = pipe.rank(context)
    page = pipe.page(context, ranked, 10)

    shown = dict(zip(page.rows.tolist(), page.reasons, strict=True))
    assert shown == {
        4: Reason.TRENDING,
        1: Reason.FOLLOWING,
        2: Reason.FOLLOWING,
        3: Reason.POPULAR_AUTHOR,
    }
    told = [one.get("score") for one in pipe.explain(context, ranked, np.array([4, 1, 0, 3]))]
    assert told == [0.95, 0.3, None, 0.1]
    assert told[:2] == [one["score"] for one in pipe.explain(context, ranked.truncated(4), np.array([4, 1]))]


def test_no_source_gets_a_post_past_a_rule():
    posts = [Post(author=0), Post(visible=False), Post(created=2e6), Post(author=1), Post()]
    context, chronicle = asked(posts, user=0)
    every = Names(tuple(range(5)))
    pipe = pipeline([every], [0.5] * 5, filters=(Published(), NotOwn(), NotExcluded()))
    context = RankingContext(context.state, context.user, context.now, chronicle.post_row[[4]])

    ranked = pipe.rank(context)

    assert ranked.rows.tolist() == [chronicle.post_row[3]]


def test_scores_that_are_no_numbers_rank_last_and_the_rest_is_kept_within_0_and_1():
    context, _ = asked()
    pipe = pipeline([Names((0, 1, 2, 3, 4))], [np.nan, 0.4, np.inf, 7.0, -3.0, 0])

    ranked = pipe.rank(context)

    assert ranked.rows.tolist()[:2] == [3, 1]
    assert ranked.values.tolist() == [1.0, 0.4, 0.0, 0.0, 0.0]
    assert set(ranked.rows.tolist()) == {0, 1, 2, 3, 4}


def test_a_list_that_was_kept_gives_the_same_page_later():
    context, _ = asked()
    pipe = pipeline([Names((0, 1, 2, 3, 4, 5))], [0.1, 0.95, 0.3, 0.2, 0.91, 0])
    ranked = pipe.rank(context)

    now, later = pipe.page(context, ranked, 3), pipe.page(context, ranked.truncated(6), 3)

    assert now.rows.tolist() == later.rows.tolist() == [1, 4, 2]
    assert now.reasons == later.reasons


def test_a_list_without_some_posts_still_knows_the_reasons_of_the_others():
    context, _ = asked()
    pipe = pipeline([Names((0, 1, 2, 3))], [0.1, 0.95, 0.3, 0.2, 0, 0])

    rest = pipe.rank(context).excluding(np.array([2]), 6)
    page = pipe.page(context, rest, 5)

    assert page.rows.tolist() == [1, 3, 0]
    assert page.reasons == [Reason.TRENDING, Reason.RECENT, Reason.RECENT]


def test_the_time_of_every_stage_is_told():
    context, _ = asked()
    stages = Stages()
    pipe = pipeline([Names((0,))], [0.5] * 6, stages=stages)

    pipe.page(context, pipe.rank(context), 5)

    assert stages.seen == ["sources", "filter", "score", "select"]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(-1, 3)), min_size=1, max_size=40),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_a_page_never_rises_repeats_nothing_and_is_full_while_there_are_posts(posts, size, exploration):
    context, chronicle = asked(
        [
            Post(float(i), author)
            for i, (_, author) in enumerate([(s, a % 2 if a >= 0 else -1) for s, a in posts])
        ]
    )
    rows = chronicle.post_row
    scores = np.zeros(len(posts))
    scores[rows] = [score for score, _ in posts]
    pipe = pipeline([Names(tuple(range(len(posts))))], scores, PageSelector(exploration=exploration))

    page = pipe.page(context, pipe.rank(context), size)

    assert len(page.rows) == min(size, len(posts)) == len(set(page.rows.tolist()))
    assert all(a >= b for a, b in zip(page.values[:-1], page.values[1:], strict=True))
    assert ((page.values >= 0) & (page.values <= 1)).all()
    assert len(page.reasons) == len(page.rows)


def test_each_further_post_of_an_author_counts_half_down_to_a_quarter():
    posts = [Post(author=0), Post(author=0), Post(author=0), Post(author=0), Post(author=1), Post()]
    context, chronicle = asked(posts)
    scores = np.zeros(6)
    scores[chronicle.post_row] = [1.0, 0.9, 0.8, 0.8, 0.44, 0.3]
    pipe = pipeline([Names(tuple(range(6)))], scores)

    page = pipe.page(context, pipe.rank(context), 6)

    number = np.argsort(chronicle.post_row)
    assert number[page.rows[:3]].tolist() == [0, 1, 4]
    assert page.values.tolist() == [1.0, 0.45, 0.44, 0.3, 0.2, 0.2]


def test_exploration_gives_places_in_the_second_half_to_posts_that_few_have_seen():
    posts = [Post(created=float(i)) for i in range(60)]
    events = [(0, i, LIKE, 100.0 + i) for i in range(50) for _ in range(3)]
    state, chronicle = whole_state(Feed(1, posts, events).dataset())
    context = RankingContext(state, -1, 1e6)
    scores = np.zeros(60)
    scores[chronicle.post_row] = 1.0 - np.arange(60) / 60
    pipe = pipeline([Names(tuple(range(60)))], scores, PageSelector(exploration=0.1))

    page = pipe.page(context, pipe.rank(context), 20)

    explored = [place for place, reason in enumerate(page.reasons) if reason is Reason.EXPLORATION]
    assert len(explored) == 2
    assert min(explored) >= 9
    assert all(state.engagements[page.rows[place]] < 3 for place in explored)


def test_a_post_that_is_explored_for_want_of_others_is_not_shown_twice():
    posts = [Post(created=float(i)) for i in range(30)]
    events = [(0, i, LIKE, 100.0 + i) for i in range(30) if i != 18 for _ in range(3)]
    state, chronicle = whole_state(Feed(1, posts, events).dataset())
    scores = np.zeros(30)
    scores[chronicle.post_row] = 1.0 - np.arange(30) / 30
    pipe = pipeline([Names(tuple(range(30)))], scores, PageSelector(exploration=0.1))
    context = RankingContext(state, -1, 1e6)

    page = pipe.page(context, pipe.rank(context), 20)

    assert len(set(page.rows.tolist())) == 20
    assert page.reasons.count(Reason.EXPLORATION) == 1


def test_pages_too_short_for_a_whole_place_explore_as_often_as_the_share_says():
    state, chronicle = whole_state(Feed(1, [Post(created=float(i)) for i in range(60)], []).dataset())
    scores = np.zeros(60)
    scores[chronicle.post_row] = 1.0 - np.arange(60) / 60
    pipe = pipeline([Names(tuple(range(60)))], scores, PageSelector(exploration=0.04))

    explored = 0
    for hour in range(500):
        context = RankingContext(state, -1, 1e6 + 3600.0 * hour)
        page = pipe.page(context, pipe.rank(context), 10)
        explored += page.reasons.count(Reason.EXPLORATION)

    assert 150 <= explored <= 250
