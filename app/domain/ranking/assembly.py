"""The one list of the parts that rank: sources, filters, scorer and page selector."""

from app.domain.feed.state import HALF_LIVES
from app.domain.feed.time_units import HOUR
from app.domain.ranking import sources
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.filters import NotExcluded, NotMuted, NotOwn, Published, VisibleToUser
from app.domain.ranking.formula_scorer import FormulaScorer
from app.domain.ranking.interest_factor import InterestFactor
from app.domain.ranking.learned_scorer import LearnedScorer
from app.domain.ranking.newest_scorer import NewestScorer
from app.domain.ranking.not_interested import NotInterested
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.page_selector import PageSelector
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.ranking.simple_rankings import FORMULA, LEARNED, NEWEST, TRENDING_HALF_LIVES
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
    simple: str = FORMULA,
) -> FeedPipeline:
    """The pipeline of the choice model; without one, of the simple ranking of a name in SIMPLE_RANKINGS.

    The formula without a recommender ranks trending posts. Raises ValueError if `learned` has other inputs than this
    version computes.
    """
    return FeedPipeline(
        sources=[
            source
            for source in _sources(options, recommender, LEARNED if learned is not None else simple)
            if source.name not in options.exclude_sources
        ],
        filters=[Published(), NotOwn(), NotExcluded(), NotMuted(), VisibleToUser()],
        scorer=_scorer(options, recommender, learned, simple),
        selector=PageSelector(
            options.author_repeat_factor, options.author_repeat_floor, options.exploration_share
        ),
        observer=observer,
        not_interested=NotInterested(options.not_interested_factor, options.not_interested_days),
        interests=InterestFactor(options.interest_factor),
        sink=ImpressionSink(options.impression_sink_factor, options.impression_sink_hours),
    )


def _scorer(
    options: RankingOptions, recommender: Recommender | None, learned: ChoiceModel | None, simple: str
) -> Scorer:
    if learned is not None:
        return LearnedScorer(learned)
    if simple == NEWEST:
        return NewestScorer()
    if simple in TRENDING_HALF_LIVES:
        return TrendingScorer(TRENDING_HALF_LIVES[simple])
    trending = TrendingScorer(options.trending_half_life_hours * HOUR)
    return trending if recommender is None else FormulaScorer(recommender, options.formula, trending)


def _sources(options: RankingOptions, recommender: Recommender | None, ranking: str) -> list[CandidateSource]:
    limit, half, quarter = options.candidates, options.candidates // 2, options.candidates // 4
    window = 5 * limit
    half_lives = options.trending_source_half_lives_hours
    interests = sources.DeclaredInterests(_half_lives(half_lives), half, window, 20)
    fresh, catalogue = sources.Fresh(limit, window), sources.WholeCatalogue(options.whole_catalogue)
    if ranking == LEARNED:
        return [
            sources.LiveNeighbours(limit),
            sources.FavouriteTopics(half, window),
            sources.EngagedByFollowed(half, 10),
            sources.Trending(_half_lives(half_lives), half),
            fresh,
            sources.FollowedAuthors(half, 20),
            interests,
            catalogue,
        ]
    if ranking == NEWEST:
        return [fresh, interests, catalogue]
    own = options.trending_half_life_hours
    if ranking in TRENDING_HALF_LIVES:
        own = (TRENDING_HALF_LIVES[ranking] or max(HALF_LIVES)) / HOUR
    common: list[CandidateSource] = [
        sources.Trending(_half_lives((*half_lives, own)), half),
        fresh,
        sources.PopularAuthors(quarter, window),
        sources.FollowedAuthors(half, 20),
        interests,
        catalogue,
    ]
    if ranking != FORMULA or recommender is None:
        return common
    return [sources.SimilarUsers(recommender, limit), *common]


def _half_lives(hours: tuple[float, ...]) -> tuple[int, ...]:
    """Positions in HALF_LIVES of the counted half-lives nearest to `hours`, ascending, without repeats."""
    return tuple(sorted({nearest_half_life(one * HOUR) for one in hours}))
