"""The one list of the parts that rank: sources, filters, scorer and page selector."""

from app.domain.feed.time_units import HOUR
from app.domain.ranking import sources
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.filters import NotExcluded, NotMuted, NotOwn, Published, VisibleToUser
from app.domain.ranking.formula_scorer import FormulaScorer
from app.domain.ranking.learned_scorer import LearnedScorer
from app.domain.ranking.not_interested import NotInterested
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.page_selector import PageSelector
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.ranking.sink import ImpressionSink
from app.domain.ranking.trending_scorer import TrendingScorer, nearest_half_life
from app.domain.services.candidate_source import CandidateSource
from app.domain.services.recommender_interface import Recommender
from app.domain.services.scorer_interface import Scorer
from app.domain.services.stage_observer import StageObserver


class NoObserver:
    """A StageObserver that ignores every measurement."""

    def observe(self, stage: str, seconds: float) -> None:
        """Does nothing."""


def ranking_pipeline(
    options: RankingOptions,
    recommender: Recommender | None,
    learned: ChoiceModel | None,
    observer: StageObserver,
) -> FeedPipeline:
    """The pipeline of the choice model; without one, of the formula; without a recommender either, of trending posts.

    Raises ValueError if `learned` has other inputs than this version computes.
    """
    trending = TrendingScorer(options.trending_half_life_hours * HOUR)
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
        filters=[Published(), NotOwn(), NotExcluded(), NotMuted(), VisibleToUser()],
        scorer=scorer,
        selector=PageSelector(
            options.author_repeat_factor, options.author_repeat_floor, options.exploration_share
        ),
        observer=observer,
        not_interested=NotInterested(options.not_interested_factor, options.not_interested_days),
        sink=ImpressionSink(options.impression_sink_factor, options.impression_sink_hours),
    )


def _sources(
    options: RankingOptions, recommender: Recommender | None, learned: bool
) -> list[CandidateSource]:
    limit, half, quarter = options.candidates, options.candidates // 2, options.candidates // 4
    window = 5 * limit
    half_lives = options.trending_source_half_lives_hours
    catalogue = sources.WholeCatalogue(options.whole_catalogue)
    if learned:
        return [
            sources.LiveNeighbours(limit),
            sources.FavouriteTopics(half, window),
            sources.EngagedByFollowed(half, 10),
            sources.Trending(_half_lives(half_lives), half),
            sources.Fresh(limit),
            sources.FollowedAuthors(half, 20),
            catalogue,
        ]
    common: list[CandidateSource] = [
        sources.Trending(_half_lives((*half_lives, options.trending_half_life_hours)), half),
        sources.Fresh(limit),
        sources.PopularAuthors(quarter, window),
        sources.FollowedAuthors(half, 20),
        catalogue,
    ]
    return common if recommender is None else [sources.SimilarUsers(recommender, limit), *common]


def _half_lives(hours: tuple[float, ...]) -> tuple[int, ...]:
    """Positions in HALF_LIVES of the counted half-lives nearest to `hours`, ascending, without repeats."""
    return tuple(sorted({nearest_half_life(one * HOUR) for one in hours}))
