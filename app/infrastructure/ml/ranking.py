"""The one list of what ranks: sources, filters, scorer and selector, as served, evaluated and learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.application.feed_pipeline import FeedPipeline
from app.domain.entities import INTERACTION_TYPES, InteractionType
from app.domain.feed.state import HALF_LIVES
from app.domain.services.candidate_source import CandidateSource
from app.domain.services.scorer import Scorer
from app.domain.services.stage_observer import StageObserver
from app.infrastructure.ml import sources
from app.infrastructure.ml.choice_model import ChoiceModel
from app.infrastructure.ml.filters import NotBarred, NotOwn, Published
from app.infrastructure.ml.formula_scorer import FormulaScorer, FormulaWeights, TrendingScorer
from app.infrastructure.ml.learned_scorer import LearnedScorer
from app.infrastructure.ml.page_selector import PageSelector
from app.infrastructure.ml.recommender_interface import Recommender

_WEIGHTS: Mapping[InteractionType, float] = {"view": 1, "click": 2, "like": 5, "comment": 7, "share": 10}


@dataclass(frozen=True, slots=True)
class RankingOptions:
    """What can be set about ranking; travels in the artefact, so that a model serves as it was evaluated."""

    interaction_weights: Mapping[InteractionType, float] = field(default_factory=lambda: dict(_WEIGHTS))
    formula: FormulaWeights = field(default_factory=FormulaWeights)
    neighbours: int = 10
    trending_half_life_hours: float = 24.0
    author_repeat_factor: float = 0.5
    author_repeat_floor: float = 0.25
    exploration_share: float = 0.04
    whole_catalogue: int = 1000  # with no more posts than this, each is a candidate
    candidates: int = 100  # of the larger sources; the smaller ones name a part of it
    trending_source_half_lives_hours: tuple[float, ...] = (1.0, 24.0, 720.0)
    exclude_sources: tuple[str, ...] = ()  # names of candidate sources that are not asked

    def kind_weights(self) -> NDArray[np.float64]:
        """(5,) weights in the order of INTERACTION_TYPES."""
        return np.array([self.interaction_weights[kind] for kind in INTERACTION_TYPES], np.float64)


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
        filters=[Published(), NotOwn(), NotBarred()],
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
    everything = sources.SmallCatalogue(options.whole_catalogue)
    if learned:
        return [
            sources.LiveNeighbours(many),
            sources.FavouriteTopics(some, window),
            sources.FollowedTastes(some, 10),
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
