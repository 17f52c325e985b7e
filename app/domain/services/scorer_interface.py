"""Port: scores candidates for one user at one time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.domain.entities import EvidenceKind, Reason
from app.domain.services.ranking_context import RankingContext

Rows = NDArray[np.intp]
CLAIMED_KINDS: Final = tuple(kind for kind in EvidenceKind if kind is not EvidenceKind.NEW_FROM_READ_AUTHOR)
"""Kinds of evidence that scorers give a strength. NEW_FROM_READ_AUTHOR combines two of them."""
Strengths = NDArray[np.floating[Any]]
"""(n, len(CLAIMED_KINDS)) how much each kind raises the score of each post; one of 0 or less is no evidence."""


def strengths_of(by_kind: Mapping[EvidenceKind, ArrayLike], n_posts: int) -> Strengths:
    """The strengths of `n_posts` posts from (n_posts,) values, or one value for all, of some of CLAIMED_KINDS."""
    strengths = np.zeros((n_posts, len(CLAIMED_KINDS)))
    for kind, of_posts in by_kind.items():
        strengths[:, CLAIMED_KINDS.index(kind)] = of_posts
    return strengths


@dataclass(frozen=True, slots=True, eq=False)
class Grounds:
    """Why each of n posts is shown.

    reasons    the component that put it there; None: the reason of the post's source
    strengths  how much each kind of evidence raises the score of each post
    """

    reasons: Sequence[Reason | None]
    strengths: Strengths


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The scores of n candidates, and functions that explain them, which are called for the posts of a page only.

    values        (n,) in [0, 1], comparable within one response
    grounds       positions in `values` -> why each post is shown
    explanations  positions in `values` -> the parts of each score, for `explain`
    inputs        (n_inputs, n) inputs of the trained model; None if no trained model gave the scores
    """

    values: NDArray[np.float64]
    grounds: Callable[[Rows], Grounds]
    explanations: Callable[[Rows], list[dict[str, Any]]]
    inputs: NDArray[np.float32] | None = None


class Scorer(Protocol):
    """Scores all candidates of a request in one call."""

    def __call__(self, context: RankingContext, rows: Rows) -> Scored:
        """The scores of the posts `rows` (n,)."""
