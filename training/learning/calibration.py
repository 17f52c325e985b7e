"""Calibration: makes the probabilities of the first posts of a list hold on requests outside the fit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.choice_model import UNCALIBRATED, ChoiceModel, calibration_inputs

_CALIBRATED_POSTS = 100  # of each list: a page, and the posts that exploration may move into it


@dataclass(frozen=True, slots=True, eq=False)
class FullChoiceSet:
    """All nominated candidates of one request.

    inputs  (n_features, n) in half precision
    chosen  position of the chosen post, -1 if it is no candidate
    number  of the sampled choice set with the same request
    """

    inputs: NDArray[np.float16]
    chosen: int
    number: int


def fit_calibration(judged: Sequence[tuple[ChoiceModel, FullChoiceSet]]) -> NDArray[np.float64]:
    """The (3,) `ChoiceModel.calibration` for choice sets, each with a model that was not fitted on it.

    It uses the first posts of each list, because those are served. It needs full choice sets, because a sample misses
    most of the strongest posts.
    """
    inputs, is_chosen = [], []
    for model, choice_set in judged:
        utility = model.utilities(choice_set.inputs.astype(np.float32))
        first = np.argsort(-utility, kind="stable")[:_CALIBRATED_POSTS]
        total = utility.max() + np.log(np.exp(utility - utility.max()).sum())
        inputs.append(calibration_inputs(utility[first] - total))
        is_chosen.append(first == choice_set.chosen)
    outcome = np.concatenate(is_chosen)
    if len(np.unique(outcome)) < 2:
        return UNCALIBRATED
    from sklearn.linear_model import LogisticRegression  # here, because the import takes a second

    curve = LogisticRegression(C=10.0, max_iter=1000).fit(np.concatenate(inputs), outcome)
    return np.array([curve.intercept_[0], *curve.coef_[0]])
