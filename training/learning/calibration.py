"""Calibration: probabilities of the first places of a list that hold on requests not fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.choice_model import UNCALIBRATED, ChoiceModel, calibration_inputs

_SHOWN = 100  # places of a list that probabilities are meant for: a page, and what it may explore


@dataclass(frozen=True, slots=True, eq=False)
class FullChoiceSet:
    """All nominated candidates of one request.

    inputs  (n_features, n) in half precision
    chosen  where the chosen post is, -1 for nowhere
    number  of the sampled choice set of the same request
    """

    inputs: NDArray[np.float16]
    chosen: int
    number: int


def calibration(judged: Sequence[tuple[ChoiceModel, FullChoiceSet]]) -> NDArray[np.float64]:
    """The (3,) `ChoiceModel.calibration` that makes probabilities hold on choice sets, each with a model that was not
    fitted on it.

    What counts are the first places of each list as it would have been served: that is what is shown. Full
    choice sets, as a sampled one says too little of its strongest posts.
    """
    seen, taken = [], []
    for model, choice_set in judged:
        utility = model.utilities(choice_set.inputs.astype(np.float32))
        first = np.argsort(-utility, kind="stable")[:_SHOWN]
        total = utility.max() + np.log(np.exp(utility - utility.max()).sum())
        seen.append(calibration_inputs(utility[first] - total))
        taken.append(first == choice_set.chosen)
    outcome = np.concatenate(taken)
    if len(np.unique(outcome)) < 2:
        return UNCALIBRATED
    from sklearn.linear_model import LogisticRegression  # as in `TextSpace.fit`: it takes a second

    curve = LogisticRegression(C=10.0, max_iter=1000).fit(np.concatenate(seen), outcome)
    return np.array([curve.intercept_[0], *curve.coef_[0]])
