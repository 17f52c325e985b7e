"""Examines the parts of the served pipeline: recall and cost of its sources, and calibration of its probabilities."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.sources import WholeCatalogue
from app.domain.services.ranking_context import RankingContext
from training.replay.replay import ReplayRequest

_PAGE_SIZE: Final = 50
_BINS: Final = 10


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """The metrics of one source.

    recall         share of the requests whose chosen post the source nominated
    unique_recall  share of the requests whose chosen post no other source nominated
    nominated      mean number of nominated posts
    milliseconds   mean time of the source by itself
    """

    recall: float
    unique_recall: float
    nominated: float
    milliseconds: float

    def to_json(self) -> dict[str, float]:
        """The summary as JSON values."""
        names = ("recall", "alone", "nominated", "milliseconds")
        return {name: round(value, 4) for name, value in zip(names, astuple(self), strict=True)}


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """A tenth of the served posts by probability: the mean probability, and the share of chosen posts.

    `ratio` is `observed` over `predicted`; None if the prediction is 0.
    """

    predicted: float
    observed: float
    n: int
    ratio: float | None


class Nomination(NamedTuple):
    """The result of one source for one request. The default is that of a source that was not called."""

    has_chosen: bool = False
    n_posts: float = np.nan
    milliseconds: float = np.nan


@dataclass(frozen=True, slots=True, eq=False)
class PipelineTrace:
    """The results of the pipeline for one request.

    nominations  source -> its result
    n_nominated  number of posts that at least one source nominated
    probability  (n,) of each post of the served page; empty before there is a learned model
    is_chosen    (n,) whether it is the chosen post
    """

    nominations: dict[str, Nomination]
    n_nominated: int
    probability: NDArray[np.float64]
    is_chosen: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PipelineDiagnostics:
    """Examines each test request of a replay with the current model (the `diagnose` of a replay)."""

    options: RankingOptions

    def __call__(self, request: ReplayRequest, model: ChoiceModel | None) -> PipelineTrace:
        """Call every source, and rank one page."""
        context = request.live
        formula = ranking_pipeline(self.options, request.neighbour_models.served, None, NoObserver())
        sources = {source.name: source for source in formula.sources}
        probability, is_chosen = np.empty(0), np.empty(0, np.bool_)
        if model is not None:
            learned = ranking_pipeline(self.options, None, model, NoObserver())
            sources |= {source.name: source for source in learned.sources}
            ranked = learned.rank(context)
            page = learned.page(context, ranked, _PAGE_SIZE).rows
            explanations = learned.explain(context, ranked, page)
            probability = np.array([explanation["probability"] for explanation in explanations])
            is_chosen = page == request.target
        nominations, is_nominated = {}, np.zeros(request.state.n_posts, np.bool_)
        for name, source in sources.items():
            if isinstance(source, WholeCatalogue):
                continue  # it nominates every post
            # A new context, because the time of a source includes what it shares with other sources.
            alone = RankingContext(context.state, context.user, context.now, context.excluded)
            started = perf_counter()
            rows = source(alone)
            milliseconds = (perf_counter() - started) * 1000
            nominations[name] = Nomination(request.target in rows, len(np.unique(rows)), milliseconds)
            is_nominated[rows] = True
        return PipelineTrace(nominations, int(is_nominated.sum()), probability, is_chosen)


class PipelineSummary:
    """The metrics of all traces of a replay."""

    def __init__(self, traces: Sequence[PipelineTrace]) -> None:
        self._traces = traces
        self.requests = len(traces)

    def sources(self) -> dict[str, SourceSummary]:
        """The metrics of each source, largest recall first. `all` is the union of the sources."""
        if not self.requests:
            return {}
        names = list(dict.fromkeys(name for trace in self._traces for name in trace.nominations))
        # A source that only a learned model has is absent from earlier traces: it nominated nothing there.
        nominations = np.array(
            [[trace.nominations.get(name, Nomination()) for name in names] for trace in self._traces]
        )
        is_hit = nominations[..., 0] > 0
        n_hits = is_hit.sum(axis=1)
        is_unique = is_hit & (n_hits == 1)[:, None]
        means = np.nanmean(nominations[..., 1:], axis=0)
        columns = np.column_stack([is_hit.mean(axis=0), is_unique.mean(axis=0), means])
        rows = {name: SourceSummary(*row) for name, row in zip(names, columns.tolist(), strict=True)}
        n_nominated = float(np.mean([trace.n_nominated for trace in self._traces]))
        union = SourceSummary(float((n_hits > 0).mean()), 0.0, n_nominated, float(means[:, 1].sum()))
        return {"all": union, **dict(sorted(rows.items(), key=lambda item: -item[1].recall))}

    def reliability(self) -> list[CalibrationBin]:
        """Predicted and observed share in each tenth of the served posts, smallest probability first."""
        probability = np.concatenate([np.empty(0), *(trace.probability for trace in self._traces)])
        is_chosen = np.concatenate([np.empty(0), *(trace.is_chosen for trace in self._traces)])
        result = []
        for rows in np.array_split(np.argsort(probability, kind="stable"), _BINS):
            if len(rows):
                predicted, observed = float(probability[rows].mean()), float(is_chosen[rows].mean())
                ratio = observed / predicted if predicted > 0 else None
                result.append(CalibrationBin(predicted, observed, len(rows), ratio))
        return result
