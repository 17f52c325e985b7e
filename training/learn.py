"""Learning the blend: the choice model that explains best what was chosen from the offers of the past."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.infrastructure.ml import features
from app.infrastructure.ml.choice_model import ChoiceModel
from training.fit_choice import (
    Offers,
    StandardOffers,
    WholeOffer,
    calibration,
    fit_choice_model,
    mean_log_likelihood,
    standardised,
)

_ENOUGH_TO_CALIBRATE = 50  # whole offers
_PARTS = 3


@dataclass(frozen=True, slots=True)
class LearningOptions:
    """How much is sampled, and what is tried."""

    requests: int = 4000
    candidates: int = 100  # of one request, the chosen one included
    strong_share: float = 0.6  # of the candidates, drawn from what the sources name first
    hard_share: float = 0.2  # from what else they name; the others from the rest of the catalogue
    ridges: tuple[float, ...] = (1e-3, 1e-4)
    units: tuple[int, ...] = (16,)  # of a hidden layer, tried besides none
    without: tuple[str, ...] = ()  # beginnings of the names of inputs that are left out
    seed: int = 0


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
    left_out = np.array([name.startswith(options.without) for name in features.names()])
    everything = standardised(offers, left_out)
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
    _, ridge, units, chosen = best
    final = fit_choice_model(
        features.names(), everything, ridge=ridge, start=chosen, units=units, seed=options.seed
    )
    if len(whole) >= _ENOUGH_TO_CALIBRATE:
        final = replace(final, calibration=_calibration(everything, whole, final, ridge, units, options.seed))
    return Learned(final, ridge, units, tried)


def _calibration(
    offers: StandardOffers,
    whole: Sequence[WholeOffer],
    start: ChoiceModel,
    ridge: float,
    units: int,
    seed: int,
) -> NDArray[np.float64]:
    """What to correct probabilities by, told by models that had not seen the requests they are judged on: each third
    of the time by one that was fitted on the two others."""
    thirds = np.array_split(np.arange(len(offers)), _PARTS)

    def fitted_without(third: NDArray[np.intp]) -> ChoiceModel:
        others = offers[np.delete(np.arange(len(offers)), third)]
        return fit_choice_model(features.names(), others, ridge=ridge, start=start, units=units, seed=seed)

    with ThreadPoolExecutor(2) as pool:  # most of it is products of matrices, which leave Python free
        models = list(pool.map(fitted_without, thirds))
    judged = [
        (model, offer)
        for model, third in zip(models, thirds, strict=True)
        for offer in whole
        if third[0] <= offer.number <= third[-1]
    ]
    return calibration(judged)
