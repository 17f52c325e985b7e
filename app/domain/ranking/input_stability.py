"""How far the inputs of the model are from those that it was trained on: the population stability index of each.

The index of an input is the sum over bins of (share now - share in training) * log(share now / share in training). It
is 0 if nothing changed. Below 0.1 a change is said to be small, above 0.25 large. Source: Siddiqi, "Credit Risk
Scorecards" (2006). The inputs of a feed also change with the hour and the day, so each input has a usual index too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BINS: Final = 10
RANKINGS_BETWEEN_SAMPLES: Final = 50
"""A sample of 900 candidates takes .4 ms of CPU time, so this makes it .01 ms a ranking."""
MIN_SAMPLES: Final = 100
"""Candidates of one ranking are alike, so the shares of fewer rankings are not compared."""
_MAX_SAMPLES: Final = 1000  # then all counts are halved, so that those of the past fade
_SMALLEST_SHARE: Final = 1e-3  # a bin that was empty would have an infinite index


@dataclass(frozen=True, slots=True, eq=False)
class InputDistribution:
    """The shares of the candidates' inputs in bins, at training.

    edges   (n_inputs, BINS - 1) ascending; a bin contains its upper edge
    shares  (n_inputs, BINS); each row sums to 1. Many candidates with one value leave bins empty
    usual   (n_inputs,) the largest index of a part of the training
    """

    edges: NDArray[np.float64]
    shares: NDArray[np.float64]
    usual: NDArray[np.float64]

    @classmethod
    def of(cls, parts: Sequence[NDArray[np.floating[Any]]]) -> "InputDistribution":
        """The distribution of the candidates' inputs, in bins of equal shares.

        `parts` are the inputs (n_inputs, n) of consecutive times; no part is empty.
        """
        inputs = np.concatenate(parts, axis=1).astype(np.float16).astype(np.float64)
        edges = np.quantile(inputs, np.arange(1, BINS) / BINS, axis=1).T
        counts = [bin_counts(edges, part) for part in parts]
        whole = cls(edges, sum(counts) / inputs.shape[1], np.zeros(len(edges)))
        return replace(whole, usual=np.max([whole.index(one) for one in counts], axis=0))

    def index(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n_inputs,) the index of each input, from the counts (n_inputs, BINS) of candidates in the bins."""
        now = (counts / counts.sum(axis=1, keepdims=True)).clip(_SMALLEST_SHARE)
        then = self.shares.clip(_SMALLEST_SHARE)
        index: NDArray[np.float64] = ((now - then) * np.log(now / then)).sum(axis=1)
        return index


def bin_counts(edges: NDArray[np.float64], inputs: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """(n_inputs, BINS) how many of n candidates have each input (n_inputs, n) in each bin.

    Inputs are rounded to half precision, as in the choice sets of training: a frequent value may be an edge.
    """
    rounded = inputs.astype(np.float16).astype(
        np.float32
    )  # comparing them in half precision takes twice as long
    above = np.zeros((len(edges), BINS + 1), np.int64)
    above[:, 0] = inputs.shape[1]
    above[:, 1:-1] = (rounded[:, None, :] > edges.astype(np.float32)[:, :, None]).sum(axis=2)
    counts: NDArray[np.int64] = -np.diff(above)
    return counts


class InputStability:
    """Samples the inputs of rankings. One thread records at a time; any thread may read."""

    def __init__(self, names: Sequence[str], trained: InputDistribution) -> None:
        """`names` are those of the inputs, in the order of the distribution."""
        self._names = tuple(names)
        self._trained = trained
        self._counts = np.zeros(trained.shares.shape, np.int64)
        self._rankings = 0
        self._samples = 0

    def record(self, inputs: NDArray[np.float32]) -> None:
        """Count the inputs (n_inputs, n) of one of RANKINGS_BETWEEN_SAMPLES rankings, with its n candidates."""
        self._rankings += 1
        if self._rankings % RANKINGS_BETWEEN_SAMPLES or not inputs.shape[1]:
            return
        counts = self._counts + bin_counts(self._trained.edges, inputs)
        self._samples += 1
        if self._samples >= _MAX_SAMPLES:
            counts, self._samples = counts // 2, self._samples // 2
        self._counts = counts

    def index(self) -> Mapping[str, float]:
        """The index of each input now; empty before MIN_SAMPLES samples."""
        if self._samples < MIN_SAMPLES:
            return {}
        return dict(zip(self._names, self._trained.index(self._counts).tolist(), strict=True))

    def usual(self) -> Mapping[str, float]:
        """The largest index of each input in a part of the training."""
        return dict(zip(self._names, self._trained.usual.tolist(), strict=True))
