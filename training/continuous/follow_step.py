"""One step of continuous training on a live feed: from the log to weights that may be published."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.domain.entities import INTERACTION_TYPES, InteractionType
from app.domain.feed.dataset import FeedDataset
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.options import RankingOptions
from app.shared.exceptions import ConfigurationError
from training.continuous.continuous_training import MAX_STEP, ContinuousOptions, ContinuousTraining
from training.continuous.request_stream import RequestStream, requests_around
from training.evaluation.acceptance import Comparison
from training.evaluation.replay_job import Progress
from training.evaluation.training_engine import TrainingEngine
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay

MAX_SCORED: Final = 6000
"""Requests since the serving weights learned that a step scores, the newest ones: they bound its time."""


@dataclass(frozen=True, slots=True, eq=False)
class FollowStep:
    """The result of a step.

    requests       scored requests
    counted        those of them that count for a promotion
    comparison     the candidate against the serving weights; None without a counted request
    promoted       the weights to publish; None if the step keeps collecting
    trained_until  the time in seconds of the newest event that they learned from
    targets        the types of events that are requests
    """

    requests: int
    counted: int
    comparison: Comparison | None
    promoted: ChoiceModel | None
    trained_until: float
    targets: Sequence[InteractionType]


def follow(
    dataset: FeedDataset,
    ranking: RankingOptions,
    serving: ChoiceModel,
    trained_until: float,
    options: ContinuousOptions,
    engine: TrainingEngine,
    progress: Progress = lambda _done, _total: None,
    step: int = MAX_STEP,
) -> FollowStep:
    """Follow the requests after `trained_until` (seconds), which the `serving` weights have not learned from.

    It ends with the first promotion. It depends on the log and the serving weights alone, so a trainer that was
    stopped continues where it was.

    Raises ConfigurationError if the feed has other inputs than the serving weights.
    """
    replay = Replay(dataset, ranking, test_from=float(np.nextafter(trained_until, np.inf)), seed=options.seed)
    targets = [INTERACTION_TYPES[kind] for kind in sorted(replay.targets)]
    learning = LearningOptions(requests=options.older, seed=options.seed)
    sample, newest, scored = requests_around(replay, learning, options.newest)
    if not len(scored):
        return FollowStep(0, 0, None, None, trained_until, targets)
    rows = np.unique(np.concatenate([sample, newest, scored[-MAX_SCORED:]]))
    stream = RequestStream(replay, rows, replay.test_from, learning)
    if stream.input_names != serving.names:
        raise ConfigurationError(
            "the feed has other inputs than the active model, which was trained with or without pages; "
            "run training.train"
        )
    training, n_scored = ContinuousTraining(serving, stream, options), 0
    until = trained_until
    for block in stream.blocks(step, (), engine, progress):
        training.score(block.requests, block.full)
        n_scored += len(block.requests)
        if len(block.requests):
            until = float(stream.times[block.requests[-1]])
        training.learn(block.known.tolist())
        counted = len(training.ranks)
        if len(block.requests) and (promoted := training.promote_if_better()) is not None:
            return FollowStep(n_scored, counted, promoted, training.serving, until, targets)
    comparison = training.ranks.comparison() if len(training.ranks) else None
    return FollowStep(n_scored, len(training.ranks), comparison, None, until, targets)
