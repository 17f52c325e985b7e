"""The pipeline collects, filters and scores posts and selects pages."""

from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.entities import Reason
from app.domain.ranking.filters import NotExcluded, NotOwn, Published
from app.domain.ranking.page_selector import PageSelector
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import Grounds, Scored, strengths_of
from tests.support.feeds import LIKE, Feed, Post, whole_state


@dataclass(frozen=True)
class FixedSource:
    """A source that returns fixed rows."""

    rows: tuple[int, ...]
    reason: Reason = Reason.RECENT
    name: str = "names"

    def __call__(self, context):
        return np.array(self.rows, np.intp)


@dataclass(frozen=True)
class FixedScorer:
    """A scorer with a fixed score for each row; scores of at least .9 have a reason of their own."""

    scores: tuple[float, ...]

    def __call__(self, context, rows):
        values = np.array(self.scores)[rows]
        return Scored(
            values,
            lambda at: Grounds(
                [Reason.TRENDING if values[position] >= 0.9 else None for position in at],
                strengths_of({}, len(at)),
            ),
            lambda at: [{"score": float(values[position])} for position in at],
        )


@dataclass
class ObservedStages:
    names: list[str] = field(default_factory=list)

    def observe(self, stage, seconds):
        assert seconds >= 0
        self.names.append(stage)


def context_of(posts=None, user: int = -1):
    state, timeline = whole_state(Feed(2, posts or [Post(created=float(i)) for i in range(6)]).dataset())
    return RankingContext(state, user if user < 0 else int(timeline.user_row[user]), 1e6), timeline


def pipeline(sources, scores, selector=None, filters=(), stages=None):
    return FeedPipeline(
        sources,
        filters,
        FixedScorer(tuple(scores)),
        selector or PageSelector(exploration=0.0),
        stages or ObservedStages(),
    )


def test_the_inputs_of_rankings_are_recorded_and_those_of_single_posts_are_not():
    context, _ = context_of()
    recorded: list[np.ndarray] = []

    class Recorder:
        def record(self, inputs):
            recorded.append(inputs)

    def scorer(context, rows):
        return replace(FixedScorer((0.5,) * 6)(context, rows), inputs=rows[None].astype(np.float32))

    pipe = replace(pipeline([FixedSource((3, 1))], []), scorer=scorer, stability=Recorder())

    pipe.rank(context)
    pipe.rank_posts(context, np.array([2]))

    assert [inputs.tolist() for inputs in recorded] == [[[1, 3]]]


def test_posts_of_several_sources_are_listed_once_best_first():
    context, _ = context_of()
    pipe = pipeline([FixedSource((3, 1)), FixedSource((1, 5))], [0, 0.5, 0, 0.2, 0, 0.8])

    ranked = pipe.rank(context)

    assert ranked.rows.tolist() == [5, 1, 3]
    assert ranked.values.tolist() == [0.8, 0.5, 0.2]


def test_the_reason_is_the_scorers_or_else_that_of_the_first_source():
    context, _ = context_of()
    both = [FixedSource((1, 2), Reason.FOLLOWING), FixedSource((2, 3, 4), Reason.POPULAR_AUTHOR, "popular")]
    pipe = pipeline(both, [0, 0.3, 0.2, 0.1, 0.95, 0])

    ranked = pipe.rank(context)
    page = pipe.page(context, ranked, 10)

    reasons = dict(zip(page.rows.tolist(), page.reasons, strict=True))
    assert reasons == {
        4: Reason.TRENDING,
        1: Reason.FOLLOWING,
        2: Reason.FOLLOWING,
        3: Reason.POPULAR_AUTHOR,
    }
    explained = [one.get("score") for one in pipe.explain(context, ranked, np.array([4, 1, 0, 3]))]
    assert explained == [0.95, 0.3, None, 0.1]
    assert explained[:2] == [
        one["score"] for one in pipe.explain(context, ranked.truncated(4), np.array([4, 1]))
    ]


def test_filters_apply_to_the_posts_of_every_source():
    posts = [Post(author=0), Post(visible=False), Post(created=2e6), Post(author=1), Post()]
    context, timeline = context_of(posts, user=0)
    every = FixedSource(tuple(range(5)))
    pipe = pipeline([every], [0.5] * 5, filters=(Published(), NotOwn(), NotExcluded()))
    context = RankingContext(context.state, context.user, context.now, timeline.post_row[[4]])

    ranked = pipe.rank(context)

    assert ranked.rows.tolist() == [timeline.post_row[3]]


def test_scores_that_are_not_finite_rank_last_and_the_others_are_limited_to_0_and_1():
    context, _ = context_of()
    pipe = pipeline([FixedSource((0, 1, 2, 3, 4))], [np.nan, 0.4, np.inf, 7.0, -3.0, 0])

    ranked = pipe.rank(context)

    assert ranked.rows.tolist()[:2] == [3, 1]
    assert ranked.values.tolist() == [1.0, 0.4, 0.0, 0.0, 0.0]
    assert set(ranked.rows.tolist()) == {0, 1, 2, 3, 4}


def test_a_truncated_list_gives_the_same_page():
    context, _ = context_of()
    pipe = pipeline([FixedSource((0, 1, 2, 3, 4, 5))], [0.1, 0.95, 0.3, 0.2, 0.91, 0])
    ranked = pipe.rank(context)

    page, page_of_truncated = pipe.page(context, ranked, 3), pipe.page(context, ranked.truncated(6), 3)

    assert page.rows.tolist() == page_of_truncated.rows.tolist() == [1, 4, 2]
    assert page.reasons == page_of_truncated.reasons


def test_a_list_that_excludes_some_posts_keeps_the_reasons_of_the_others():
    context, _ = context_of()
    pipe = pipeline([FixedSource((0, 1, 2, 3))], [0.1, 0.95, 0.3, 0.2, 0, 0])

    rest = pipe.rank(context).excluding(np.array([2]), 6)
    page = pipe.page(context, rest, 5)

    assert page.rows.tolist() == [1, 3, 0]
    assert page.reasons == [Reason.TRENDING, Reason.RECENT, Reason.RECENT]


def test_the_time_of_every_stage_is_observed():
    context, _ = context_of()
    stages = ObservedStages()
    pipe = pipeline([FixedSource((0,))], [0.5] * 6, stages=stages)

    pipe.page(context, pipe.rank(context), 5)

    assert stages.names == ["sources", "filter", "score", "select"]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(-1, 3)), min_size=1, max_size=40),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_scores_of_a_page_never_rise_and_a_page_is_full_and_without_repeats(posts, size, exploration):
    context, timeline = context_of(
        [
            Post(float(i), author)
            for i, (_, author) in enumerate([(s, a % 2 if a >= 0 else -1) for s, a in posts])
        ]
    )
    rows = timeline.post_row
    scores = np.zeros(len(posts))
    scores[rows] = [score for score, _ in posts]
    pipe = pipeline([FixedSource(tuple(range(len(posts))))], scores, PageSelector(exploration=exploration))

    page = pipe.page(context, pipe.rank(context), size)

    assert len(page.rows) == min(size, len(posts)) == len(set(page.rows.tolist()))
    assert all(a >= b for a, b in zip(page.values[:-1], page.values[1:], strict=True))
    assert ((page.values >= 0) & (page.values <= 1)).all()
    assert len(page.reasons) == len(page.rows)


def test_each_further_post_of_an_author_counts_half_down_to_a_quarter():
    posts = [Post(author=0), Post(author=0), Post(author=0), Post(author=0), Post(author=1), Post()]
    context, timeline = context_of(posts)
    scores = np.zeros(6)
    scores[timeline.post_row] = [1.0, 0.9, 0.8, 0.8, 0.44, 0.3]
    pipe = pipeline([FixedSource(tuple(range(6)))], scores)

    page = pipe.page(context, pipe.rank(context), 6)

    number = np.argsort(timeline.post_row)
    assert number[page.rows[:3]].tolist() == [0, 1, 4]
    assert page.values.tolist() == [1.0, 0.45, 0.44, 0.3, 0.2, 0.2]


def test_exploration_gives_places_in_the_second_half_to_posts_with_few_engagements():
    posts = [Post(created=float(i)) for i in range(60)]
    events = [(0, i, LIKE, 100.0 + i) for i in range(50) for _ in range(3)]
    state, timeline = whole_state(Feed(1, posts, events).dataset())
    context = RankingContext(state, -1, 1e6)
    scores = np.zeros(60)
    scores[timeline.post_row] = 1.0 - np.arange(60) / 60
    pipe = pipeline([FixedSource(tuple(range(60)))], scores, PageSelector(exploration=0.1))

    page = pipe.page(context, pipe.rank(context), 20)

    explored = [place for place, reason in enumerate(page.reasons) if reason is Reason.EXPLORATION]
    assert len(explored) == 2
    assert min(explored) >= 9
    assert all(state.engagements[page.rows[place]] < 3 for place in explored)


def test_a_post_of_the_page_that_is_drawn_for_exploration_is_not_on_the_page_twice():
    posts = [Post(created=float(i)) for i in range(30)]
    events = [(user, i, LIKE, 100.0 + i) for i in range(30) if i != 18 for user in range(3)]
    state, timeline = whole_state(Feed(3, posts, events).dataset())
    scores = np.zeros(30)
    scores[timeline.post_row] = 1.0 - np.arange(30) / 30
    pipe = pipeline([FixedSource(tuple(range(30)))], scores, PageSelector(exploration=0.1))
    context = RankingContext(state, -1, 1e6)

    page = pipe.page(context, pipe.rank(context), 20)

    assert len(set(page.rows.tolist())) == 20
    assert page.reasons.count(Reason.EXPLORATION) == 1


def test_pages_too_short_for_a_whole_slot_explore_at_the_given_share():
    state, timeline = whole_state(Feed(1, [Post(created=float(i)) for i in range(60)], []).dataset())
    scores = np.zeros(60)
    scores[timeline.post_row] = 1.0 - np.arange(60) / 60
    pipe = pipeline([FixedSource(tuple(range(60)))], scores, PageSelector(exploration=0.04))

    explored = 0
    for hour in range(500):
        context = RankingContext(state, -1, 1e6 + 3600.0 * hour)
        page = pipe.page(context, pipe.rank(context), 10)
        explored += page.reasons.count(Reason.EXPLORATION)

    assert 150 <= explored <= 250
