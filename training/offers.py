"""What was on offer in the replayed past, sampled for learning."""

import mmap
from collections import deque

import numpy as np
from numpy.typing import NDArray

from app.application.feed_pipeline import FeedPipeline
from app.infrastructure.ml import features
from app.infrastructure.ml.choice_model import ChoiceModel
from app.infrastructure.ml.ranking import NoObserver, RankingOptions, ranking_pipeline
from training.fit_choice import Offers, WholeOffer
from training.learn import LearningOptions
from training.lessons import WHOLE_KEPT, Lessons
from training.replay import Moment, Replay


class OfferBook:
    """The offers of some lessons, as far as they were sampled.

    What the sources nominate is drawn at a higher rate than the rest of the catalogue, and every candidate carries the
    inverse of its rate.
    """

    def __init__(
        self, replay: Replay, lessons: Lessons, options: LearningOptions, *, shared: bool = False
    ) -> None:
        """`shared`: what a process that is forked from this one samples can be read here."""
        self.lessons = lessons
        self._options = options
        self._pipeline = _nominating(replay.options)
        self._seeds = replay.hashes(lessons.moments).tolist()
        events = replay.events
        self._known_at = events.time[lessons.requests]
        self._worth = replay.options.kind_weights()[events.kind[lessons.requests]].astype(np.float32)
        n, size = len(lessons.moments), options.candidates
        self._inputs = _zeros((n, size, len(features.names())), shared)
        self._log_weight = _zeros((n, size), shared)
        self._whole: deque[WholeOffer] = deque(maxlen=WHOLE_KEPT)

    def sample(self, lesson: int, moment: Moment) -> None:
        """Sample the offer of the moment that the lesson of this number is about."""
        random = np.random.default_rng(self._seeds[lesson])
        size = self._options.candidates
        open_ = np.zeros(moment.state.n_posts, np.bool_)
        open_[moment.eligible] = True
        open_[moment.target] = False
        nominated, _ = self._pipeline.candidates(moment.context)
        hard = nominated[open_[nominated]]
        open_[hard] = False
        rest = np.flatnonzero(open_)
        n_hard = min(len(hard), int(self._options.hard_share * size))
        n_rest = min(len(rest), size - 1 - n_hard)
        n_hard = min(len(hard), size - 1 - n_rest)
        drawn = np.concatenate(
            [
                [moment.target],
                random.choice(hard, n_hard, replace=False) if n_hard else hard[:0],
                random.choice(rest, n_rest, replace=False) if n_rest else rest[:0],
            ]
        ).astype(np.intp)
        if self.lessons.whole[lesson] and len(nominated):
            listed = np.union1d(hard, nominated[nominated == moment.target])
            rows = np.union1d(drawn, listed)
            seen = features.matrix(moment.context, rows)
            place = np.flatnonzero(listed == moment.target)
            everything = seen[:, np.searchsorted(rows, listed)].astype(np.float16)
            self._whole.append(WholeOffer(everything, int(place[0]) if len(place) else -1, lesson))
            sampled = seen[:, np.searchsorted(rows, drawn)]
        else:
            sampled = features.matrix(moment.context, drawn)
        self._inputs[lesson, : len(drawn)] = sampled.T
        log_weight = self._log_weight[lesson]
        log_weight[:] = -np.inf
        log_weight[0] = 0.0
        log_weight[1 : 1 + n_hard] = np.log(max(len(hard), 1) / max(n_hard, 1))
        log_weight[1 + n_hard : len(drawn)] = np.log(max(len(rest), 1) / max(n_rest, 1))

    def known(self, before: float = np.inf) -> int:
        """How many offers' outcomes were known strictly before a time."""
        return int((self._known_at < before).sum())

    def offers(self, before: float = np.inf) -> Offers:
        """Those whose outcome was known strictly before a time, in the order of their moments. One at least.

        All of these must have been sampled.
        """
        known = self._known_at < before
        worth = self._worth[known]
        return Offers(self._inputs[known], self._log_weight[known], worth / max(float(worth.mean()), 1e-9))

    def whole_offers(self, before: float = np.inf) -> list[WholeOffer]:
        """The newest of a few requests with everything that was on offer, their outcome known before a time."""
        return [offer for offer in self._whole if self._known_at[offer.number] < before]


def _nominating(ranking: RankingOptions) -> FeedPipeline:
    """The pipeline of a model that is still to be learned: what counts is what its sources nominate."""
    blank = np.zeros(len(features.names()))
    empty = np.zeros((len(blank), 0))
    untrained = ChoiceModel(
        features.names(), blank, blank + 1, blank, empty, np.zeros(0), np.zeros(0), np.zeros(5)
    )
    return ranking_pipeline(ranking, None, untrained, NoObserver())


def _zeros(shape: tuple[int, ...], shared: bool) -> NDArray[np.float32]:
    if not shared:
        return np.zeros(shape, np.float32)
    memory = mmap.mmap(-1, max(int(np.prod(shape)) * 4, 1))  # anonymous: a forked process writes to the same
    return np.frombuffer(memory, np.float32, int(np.prod(shape))).reshape(shape)
