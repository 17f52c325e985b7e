"""Learning the blend: offers sampled from the replayed past, and the choice model that explains them best."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.application.feed_pipeline import FeedPipeline
from app.infrastructure.ml import features
from app.infrastructure.ml.choice_model import ChoiceModel
from app.infrastructure.ml.ranking import NoObserver, RankingOptions, ranking_pipeline
from training.fit_choice import (
    Offers,
    WholeOffer,
    calibrated,
    fit_choice_model,
    mean_log_likelihood,
    standardised,
)
from training.replay import Moment

_ENOUGH_TO_CALIBRATE = 50  # whole offers
WHOLE_EVERY, WHOLE_KEPT = 2, 400  # every second request, the last ones: each takes a quarter of a megabyte


@dataclass(frozen=True, slots=True)
class LearningOptions:
    """How much is sampled, and what is tried."""

    requests: int = 4000
    candidates: int = 100  # of one request, the chosen one included
    hard_share: float = (
        0.6  # of the candidates, drawn from what the sources nominate; the others from the rest
    )
    ridges: tuple[float, ...] = (1e-3, 1e-4)
    units: tuple[int, ...] = (16,)  # of a hidden layer, tried besides none
    seed: int = 0


class OfferSampler:
    """Turns moments into offers. What the sources nominate is drawn at a higher rate than the rest of the catalogue,
    and every candidate carries the inverse of its rate."""

    def __init__(self, ranking: RankingOptions, options: LearningOptions) -> None:
        self._options = options
        blank = np.zeros(len(features.names()))
        empty = np.zeros((len(blank), 0))
        untrained = ChoiceModel(
            features.names(), blank, blank + 1, blank, empty, np.zeros(0), np.zeros(0), np.zeros(5)
        )
        self._pipeline: FeedPipeline = ranking_pipeline(ranking, None, untrained, NoObserver())
        self._known_at: list[float] = []
        self._whole: deque[tuple[float, WholeOffer]] = deque(maxlen=WHOLE_KEPT)
        self._worth: list[float] = []
        self._inputs: list[NDArray[np.float32]] = []
        self._log_weight: list[NDArray[np.float32]] = []

    def __len__(self) -> int:
        return len(self._inputs)

    def add(self, moment: Moment, known_at: float, worth: float, seed: int, *, whole: bool) -> None:
        """Sample the offer of one moment, whose outcome, an action of that worth, is known from `known_at` on.

        `whole`: keep everything that was on offer as well (see `lessons`).
        """
        random = np.random.default_rng(seed)
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
        listed = np.union1d(hard, nominated[nominated == moment.target]) if whole else hard[:0]
        rows = np.union1d(drawn, listed) if len(listed) else drawn
        seen = features.matrix(moment.context, rows)
        sampled = seen
        if len(listed):
            sampled = seen[:, np.searchsorted(rows, drawn)]
            everything = seen[:, np.searchsorted(rows, listed)].astype(np.float16)
            place = np.flatnonzero(listed == moment.target)
            offer = WholeOffer(everything, int(place[0]) if len(place) else -1, len(self))
            self._whole.append((known_at, offer))
        inputs = np.zeros((size, len(seen)), np.float32)
        inputs[: len(drawn)] = sampled.T
        log_weight = np.full(size, -np.inf, np.float32)
        log_weight[0] = 0.0
        log_weight[1 : 1 + n_hard] = np.log(max(len(hard), 1) / max(n_hard, 1))
        log_weight[1 + n_hard : len(drawn)] = np.log(max(len(rest), 1) / max(n_rest, 1))
        self._known_at.append(known_at)
        self._worth.append(worth)
        self._inputs.append(inputs)
        self._log_weight.append(log_weight)

    def known(self, before: float = np.inf) -> int:
        """How many offers' outcomes were known strictly before a time."""
        return sum(at < before for at in self._known_at)

    def offers(self, before: float = np.inf) -> Offers:
        """Those whose outcome was known strictly before a time, in the order of their moments. One at least."""
        known = [i for i, at in enumerate(self._known_at) if at < before]
        worth = np.array([self._worth[i] for i in known], np.float32)
        return Offers(
            np.stack([self._inputs[i] for i in known]),
            np.stack([self._log_weight[i] for i in known]),
            worth / max(float(worth.mean()), 1e-9),
        )

    def whole_offers(self, before: float = np.inf) -> list[WholeOffer]:
        """The newest of a few requests with everything that was on offer, their outcome known before a time."""
        return [offer for known_at, offer in self._whole if known_at < before]


@dataclass(frozen=True, slots=True)
class Learned:
    """The model, refitted on every offer, and what it was chosen by: mean log likelihood on the last fifth."""

    model: ChoiceModel
    ridge: float
    units: int
    tried: dict[str, float]


def learn(offers: Offers, whole: Sequence[WholeOffer], options: LearningOptions) -> Learned:
    """Fit each variant on the first four fifths, take the one that explains the last fifth best, refit it on all."""
    cut = int(0.8 * len(offers))
    everything = standardised(offers)
    early, late = everything[:cut], everything[cut:]
    tried: dict[str, float] = {}
    best: tuple[float, float, int, ChoiceModel | None] = (-np.inf, options.ridges[0], 0, None)
    for ridge, units in [
        *((ridge, 0) for ridge in options.ridges),
        *((0.0, units) for units in options.units),
    ]:
        ridge = ridge or best[1]
        model = fit_choice_model(
            features.names(), early, ridge=ridge, start=best[3], units=units, seed=options.seed
        )
        likelihood = tried[f"ridge {ridge:g}, {units} units"] = mean_log_likelihood(model, late)
        if likelihood > best[0]:
            best = (likelihood, ridge, units, model)
    _, ridge, units, judged = best
    final = fit_choice_model(
        features.names(), everything, ridge=ridge, start=judged, units=units, seed=options.seed
    )
    unseen = [offer for offer in whole if offer.number >= cut]
    if judged is not None and len(unseen) >= _ENOUGH_TO_CALIBRATE:
        final = replace(final, calibration=calibrated(judged, unseen).calibration)
    return Learned(final, ridge, units, tried)
