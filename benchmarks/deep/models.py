"""The neural rankers, and the inputs of a two-tower model, as peers of a replay."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from app.domain.entities import Reason
from app.domain.ranking import user_features
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.features import Block
from app.domain.ranking.learned_scorer import LearnedScorer
from app.domain.ranking.user_features import CandidateBatch
from benchmarks.peers.peer import FeedBefore, MatrixPeer, Scores
from training.deep.live_towers import LiveTowers
from training.deep.neural_cf import NcfOptions, NeuralCf, fit_ncf
from training.deep.two_tower import MAX_HISTORY
from training.learning.candidate_sets import ChoiceSets
from training.learning.model_selection import LearningOptions, select_model
from training.replay.replay import Replay, ReplayRequest

INPUTS: Final = ("two-tower", "two-tower of newest")
_NEWEST: Final = 3
"""Events of the user that the second input reads."""


class TwoTowerInputs:
    """Two inputs of the learned model: logits of the two-tower model, by the newest 50 and the newest 3 events."""

    def __init__(self) -> None:
        self._replay: Replay | None = None
        self._towers: LiveTowers | None = None

    @contextmanager
    def registered(self) -> Iterator[None]:
        """Inside, the learned model has the inputs too."""

        @user_features.feature(*INPUTS, reason=Reason.COLLABORATIVE_FILTERING)
        def two_tower(c: CandidateBatch) -> Block:
            return self._values(c)

        try:
            yield
        finally:
            user_features.FEATURES.features.pop()

    def use(self, replay: Replay, towers: LiveTowers) -> None:
        """Compute the inputs from the events of a replay that has not started."""
        self._replay, self._towers = replay, towers

    def _values(self, c: CandidateBatch) -> Block:
        if self._replay is None or self._towers is None:
            return c.zeros(len(INPUTS))
        at = self._replay.refit_before(c.context.now)
        past = self._replay.events[: int(np.searchsorted(self._replay.events.time, at))]
        self._towers.fit(past, at, c.state)
        history = c.context.recent_events[0]
        return np.stack([self._towers.logits(c.state, history[-n:], c.rows) for n in (MAX_HISTORY, _NEWEST)])


class LearnedWith:
    """The learned model with other inputs than the service has."""

    def __init__(self, learning: LearningOptions) -> None:
        self._learning = learning
        self._model: ChoiceModel | None = None

    def fit(self, feed: FeedBefore) -> None:
        pass

    def fit_choices(self, choice_sets: ChoiceSets) -> None:
        self._model = select_model(choice_sets, (), self._learning).model

    def scores(self, request: ReplayRequest) -> Scores:
        scores = np.zeros(request.state.n_posts)
        if self._model is not None:
            utilities = LearnedScorer(self._model).utilities(request.context, request.eligible)
            scores[request.eligible] = np.exp(utilities - utilities.max(initial=-np.inf))
        return scores


class TwoTowerAlone:
    """Posts by the two-tower model alone."""

    def __init__(self, towers: LiveTowers) -> None:
        self._towers = towers

    def fit(self, feed: FeedBefore) -> None:
        self._towers.fit(feed.events, feed.at, feed.state)

    def fit_choices(self, choice_sets: ChoiceSets) -> None:
        pass

    def scores(self, request: ReplayRequest) -> Scores:
        history = request.context.recent_events[0][-MAX_HISTORY:]
        logits = self._towers.logits(request.state, history, np.arange(request.state.n_posts))
        scores: Scores = np.exp(logits - logits.max(initial=-np.inf))
        return scores


class Ncf(MatrixPeer):
    """NeuMF. It knows the users and the posts with an event before its fit; the other posts score 0."""

    _model: NeuralCf

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._options = NcfOptions(**options)

    def fit_matrix(self, matrix: Any) -> None:
        user, post = matrix.nonzero()
        self._users = np.zeros(matrix.shape[0], np.bool_)
        self._users[user] = True
        self._posts = np.zeros(matrix.shape[1], np.bool_)
        self._posts[post] = True
        self._model = fit_ncf(user, post, self._options)

    def scores(self, request: ReplayRequest) -> Scores:
        user = request.uncapped().user
        if not (0 <= user < len(self._users) and self._users[user]):
            return np.zeros(0)
        return self._model.scores(user) * self._posts
