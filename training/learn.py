"""Learning the blend: the choice model that explains best what was chosen from the offers of the past."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.infrastructure.ml import features
from app.infrastructure.ml.choice_model import ChoiceModel
from training.fit_choice import (
    Offers,
    WholeOffer,
    calibrated,
    fit_choice_model,
    mean_log_likelihood,
    standardised,
)

_ENOUGH_TO_CALIBRATE = 50  # whole offers


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
