"""The ranking pipeline: sources, filters, scorer and page selector. Serving, evaluation and training use it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import Reason
from app.domain.experiments.team_draft import NO_TEAM, Teams
from app.domain.feed.interests import NO_INTERESTS
from app.domain.feed.row_set import RowSet
from app.domain.ranking.input_stability import InputStability
from app.domain.ranking.interest_factor import InterestFactor
from app.domain.ranking.not_interested import NotInterested
from app.domain.ranking.sink import ImpressionSink
from app.domain.services.candidate_source import CandidateSource
from app.domain.services.eligibility_filter import EligibilityFilter
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import Scored, Scorer, Strengths
from app.domain.services.selector import Selector
from app.domain.services.stage_observer import StageObserver

Rows = NDArray[np.intp]
_NO_ROWS = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class RankedList:
    """Eligible candidates, best first.

    rows            (n,) post rows
    values          (n,) scores in [0, 1], never rising
    source          (n,) index of the first source that returned each post
    source_reasons  the reason of each source
    scored          the scorer's result; None in a truncated list, which saves memory
    scored_at       (n,) position of each post in `scored`; empty without it
    teams           (n,) the team of each post of an interleaved list; None in other lists
    """

    rows: Rows
    values: NDArray[np.float64]
    source: NDArray[np.int8]
    source_reasons: Sequence[Reason]
    scored: Scored | None
    scored_at: Rows
    teams: Teams | None = None

    def excluding(self, rows: Rows, n_posts: int) -> "RankedList":
        """The list without the posts `rows`; `n_posts` is the number of posts of the feed."""
        return self.only(~RowSet(rows, n_posts).contains(self.rows))

    def only(self, keep: NDArray[np.bool_]) -> "RankedList":
        """The posts where `keep` (n,) is true."""
        return replace(
            self,
            rows=self.rows[keep],
            values=self.values[keep],
            source=self.source[keep],
            scored_at=self.scored_at if self.scored is None else self.scored_at[keep],
            teams=None if self.teams is None else self.teams[keep],
        )

    def truncated(self, size: int) -> "RankedList":
        """A copy of the first `size` posts without the scorer's result."""
        # copies, because a slice would keep the whole arrays in memory
        rows, values, source = self.rows[:size].copy(), self.values[:size].copy(), self.source[:size].copy()
        return RankedList(rows, values, source, self.source_reasons, None, np.empty(0, np.intp))


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """The n posts of one page in order.

    rows       (n,) post rows
    values     (n,) scores, which never rise
    reasons    why each post is shown
    strengths  of kinds of evidence
    teams      (n,) the team of each place of an interleaved list; NO_TEAM in other lists
    probabilities  (n,) of each place given those above; 1 if nothing is random
    """

    rows: Rows
    values: NDArray[np.float64]
    reasons: list[Reason]
    strengths: Strengths
    teams: Teams
    probabilities: NDArray[np.float64]

    def places(self, start: int, stop: int) -> "Page":
        """The posts of these places."""
        some = slice(start, stop)
        return Page(
            self.rows[some],
            self.values[some],
            self.reasons[some],
            self.strengths[some],
            self.teams[some],
            self.probabilities[some],
        )

    def only(self, keep: NDArray[np.bool_]) -> "Page":
        """The posts where `keep` (n,) is true."""
        reasons = list(compress(self.reasons, keep.tolist()))
        return Page(
            self.rows[keep],
            self.values[keep],
            reasons,
            self.strengths[keep],
            self.teams[keep],
            self.probabilities[keep],
        )

    def reordered(self, order: Rows, probabilities: NDArray[np.float64]) -> "Page":
        """The posts at the positions `order` (n,); the scores stay with the places."""
        reasons = [self.reasons[place] for place in order.tolist()]
        return Page(
            self.rows[order], self.values, reasons, self.strengths[order], self.teams[order], probabilities
        )

    def followed_by(self, other: "Page") -> "Page":
        """The posts of this page, then those of another one."""
        return Page(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.values, other.values]),
            self.reasons + other.reasons,
            np.concatenate([self.strengths, other.strengths]),
            np.concatenate([self.teams, other.teams]),
            np.concatenate([self.probabilities, other.probabilities]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class FeedPipeline:
    """Collects candidates, filters and scores them, and selects pages.

    stability  samples the inputs of the rankings; None if nobody compares them with those of training
    """

    sources: Sequence[CandidateSource]
    filters: Sequence[EligibilityFilter]
    scorer: Scorer
    selector: Selector
    observer: StageObserver
    not_interested: NotInterested = field(default_factory=NotInterested)
    sink: ImpressionSink = field(default_factory=ImpressionSink)
    interests: InterestFactor = field(default_factory=InterestFactor)
    stability: InputStability | None = None

    def candidates(self, context: RankingContext) -> tuple[Rows, NDArray[np.int8]]:
        """The posts of all sources in ascending order, and the index of the first source that returned each."""
        count = len(self.sources)
        found = np.concatenate([source(context) * count + index for index, source in enumerate(self.sources)])
        found.sort()  # by row, then by source
        rows, source = np.divmod(found, count)
        is_first = np.diff(rows, prepend=-1) > 0
        return rows[is_first], source[is_first].astype(np.int8)

    def eligible(self, context: RankingContext, rows: Rows) -> NDArray[np.bool_]:
        """(n,) true for the posts of `rows` that every filter allows."""
        keep = np.ones(len(rows), np.bool_)
        for allows in self.filters:
            keep &= allows(context, rows)
        return keep

    def rank(self, context: RankingContext) -> RankedList:
        """All eligible candidates, sorted by score; the post with the larger number first if scores are equal."""
        started = perf_counter()
        rows, found_by = self.candidates(context)
        sourced = perf_counter()
        keep = self.eligible(context, rows)
        rows, found_by = rows[keep], found_by[keep]
        filtered = perf_counter()
        ranked = self._sorted(context, rows, found_by, [source.reason for source in self.sources])
        self.observer.observe("sources", sourced - started)
        self.observer.observe("filter", filtered - sourced)
        self.observer.observe("score", perf_counter() - filtered)
        if self.stability is not None and ranked.scored is not None and ranked.scored.inputs is not None:
            self.stability.record(ranked.scored.inputs)
        return ranked

    def rank_posts(self, context: RankingContext, rows: Rows) -> RankedList:
        """The eligible ones of the distinct posts `rows`, sorted as in `rank`. No source returned them."""
        rows = rows[self.eligible(context, rows)]
        return self._sorted(context, rows, np.zeros(len(rows), np.int8), ())

    def _sorted(
        self,
        context: RankingContext,
        rows: Rows,
        found_by: NDArray[np.int8],
        source_reasons: Sequence[Reason],
    ) -> RankedList:
        """The eligible posts `rows`, sorted by score."""
        scored = self.scorer(context, rows)
        values = np.where(np.isfinite(scored.values), scored.values, 0.0).clip(0.0, 1.0)
        if len(context.controls.not_interested[0]):
            values *= self.not_interested(context, rows)
        if context.interests is not NO_INTERESTS:
            values *= self.interests(context, rows)
        if context.sinks_shown and len(context.state.impressions.of(context.user).posts):
            values *= self.sink(context, rows)
        order = (-values).argsort(kind="stable")
        if (values[order[1:]] == values[order[:-1]]).any():
            order = np.lexsort((-context.state.seq[rows], -values))
        return RankedList(rows[order], values[order], found_by[order], source_reasons, scored, order)

    def reasons_of(self, ranked: RankedList) -> list[Reason | None]:
        """The reason that the scorer gives for each post of a list that was not truncated."""
        return [] if ranked.scored is None else list(ranked.scored.grounds(ranked.scored_at).reasons)

    def page(self, context: RankingContext, ranked: RankedList, size: int, earlier: Rows = _NO_ROWS) -> Page:
        """The first `size` posts of a list, or all of a shorter one. `earlier` are the posts of its earlier pages."""
        started = perf_counter()
        selected = self.selector(context, ranked.rows, ranked.values, size, earlier)
        rows = ranked.rows[selected.positions]
        if ranked.scored is None:
            scored, scored_at = self.scorer(context, rows), np.arange(len(rows))
        else:
            scored, scored_at = ranked.scored, ranked.scored_at[selected.positions]
        grounds = scored.grounds(scored_at)
        reasons = [
            Reason.EXPLORATION if explored else reason or ranked.source_reasons[source]
            for explored, reason, source in zip(
                selected.explored.tolist(),
                grounds.reasons,
                ranked.source[selected.positions].tolist(),
                strict=True,
            )
        ]
        teams = np.full(len(rows), NO_TEAM, np.int8)
        if ranked.teams is not None:
            teams = np.where(selected.explored, teams, ranked.teams[selected.positions])
        self.observer.observe("select", perf_counter() - started)
        return Page(rows, selected.values, reasons, grounds.strengths, teams, np.ones(len(rows)))

    def explain(self, context: RankingContext, ranked: RankedList, rows: Rows) -> list[dict[str, Any]]:
        """What the score of each of `rows` consists of, relative to the list; empty for a post outside the list."""
        scored, listed, scored_at = ranked.scored, ranked.rows, ranked.scored_at
        if not len(listed):
            return [{} for _ in rows]
        if scored is None:
            listed = np.union1d(listed, rows)
            scored, scored_at = self.scorer(context, listed), np.arange(len(listed))
        by_row = np.argsort(listed)
        place = by_row[np.searchsorted(listed, rows, sorter=by_row).clip(max=len(listed) - 1)]
        is_listed = listed[place] == rows
        explanations = iter(scored.explanations(scored_at[place[is_listed]]))
        return [next(explanations) if known else {} for known in is_listed.tolist()]
