"""Merges the ranked lists of two rankings by team draft."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.domain.experiments.team_draft import team_draft
from app.domain.feed.post_groups import PostGroups
from app.domain.ranking.page_selector import LOOK_AHEAD_PAGES, one_per_thread
from app.domain.ranking.pipeline import RankedList
from app.domain.services.scorer_interface import Grounds, Scored

T = TypeVar("T")
Rows = NDArray[np.intp]


def interleaved_list(
    control: RankedList, variant: RankedList, groups: PostGroups, page_size: int, key: bytes
) -> RankedList:
    """The posts from which a page selector makes the next page of an interleaved list, with their teams.

    Scores of two rankings are not comparable, so each place has the score that the control's ranking has there. Each
    ranking drafts one post of a thread; the page selector removes a thread of which both drafted a post.
    """
    control, variant = (one.only(one_per_thread(groups, one.rows)) for one in (control, variant))
    draft = team_draft(control.rows.tolist(), variant.rows.tolist(), LOOK_AHEAD_PAGES * page_size, key)
    at = draft.positions + draft.is_variants * len(control.rows)
    curve = control.values if len(control.values) else variant.values
    source = np.concatenate([control.source, variant.source + np.int8(len(control.source_reasons))])
    scored, scored_at = None, np.empty(0, np.intp)
    if control.scored is not None and variant.scored is not None:
        scored = _joined(control.scored, variant.scored)
        scored_at = np.concatenate([control.scored_at, variant.scored_at + len(control.scored.values)])[at]
    return RankedList(
        rows=np.concatenate([control.rows, variant.rows])[at],
        values=curve[np.arange(len(at)).clip(max=len(curve) - 1)],
        source=source[at],
        source_reasons=[*control.source_reasons, *variant.source_reasons],
        scored=scored,
        scored_at=scored_at,
        teams=draft.teams,
    )


def _joined(control: Scored, variant: Scored) -> Scored:
    """The posts of two scorers, those of the control first."""
    n_control = len(control.values)

    def split(at: Rows) -> tuple[NDArray[np.bool_], Rows, Rows]:
        of_variant = at >= n_control
        return of_variant, at[~of_variant], at[of_variant] - n_control

    def grounds(at: Rows) -> Grounds:
        of_variant, *parts = split(at)
        first, second = control.grounds(parts[0]), variant.grounds(parts[1])
        strengths = np.empty((len(at), first.strengths.shape[1]))
        strengths[~of_variant], strengths[of_variant] = first.strengths, second.strengths
        return Grounds(_in_order(of_variant, first.reasons, second.reasons), strengths)

    def explanations(at: Rows) -> list[dict[str, Any]]:
        of_variant, *parts = split(at)
        return _in_order(of_variant, control.explanations(parts[0]), variant.explanations(parts[1]))

    return Scored(np.concatenate([control.values, variant.values]), grounds, explanations)


def _in_order(of_variant: NDArray[np.bool_], control: Iterable[T], variant: Iterable[T]) -> list[T]:
    """The entries of both, in the order of `of_variant`."""
    entries: tuple[Iterator[T], Iterator[T]] = iter(control), iter(variant)
    return [next(entries[one]) for one in of_variant.tolist()]
