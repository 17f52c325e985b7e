"""The one list of what ranks: sources, filters, scorer and selector, as served, evaluated and learned from."""

from collections.abc import Sequence

import numpy as np

from app.domain.feed.state import HALF_LIVES
from app.domain.ranking import sources
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.filters import NotExcluded, NotOwn, Published
from app.domain.ranking.formula_scorer import FormulaScorer
from app.domain.ranking.learned_scorer import LearnedScorer
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.page_selector import PageSelector
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.ranking.trending_scorer import TrendingScorer
from app.domain.services.candidate_source import CandidateSource
from app.domain.services.recommender_interface import Recommender
from app.domain.services.scorer_interface import Scorer
from app.domain.services.stage_observer import StageObserver


class NoObserver:
    """A StageObserver for whoever does not measure."""

    def observe(self, stage: str, seconds: float) -> None:
        """Measures nothing."""


def ranking_pipeline(
    options: RankingOptions,
    recommender: Recommender | None,
    learned: ChoiceModel | None,
    observer: StageObserver,
) -> FeedPipeline:
    """Ranks by the choice model if there is one, else by the formula if there is a recommender, else by trending."""
    trending = TrendingScorer(options.trending_half_life_hours * 3600)
    scorer: Scorer = trending
    if learned is not None:
        scorer = LearnedScorer(learned)
    elif recommender is not None:
        scorer = FormulaScorer(recommender, options.formula, trending)
    return FeedPipeline(
        sources=[
            source
            for source in _sources(options, recommender, learned is not None)
            if source.name not in options.exclude_sources
        ],
        filters=[Published(), NotOwn(), NotExcluded()],
        scorer=scorer,
        selector=PageSelector(
            options.author_repeat_factor, options.author_repeat_floor, options.exploration_share
        ),
        observer=observer,
    )


def _counted_half_lives(hours: Sequence[float]) -> tuple[int, ...]:
    """Positions in HALF_LIVES of the counted half-lives nearest to `hours`, each once, ascending."""
    counted = np.log(np.array(HALF_LIVES))
    return tuple(sorted({int(np.abs(counted - np.log(one * 3600)).argmin()) for one in hours}))


def _sources(
    options: RankingOptions, recommender: Recommender | None, learned: bool
) -> list[CandidateSource]:
    many, some, few = options.candidates, options.candidates // 2, options.candidates // 4
    window = 5 * many
    half_lives = options.trending_source_half_lives_hours
    everything = sources.WholeCatalogue(options.whole_catalogue)
    if learned:
        return [
            sources.LiveNeighbours(many),
            sources.FavouriteTopics(some, window),
            sources.EngagedByFollowed(some, 10),
            sources.Trending(_counted_half_lives(half_lives), some),
            sources.Fresh(many),
            sources.FollowedAuthors(some, 20),
            everything,
        ]
    common: list[CandidateSource] = [
        sources.Trending(_counted_half_lives((*half_lives, options.trending_half_life_hours)), some),
        sources.Fresh(many),
        sources.PopularAuthors(few, window),
        sources.FollowedAuthors(some, 20),
        everything,
    ]
    return common if recommender is None else [sources.SimilarUsers(recommender, many), *common]
