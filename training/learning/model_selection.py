"""Selects the shape of the choice model that gives the best likelihood on recent choices."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.domain.ranking import user_features
from app.domain.ranking.choice_model import ChoiceModel
from app.infrastructure.config.setting_types import Fraction
from training.learning.calibration import FullChoiceSet, fit_calibration
from training.learning.candidate_sets import ChoiceSets, StandardChoiceSets, standardise
from training.learning.fit_logit import fit_choice_model, log_likelihoods

_MIN_CALIBRATION_SETS = 50
_CALIBRATION_FOLDS = 3
_SIGNALS = ("age in days", "engagement", "gravity", "heat 1h", "heat 1d", "heat 7d")
"""Inputs that order posts as the simple rankers do: newest, popular, Hacker News, trending."""
_FIT_THREADS = 2  # a fit consists of matrix products, which release the interpreter lock
_MIN_GAIN = 0.05  # of the mean log likelihood: the chosen post is 5 % more probable

MIN_REQUESTS = 200
_Ridge = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
_Units = Annotated[int, Field(ge=1, le=1024)]


@dataclass(frozen=True, slots=True)
class LearningOptions:
    """The sizes of the samples, and the shapes to try. The types hold the bounds of values from a file."""

    requests: Annotated[int, Field(ge=MIN_REQUESTS, le=1_000_000)] = 4000
    candidates: Annotated[int, Field(ge=10, le=10_000)] = 100  # of one request, with the chosen one
    strong_share: Fraction = 0.6  # of the candidates, drawn from the top of the sources
    hard_share: Fraction = 0.2  # drawn from their other nominations; the rest from other posts
    ridges: Annotated[tuple[_Ridge, ...], Field(min_length=1)] = (1e-3, 1e-4)
    units: tuple[_Units, ...] = (16,)  # sizes of a hidden layer to try, in addition to none
    without: tuple[str, ...] = ()  # inputs, or groups of inputs, to exclude
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A shape of the model: all inputs, with `units` hidden units or none, or `only` one input."""

    ridge: float
    units: int = 0
    only: str | None = None

    def __str__(self) -> str:
        return f"{self.only} alone" if self.only else f"ridge {self.ridge:g}, {self.units} units"

    def fit(
        self, choice_sets: StandardChoiceSets, seed: int, start: ChoiceModel | None = None
    ) -> ChoiceModel:
        """The most likely model of this shape; `start` as in `fit_choice_model`."""
        return fit_choice_model(choice_sets.names, choice_sets, **asdict(self), start=start, seed=seed)


@dataclass(frozen=True, slots=True)
class FitResult:
    """The model, fitted on all choice sets, and the mean log likelihood of each tried shape on the last fifth."""

    model: ChoiceModel
    variant: ModelSpec
    tried: dict[str, float]


def select_model(
    choice_sets: ChoiceSets, full: Sequence[FullChoiceSet], options: LearningOptions
) -> FitResult:
    """Fit each shape on the first four fifths, select the best on the last fifth, and fit it on all choice sets.

    A single signal is preferred to a blend that is not better by one standard error of the difference (Breiman et al.
    1984, section 3.4.3) or by `_MIN_GAIN`. If one signal explains the choices, the noise of many weights harms the top
    of the list before it shows in the likelihood.
    """
    names = choice_sets.names
    excluded = user_features.excluded(options.without, names)
    everything = standardise(choice_sets, excluded)
    trials = _Trials(everything, options.seed)
    for ridge in options.ridges:
        trials.fit(ModelSpec(ridge), trials.best() if trials.models else None)
    linear = trials.best()
    layers = [ModelSpec(linear.ridge, units) for units in options.units]
    used = np.array(names)[~excluded]
    signals = [ModelSpec(linear.ridge, only=name) for name in _SIGNALS if name in used]
    with ThreadPoolExecutor(_FIT_THREADS) as pool:
        list(pool.map(lambda spec: trials.fit(spec, None if spec.only else linear), layers + signals))
    blends = [*map(ModelSpec, options.ridges), *layers]
    selected = trials.best(blends)
    if signals:
        signal = trials.best(signals)
        gain = trials.likelihoods[selected] - trials.likelihoods[signal]
        if gain.mean() < max(gain.std() / np.sqrt(len(gain)), _MIN_GAIN):
            selected = signal
    start = None if selected.only else trials.models[selected]
    final = _fit_final(everything, full, selected, options.seed, start)
    means = {str(spec): trials.mean(spec) for spec in dict.fromkeys([*blends, *signals])}
    return FitResult(final, selected, means)


class _Trials:
    """Models that are fitted on the first four fifths of choice sets, and their likelihoods on the last fifth."""

    def __init__(self, choice_sets: StandardChoiceSets, seed: int) -> None:
        cut = int(0.8 * len(choice_sets))
        self._early, self._late = choice_sets[:cut], choice_sets[cut:]
        self._seed = seed
        self.models: dict[ModelSpec, ChoiceModel] = {}
        self.likelihoods: dict[ModelSpec, NDArray[np.float32]] = {}

    def fit(self, spec: ModelSpec, start: ModelSpec | None) -> None:
        """Fit a shape, starting from the model of another one."""
        model = spec.fit(self._early, self._seed, None if start is None else self.models[start])
        self.likelihoods[spec] = log_likelihoods(model, self._late)
        self.models[spec] = model

    def mean(self, spec: ModelSpec) -> float:
        """The mean log likelihood of a shape on the last fifth."""
        return float(self.likelihoods[spec].mean())

    def best(self, specs: Iterable[ModelSpec] | None = None) -> ModelSpec:
        """The shape with the largest mean log likelihood, of some shapes or of all."""
        return max(self.models if specs is None else specs, key=self.mean)


def _fit_final(
    choice_sets: StandardChoiceSets,
    full: Sequence[FullChoiceSet],
    spec: ModelSpec,
    seed: int,
    start: ChoiceModel | None,
) -> ChoiceModel:
    """Fit a shape on all choice sets, and calibrate it if there are enough full ones.

    Calibration needs models that were not fitted on the choice sets that they are judged on. So each third of the
    choice sets is judged by a model of the two others.
    """
    every = np.arange(len(choice_sets))
    folds = np.array_split(every, _CALIBRATION_FOLDS) if len(full) >= _MIN_CALIBRATION_SETS else []

    def fit_without(fold: NDArray[np.intp]) -> ChoiceModel:
        rest = choice_sets[np.delete(every, fold)] if len(fold) else choice_sets
        return spec.fit(rest, seed, start)

    with ThreadPoolExecutor(_FIT_THREADS) as pool:
        final, *models = pool.map(fit_without, [every[:0], *folds])
    if not models:
        return final
    judged = [
        (model, choice_set)
        for model, fold in zip(models, folds, strict=True)
        for choice_set in full
        if fold[0] <= choice_set.number <= fold[-1]
    ]
    return replace(final, calibration=fit_calibration(judged))
