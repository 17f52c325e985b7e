"""Trains a model: replays the feed, selects a ranker on held-out requests, and fits it on everything."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.domain.entities.model_record import ModelRecord
from app.domain.feed.timeline import FeedTimeline
from app.domain.feed.trending_posts import TrendingPosts
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.input_stability import InputDistribution
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.simple_rankings import FORMULA, LEARNED
from app.domain.ranking.user_features import EMBEDDING_FEATURES
from app.domain.repositories.feed_log import FeedSnapshot
from app.infrastructure.ml.collaborative_filter import CollaborativeFilter
from app.infrastructure.ml.content_scorer import TextSpace
from app.infrastructure.ml.embedding_projection import EmbeddingProjection
from app.infrastructure.ml.model_loader import ServedModel
from app.shared.exceptions import ConfigurationError
from app.shared.progress import Progress
from training.evaluation.acceptance import (
    SELECTABLE,
    compare,
    estimates_of,
    rejection_reasons,
    select_ranking,
)
from training.evaluation.holdout import holdout_metrics
from training.evaluation.metrics import Estimate
from training.evaluation.prequential import MAX_HELD_OUT, ReplayResult, replay_rankers
from training.evaluation.replay_workers import LOCAL_ENGINE
from training.evaluation.request_ranks import FIELD, RequestRanks
from training.evaluation.training_engine import TrainingEngine
from training.learning.calibration import FullChoiceSet
from training.learning.model_selection import FitResult, select_model
from training.learning.training_options import TrainingOptions
from training.model_config import TRAINED_UNTIL, ModelConfig
from training.preprocess import build_interaction_matrix, newest_compared
from training.replay.post_spaces import PostSpaces
from training.replay.replay import Replay

_RANKERS: Final = ("random", *SELECTABLE)
_INPUT_SETS, _INPUT_PARTS = (
    300,
    10,
)  # choice sets whose inputs are described, and their parts in order of time
_MAX_HOLDOUT_USERS: Final = 500


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A model with its metrics and configuration. It must not be published if there are `rejection_reasons`.

    `users` (n,) are those of the held-out requests, and `request_ranks` the ranks at them.
    """

    model: ServedModel
    metrics: dict[str, Any]
    config: dict[str, Any]
    selection_reason: str
    rejection_reasons: Sequence[str]
    users: NDArray[np.int32]
    request_ranks: RequestRanks

    def metrics_beside(self, records: Iterable[ModelRecord]) -> dict[str, Any]:
        """The metrics for the registry that has `records`, with the ranks and the differences to each of them."""
        differences = self.request_ranks.differences(self.users, records)
        return {**self.metrics, FIELD: self.request_ranks.to_json(), "differences": differences}


class Stopwatch:
    """Adds up the seconds of named stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._last = perf_counter()

    def lap(self, stage: str) -> None:
        """Add the time since the last call to `stage`."""
        now = perf_counter()
        self.seconds[stage] += now - self._last
        self._last = now


def train(
    feed: FeedSnapshot,
    options: TrainingOptions,
    active: ModelRecord | None,
    progress: Progress,
    stopwatch: Stopwatch,
    engine: TrainingEngine = LOCAL_ENGINE,
    spaces: PostSpaces | None = None,
) -> TrainedModel:
    """Train on a feed with interactions. `active` is the published model to compare with.

    The posts have vectors in the given spaces, or in those that are fitted on the feed. Without a projection in given
    spaces, the model reads no embeddings.

    The stages of the stopwatch are `learn` (the replay up to the split, sampling and all fits), `figures` (the owner's
    table, the replay after the split and the configuration of the active model) and `refit` (the fit on everything).
    `engine` executes the replays. Raises ChildProcessError as `replay_rankers` does.
    """
    if spaces is not None and spaces.projection is None:
        posts = replace(feed.dataset.posts, embedding=None)
        feed = replace(feed, dataset=replace(feed.dataset, posts=posts))
    replay = Replay(feed.dataset, options.ranking, seed=options.learning.seed)
    result, holdout = _evaluate(replay, options, progress, engine, stopwatch)
    users, hashes = replay.events.user[result.requests], replay.hashes(result.requests)
    del replay  # its states of the feed are as large as those of the steps below
    ranking, reason = select_ranking(result.ranks, users)
    config = ModelConfig(ranking, options)
    others = {"against_random": result.ranks["random"]}
    others |= _champion_ranks(feed, active, config, result, progress, engine)
    compared = {name: compare(result.ranks[config.ranker], ranks, users) for name, ranks in others.items()}
    comparisons = compared if len(users) else {}
    metrics: dict[str, Any] = {
        **{name: estimate.mean for name, estimate in holdout[config.ranker].items()},
        "prequential": estimates_of(result.ranks, users),
        "requests": len(users),
        **{name: asdict(comparison) for name, comparison in comparisons.items()},
    }
    stopwatch.lap("figures")
    fit: FitResult | None = None
    inputs: InputDistribution | None = None
    if config.ranker == LEARNED:
        full = result.examples.full_choice_sets()
        fit = select_model(result.examples.choice_sets(), full, options.learning)
        inputs = _input_distribution(full)
        metrics["log_likelihood"] = fit.tried
    stopwatch.lap("learn")
    progress("fit", 1, 2)
    simple = FORMULA if fit else config.ranker
    choice_model = fit.model if fit else None
    model = fit_served_model(feed, options.ranking, choice_model, metrics, simple, inputs, spaces)
    stopwatch.lap("refit")
    progress("fit", 2, 2)
    stored_config = config.to_json(fit.variant if fit else None)
    stored_config[TRAINED_UNTIL] = float(feed.dataset.events.time.max(initial=0.0))
    request_ranks = RequestRanks.of(hashes, result.ranks[config.ranker])
    return TrainedModel(
        model, metrics, stored_config, reason, rejection_reasons(comparisons), users, request_ranks
    )


def fit_served_model(
    feed: FeedSnapshot,
    ranking: RankingOptions,
    choice_model: ChoiceModel | None,
    metrics: dict[str, Any],
    simple_ranking: str = FORMULA,
    inputs: InputDistribution | None = None,
    spaces: PostSpaces | None = None,
) -> ServedModel:
    """Fit the neighbour model, and the spaces of posts unless they are given; add the trending posts.

    `simple_ranking` serves without a `choice_model`, and `inputs` is the distribution of the inputs of one.
    """
    timeline = FeedTimeline(feed.dataset, replay=False, counting=ranking.counting, limits=ranking.lists)
    text_space = TextSpace.fit(timeline.first_texts()) if spaces is None else spaces.text
    timeline.embed_texts(text_space)
    projection = None if spaces is None else spaces.projection
    embeddings = timeline.first_embeddings()
    if choice_model is None or not set(EMBEDDING_FEATURES.names()) <= set(choice_model.names):
        projection = None  # nothing would read the vectors
    elif spaces is None and embeddings is not None:
        projection = EmbeddingProjection.fit(embeddings)
    state = feed.to_state(timeline)
    events = newest_compared(timeline.events[np.flatnonzero(timeline.counted)])
    users, posts = (np.union1d(rows, [0]).astype(np.intp) for rows in (events.user, events.post))
    matrix = build_interaction_matrix(events, ranking.kind_weights(), (state.n_users, state.n_posts))
    matrix = csr_array(matrix[users][:, posts])  # without those that no event compares
    return ServedModel(
        options=ranking,
        user_keys=state.user_rows.by_row[users].tolist(),
        post_keys=state.post_rows.by_row[posts].tolist(),
        collaborative_filter=CollaborativeFilter.fit(matrix, min(ranking.neighbours, len(users))),
        text_space=text_space,
        embedding_projection=projection,
        choice_model=choice_model,
        trending=TrendingPosts.of(state),
        sizes={
            "users": state.n_users,
            "posts": state.n_posts,
            "interactions": int(state.engagements[: state.n_posts].sum()),
        },
        position=feed.position,
        figures=metrics,
        simple_ranking=simple_ranking,
        inputs=inputs,
    )


def _input_distribution(full: Sequence[FullChoiceSet]) -> InputDistribution | None:
    """The distribution of the inputs of full choice sets, which are in order of time; None if they are few."""
    inputs = [one.inputs for one in full[:: max(len(full) // _INPUT_SETS, 1)]]
    if len(inputs) < _INPUT_PARTS:
        return None
    parts = np.array_split(np.arange(len(inputs)), _INPUT_PARTS)
    return InputDistribution.of([np.concatenate([inputs[one] for one in part], axis=1) for part in parts])


def _evaluate(
    replay: Replay, options: TrainingOptions, progress: Progress, engine: TrainingEngine, stopwatch: Stopwatch
) -> tuple[ReplayResult, dict[str, dict[str, Estimate]]]:
    """Rank the held-out requests; also the owner's table of each ranking that may be published, at the same split."""
    holdout: dict[str, dict[str, Estimate]] = {}

    def measure_holdout(model: ChoiceModel | None) -> None:
        stopwatch.lap("learn")
        table = holdout_metrics(replay, SELECTABLE, model=model, at_most=_MAX_HOLDOUT_USERS)
        holdout.update(table)
        stopwatch.lap("figures")

    result = replay_rankers(
        replay,
        _RANKERS,
        options.learning,
        max_requests=MAX_HELD_OUT,
        samples_all=True,
        engine=engine,
        progress=partial(progress, "replay"),
        at_split=measure_holdout,
    )
    return result, holdout


def _champion_ranks(
    feed: FeedSnapshot,
    active: ModelRecord | None,
    challenger: ModelConfig,
    result: ReplayResult,
    progress: Progress,
    engine: TrainingEngine,
) -> dict[str, NDArray[np.int64]]:
    """`against_active`: ranks by the configuration of the active model on the requests of `result`.

    Empty if no model is active, or if it is like the challenger. Other options need a replay of their own.
    """
    try:
        champion = ModelConfig.from_json(active.config if active else {})
    except (KeyError, TypeError, ConfigurationError):
        return {}  # no model is active, or another version of the service made it
    if champion.ranks_like(challenger):
        return {}
    if ModelConfig(champion.ranker, challenger.options).ranks_like(champion):
        return {"against_active": result.ranks[champion.ranker]}
    replayed = replay_rankers(
        Replay(feed.dataset, champion.options.ranking, seed=challenger.options.learning.seed),
        [champion.ranker],
        champion.options.learning,
        max_requests=MAX_HELD_OUT,
        engine=engine,
        progress=partial(progress, "active model"),
    )
    return {"against_active": replayed.ranks[champion.ranker]}
