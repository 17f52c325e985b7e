"""Examines the parts of the served pipeline: recall and cost of its sources, and calibration of its probabilities."""

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.sources import WholeCatalogue
from app.domain.services.candidate_source import CandidateSource
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
    """A tenth of the served posts by probability: the mean probability, and the share of chosen posts."""

    predicted: float
    observed: float
    n: int

    @property
    def ratio(self) -> float | None:
        """Observed over predicted; None if the prediction is 0."""
        return self.observed / self.predicted if self.predicted > 0 else None

    def to_json(self) -> dict[str, float | None]:
        """The bin as JSON values."""
        return {**asdict(self), "ratio": self.ratio}


@dataclass(frozen=True, slots=True, eq=False)
class Nomination:
    """The result of one source for one request."""

    has_chosen: bool
    n_posts: int
    milliseconds: float


@dataclass(frozen=True, slots=True, eq=False)
class PipelineTrace:
    """The results of the pipeline for one request.

    nominations  source -> its result
    n_nominated  number of posts that at least one source nominated
    probability  (n,) of each post of the served page; None before there is a learned model
    is_chosen    (n,) whether it is the chosen post
    """

    nominations: dict[str, Nomination]
    n_nominated: int
    probability: NDArray[np.float64] | None = None
    is_chosen: NDArray[np.bool_] | None = None


class PipelineDiagnostics:
    """Examines each test request of a replay with the current model (the `diagnose` of a replay)."""

    def __init__(self, options: RankingOptions) -> None:
        self._options = options

    def __call__(self, request: ReplayRequest, model: ChoiceModel | None) -> PipelineTrace:
        """Call every source, and rank one page."""
        formula = ranking_pipeline(self._options, request.neighbour_models.served, None, NoObserver())
        sources: dict[str, CandidateSource] = {source.name: source for source in formula.sources}
        probability = is_chosen = None
        if model is not None:
            learned = ranking_pipeline(self._options, None, model, NoObserver())
            sources |= {source.name: source for source in learned.sources}
            ranked = learned.rank(request.context)
            page = learned.page(request.context, ranked, _PAGE_SIZE)
            explanations = learned.explain(request.context, ranked, page.rows)
            probability = np.array([explanation["probability"] for explanation in explanations])
            is_chosen = page.rows == request.target
        nominations, is_nominated = {}, np.zeros(request.state.n_posts, np.bool_)
        for name, source in sources.items():
            if isinstance(source, WholeCatalogue):
                continue  # it nominates every post
            rows, milliseconds = _timed(source, request)
            has_chosen = bool(np.any(rows == request.target))
            nominations[name] = Nomination(has_chosen, len(np.unique(rows)), milliseconds)
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
        names = dict.fromkeys(name for trace in self._traces for name in trace.nominations)
        # A source that only a learned model has is absent from earlier traces: it nominated nothing there.
        results = {name: [trace.nominations.get(name) for trace in self._traces] for name in names}
        hits = {
            name: np.array([one is not None and one.has_chosen for one in ones])
            for name, ones in results.items()
        }
        n_hits = np.sum(list(hits.values()), axis=0)
        rows = {}
        for name, ones in results.items():
            called = [one for one in ones if one is not None]
            rows[name] = SourceSummary(
                float(hits[name].mean()),
                float((hits[name] & (n_hits == 1)).mean()),
                float(np.mean([one.n_posts for one in called])),
                float(np.mean([one.milliseconds for one in called])),
            )
        n_nominated = float(np.mean([trace.n_nominated for trace in self._traces]))
        milliseconds = sum(row.milliseconds for row in rows.values())
        union = SourceSummary(float((n_hits > 0).mean()), 0.0, n_nominated, milliseconds)
        return {"all": union, **dict(sorted(rows.items(), key=lambda item: -item[1].recall))}

    def reliability(self) -> list[CalibrationBin]:
        """Predicted and observed share in each tenth of the served posts, smallest probability first."""
        pages = [
            (trace.probability, trace.is_chosen)
            for trace in self._traces
            if trace.probability is not None and trace.is_chosen is not None
        ]
        if not pages:
            return []
        probability, is_chosen = (np.concatenate(arrays) for arrays in zip(*pages, strict=True))
        bins = np.array_split(np.argsort(probability, kind="stable"), _BINS)
        return [
            CalibrationBin(float(probability[rows].mean()), float(is_chosen[rows].mean()), len(rows))
            for rows in bins
            if len(rows)
        ]


def _timed(source: CandidateSource, request: ReplayRequest) -> tuple[NDArray[np.intp], float]:
    """The nominations of a source, and its time in milliseconds."""
    shared = request.context
    context = RankingContext(
        shared.state, shared.user, shared.now, shared.excluded
    )  # without memoised results
    started = perf_counter()
    rows = source(context)
    return rows, (perf_counter() - started) * 1000
