"""Ranking, the one implementation of it: sources, filters, scorer, selector. Serves, evaluates and trains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import Reason
from app.domain.services.candidate_source import CandidateSource
from app.domain.services.eligibility_filter import EligibilityFilter
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import Scored, Scorer
from app.domain.services.selector import Selector
from app.domain.services.stage_observer import StageObserver

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class RankedList:
    """Eligible candidates, best first. `nominated` is the first of the `sources` that named each, `order` its position
    in `scored`, which a list that is kept lets go of: it is large."""

    rows: Rows
    values: NDArray[np.float64]
    nominated: NDArray[np.int8]
    sources: Sequence[Reason]  # what each nominates for
    order: Rows
    scored: Scored | None

    def excluding(self, rows: Rows, n_posts: int) -> "RankedList":
        """The list less some posts."""
        gone = np.zeros(n_posts, np.bool_)
        gone[rows] = True
        keep = ~gone[self.rows]
        order = self.order[keep] if self.scored is not None else self.order
        return replace(
            self, rows=self.rows[keep], values=self.values[keep], nominated=self.nominated[keep], order=order
        )

    def truncated(self, size: int) -> "RankedList":
        """The first `size` posts, in little memory."""
        rows, values, nominated = self.rows, self.values, self.nominated
        if len(rows) > size:
            rows, values, nominated = rows[:size].copy(), values[:size].copy(), nominated[:size].copy()
        return RankedList(rows, values, nominated, self.sources, np.empty(0, np.intp), None)


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Posts as they are shown: rows, scores (never rising), reasons."""

    rows: Rows
    values: NDArray[np.float64]
    reasons: list[Reason]


class FeedPipeline:
    """Nominates, filters, scores and selects. Every piece is a small object behind a port."""

    def __init__(
        self,
        sources: Sequence[CandidateSource],
        filters: Sequence[EligibilityFilter],
        scorer: Scorer,
        selector: Selector,
        observer: StageObserver,
    ) -> None:
        self.sources = tuple(sources)
        self._reasons = tuple(source.reason for source in sources)
        self.scorer = scorer
        self._filters = tuple(filters)
        self._selector = selector
        self._observer = observer

    def candidates(self, context: RankingContext) -> tuple[Rows, NDArray[np.int8]]:
        """What the sources nominate, by row, and the first source that named each post."""
        state = context.state
        found = [source(context) for source in self.sources]
        first = np.full(state.n_posts, -1, np.int8)
        for index in range(len(found) - 1, -1, -1):
            first[found[index]] = index
        rows = (first >= 0).nonzero()[0]
        return rows, first[rows]

    def eligible(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        """Which of `rows` every rule allows."""
        keep = np.ones(len(rows), np.bool_)
        for allows in self._filters:
            keep &= allows(context, rows)
        return keep

    def rank(self, context: RankingContext) -> RankedList:
        """All eligible candidates in the order of their scores."""
        started = perf_counter()
        rows, nominated = self.candidates(context)
        sourced = perf_counter()
        keep = self.eligible(context, rows)
        rows, nominated = rows[keep], nominated[keep]
        filtered = perf_counter()
        scored = self.scorer(context, rows)
        # a score that is no number ranks last
        values = np.where(np.isfinite(scored.values), scored.values, 0.0)
        values = np.minimum(np.maximum(values, 0.0), 1.0)
        # rows rise, and of equals the later one leads: sorted from the end
        order = len(rows) - 1 - (-values[::-1]).argsort(kind="stable")
        self._observer.observe("sources", sourced - started)
        self._observer.observe("filter", filtered - sourced)
        self._observer.observe("score", perf_counter() - filtered)
        return RankedList(rows[order], values[order], nominated[order], self._reasons, order, scored)

    def page(self, context: RankingContext, ranked: RankedList, size: int) -> Page:
        """The next `size` posts of a list, fewer at its end."""
        started = perf_counter()
        selected = self._selector(context, ranked.rows, ranked.values, size)
        at = selected.positions
        rows = ranked.rows[at]
        if ranked.scored is None:
            scored, order = self.scorer(context, rows), np.arange(len(rows))
        else:
            scored, order = ranked.scored, ranked.order[at]
        nominated, explored = ranked.nominated[at].tolist(), selected.explored.tolist()
        reasons = [
            Reason.EXPLORATION if new else reason or ranked.sources[source]
            for new, reason, source in zip(explored, scored.reasons(order), nominated, strict=True)
        ]
        self._observer.observe("select", perf_counter() - started)
        return Page(rows, selected.values, reasons)

    def explain(self, context: RankingContext, ranked: RankedList, rows: Rows) -> list[dict[str, Any]]:
        """What the score of each of `rows` is made of, against the others of the list; nothing of posts beyond it."""
        scored, listed, order = ranked.scored, ranked.rows, ranked.order
        if scored is None:
            listed = np.union1d(listed, rows)
            scored, order = self.scorer(context, listed), np.arange(len(listed))
        place = np.full(context.state.n_posts, -1)
        place[listed] = order
        at = place[rows]
        told = iter(scored.explanations(at[at >= 0]))
        return [next(told) if known else {} for known in (at >= 0).tolist()]
