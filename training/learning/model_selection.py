"""Learning the blend: the choice model that explains best what was chosen from the choice sets of the past."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.domain.ranking import user_features
from app.domain.ranking.choice_model import ChoiceModel
from app.infrastructure.config.settings import Fraction
from training.learning.calibration import FullChoiceSet, calibration
from training.learning.candidate_sets import ChoiceSets, StandardChoiceSets, standardised
from training.learning.fit_logit import fit_choice_model, log_likelihoods

_ENOUGH_TO_CALIBRATE = 50  # full choice sets
_PARTS = 3
_SIGNALS = ("age in days", "engagement", "gravity", "heat 1h", "heat 1d", "heat 7d")
"""Inputs that order posts as the simple rankings do: newest, most popular, Hacker News', trending."""
_AT_ONCE = 2  # fits: most of one is products of matrices, which leave Python free
_MATTERS = 0.05  # log likelihood of a choice: it was thought 5 % more probable

FEWEST_REQUESTS = 200
_Ridge = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
_Units = Annotated[int, Field(ge=1, le=1024)]


@dataclass(frozen=True, slots=True)
class LearningOptions:
    """How much is sampled, and what is tried. The types carry the bounds, for those who read options from a file."""

    requests: Annotated[int, Field(ge=FEWEST_REQUESTS, le=1_000_000)] = 4000
    candidates: Annotated[int, Field(ge=10, le=10_000)] = 100  # of one request, the chosen one included
    strong_share: Fraction = 0.6  # of the candidates, drawn from what the sources name first
    hard_share: Fraction = 0.2  # from what else they name; the others from the rest of the catalogue
    ridges: Annotated[tuple[_Ridge, ...], Field(min_length=1)] = (1e-3, 1e-4)
    units: tuple[_Units, ...] = (16,)  # of a hidden layer, tried besides none
    without: tuple[str, ...] = ()  # inputs, or groups of inputs, that are left out
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A shape of the model: every input, with a hidden layer or none, or `only` one input."""

    ridge: float
    units: int = 0
    only: str | None = None

    def __str__(self) -> str:
        return f"{self.only} alone" if self.only else f"ridge {self.ridge:g}, {self.units} units"

    def fitted(
        self, choice_sets: StandardChoiceSets, seed: int, start: ChoiceModel | None = None
    ) -> ChoiceModel:
        """The model of this shape that explains the choice sets best; `start` as in `fit_choice_model`."""
        return fit_choice_model(
            user_features.names(),
            choice_sets,
            ridge=self.ridge,
            units=self.units,
            only=self.only,
            start=start,
            seed=seed,
        )


@dataclass(frozen=True, slots=True)
class FitResult:
    """The model, refitted on every choice set, and what it was chosen by: mean log likelihood on the last fifth."""

    model: ChoiceModel
    variant: ModelSpec
    tried: dict[str, float]


def select_model(
    choice_sets: ChoiceSets, full: Sequence[FullChoiceSet], options: LearningOptions
) -> FitResult:
    """Fit each variant on the first four fifths, take the one that explains the last fifth best, refit it on all.

    A single signal is taken before a blend that is not better by one standard error of the difference (the rule of
    Breiman et al. 1984, section 3.4.3), or by so little that it does not matter: where nothing else counts, the noise
    of many weights costs places at the top of the list long before it shows in the likelihood.
    """
    cut = int(0.8 * len(choice_sets))
    left_out = user_features.excluded(options.without)
    everything = standardised(choice_sets, left_out)
    early, late = everything[:cut], everything[cut:]
    explained: dict[ModelSpec, NDArray[np.float32]] = {}

    def tried(variant: ModelSpec, start: ChoiceModel | None = None) -> ChoiceModel:
        model = variant.fitted(early, options.seed, start)
        explained[variant] = log_likelihoods(model, late)
        return model

    def best_of(variants: Iterable[ModelSpec]) -> ModelSpec:
        return max(variants, key=lambda variant: float(explained[variant].mean()))

    blends: dict[ModelSpec, ChoiceModel] = {}
    for ridge in options.ridges:
        variant = ModelSpec(ridge)
        blends[variant] = tried(variant, blends[best_of(blends)] if blends else None)
    linear = best_of(blends)
    layers = [ModelSpec(linear.ridge, units) for units in options.units]
    used = {name for name, out in zip(user_features.names(), left_out, strict=True) if not out}
    signals = [ModelSpec(linear.ridge, only=name) for name in _SIGNALS if name in used]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        models = list(
            pool.map(lambda one: tried(one, None if one.only else blends[linear]), layers + signals)
        )
    blends |= zip(layers, models, strict=False)
    chosen = best_of(blends)
    if signals:
        signal = best_of(signals)
        better = explained[chosen] - explained[signal]
        if better.mean() < max(better.std() / np.sqrt(len(late)), _MATTERS):
            chosen = signal
    final = _refitted(everything, full, chosen, options.seed, blends.get(chosen))
    return FitResult(final, chosen, {str(one): float(explained[one].mean()) for one in [*blends, *signals]})


def _refitted(
    choice_sets: StandardChoiceSets,
    full: Sequence[FullChoiceSet],
    variant: ModelSpec,
    seed: int,
    start: ChoiceModel | None,
) -> ChoiceModel:
    """The model of a shape that explains all choice sets best, calibrated if there are enough full ones.

    What to correct probabilities by is told by models that had not seen the requests they are judged on: each third of
    the time by one that was fitted on the two others.
    """
    every = np.arange(len(choice_sets))
    thirds = np.array_split(every, _PARTS) if len(full) >= _ENOUGH_TO_CALIBRATE else []

    def fitted(left_out: NDArray[np.intp]) -> ChoiceModel:
        return variant.fitted(
            choice_sets[np.delete(every, left_out)] if len(left_out) else choice_sets, seed, start
        )

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        final, *models = pool.map(fitted, [every[:0], *thirds])
    if not models:
        return final
    judged = [
        (model, choice_set)
        for model, third in zip(models, thirds, strict=True)
        for choice_set in full
        if third[0] <= choice_set.number <= third[-1]
    ]
    return replace(final, calibration=calibration(judged))
