"""Features: named inputs of the learned scorer, computed in groups by registered functions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import EvidenceKind, Reason

Block = NDArray[np.floating[Any]]
"""(n_inputs, n_posts) the values of one feature, a row for each of its inputs."""
Batch = TypeVar("Batch")
Compute = Callable[[Batch], Block]


@dataclass(frozen=True, slots=True)
class Feature(Generic[Batch]):
    """A group of inputs that one function computes.

    names    the inputs, in the order of the rows that `compute` returns
    compute  returns the block of a batch of posts
    reason   the reason to show a post whose score comes from these inputs; None: the reason of the post's source
    evidence what such a post shows to users if it is true of the post; None: no fact belongs to these inputs
    """

    names: tuple[str, ...]
    compute: Compute[Batch]
    reason: Reason | None
    evidence: EvidenceKind | None = None


class FeatureSet(Generic[Batch]):
    """The features of one kind of batch, in the order of their registration."""

    def __init__(self) -> None:
        self.features: list[Feature[Batch]] = []

    def register(
        self, *names: str, reason: Reason | None, evidence: EvidenceKind | None = None
    ) -> Callable[[Compute[Batch]], Compute[Batch]]:
        """Decorator that adds a function as the feature of the inputs `names`.

        `reason` and `evidence` are returned with a post whose score comes most from these inputs (see `Feature`).
        """

        def add(compute: Compute[Batch]) -> Compute[Batch]:
            self.features.append(Feature(names, compute, reason, evidence))
            return compute

        return add

    def names(self) -> tuple[str, ...]:
        """The names of all inputs, in the order of `blocks`."""
        return tuple(name for feature in self.features for name in feature.names)

    def reasons(self) -> tuple[Reason | None, ...]:
        """The reason of each input."""
        return tuple(feature.reason for feature in self.features for _ in feature.names)

    def evidence(self) -> tuple[EvidenceKind | None, ...]:
        """The evidence of each input."""
        return tuple(feature.evidence for feature in self.features for _ in feature.names)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """The inputs of each feature, by the name of its function."""
        return {feature.compute.__name__: feature.names for feature in self.features}

    def blocks(self, batch: Batch) -> list[Block]:
        """The values of every feature for a batch of n posts, each (n_inputs, n)."""
        return [feature.compute(batch) for feature in self.features]
