"""What the service's pipeline is worth, part by part: sources' recall and cost, and whether its probabilities hold."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
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

_TOP: Final = 50  # places of a served page whose probabilities are judged
_PARTS: Final = 10


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """`recall`: share of the requests whose chosen post the source named; `alone`: of those that it alone named;
    `nominated`: posts it names, mean; `milliseconds`: mean cost, by itself."""

    recall: float
    alone: float
    nominated: float
    milliseconds: float

    def to_json(self) -> dict[str, float]:
        """For a program."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """A tenth of the served posts by probability: the mean that was predicted, and the share that was chosen."""

    predicted: float
    observed: float
    n: int

    @property
    def ratio(self) -> float | None:
        """Observed over predicted; None where nothing was predicted."""
        return self.observed / self.predicted if self.predicted > 0 else None

    def to_json(self) -> dict[str, float | None]:
        """For a program."""
        return {**asdict(self), "ratio": self.ratio}


@dataclass(frozen=True, slots=True, eq=False)
class PipelineTrace:
    """What the pipeline made of one request.

    named        source -> whether it named the chosen post, how many posts it named, and the milliseconds it took
    together     posts that the sources named together
    probability  (n,) of each place of the served page; None before there is a learned model
    chosen       (n,) whether the chosen post stood there
    """

    named: dict[str, tuple[bool, int, float]]
    together: int
    probability: NDArray[np.float64] | None = None
    chosen: NDArray[np.bool_] | None = None


class PipelineDiagnostics:
    """Examines each test request of a replay with the current model (`prequential.run(diagnose=...)`)."""

    def __init__(self, options: RankingOptions) -> None:
        self._options = options

    def __call__(self, moment: ReplayRequest, model: ChoiceModel | None) -> PipelineTrace:
        """Ask every source, and the pipeline for a page."""
        formula = ranking_pipeline(self._options, moment.neighbour_models.served, None, NoObserver())
        sources: dict[str, CandidateSource] = {source.name: source for source in formula.sources}
        probability = chosen = None
        if model is not None:
            learned = ranking_pipeline(self._options, None, model, NoObserver())
            sources |= {source.name: source for source in learned.sources}
            ranked = learned.rank(moment.context)
            page = learned.page(moment.context, ranked, _TOP)
            evidence = learned.explain(moment.context, ranked, page.rows)
            probability = np.array([one["probability"] for one in evidence])
            chosen = page.rows == moment.target
        named, together = {}, np.zeros(moment.state.n_posts, np.bool_)
        for name, source in sources.items():
            if isinstance(source, WholeCatalogue):
                continue  # what names everything says nothing about the others
            rows, milliseconds = _asked(source, moment)
            named[name] = bool(np.any(rows == moment.target)), len(np.unique(rows)), milliseconds
            together[rows] = True
        return PipelineTrace(named, int(together.sum()), probability, chosen)


class PipelineSummary:
    """What was seen of a replay's requests, in figures."""

    def __init__(self, seen: Sequence[PipelineTrace]) -> None:
        self._seen = seen
        self.requests = len(seen)

    def sources(self) -> dict[str, SourceSummary]:
        """The sources, best recall first; `all` is what they name together."""
        if not self.requests:
            return {}
        names = {name: None for one in self._seen for name in one.named}
        # one that is asked from the first learned model on was not there before: it found nothing then
        found = {
            name: np.array([name in one.named and one.named[name][0] for one in self._seen]) for name in names
        }
        together = np.sum(list(found.values()), axis=0)
        rows = {}
        for name, hits in found.items():
            asked = [one.named[name] for one in self._seen if name in one.named]
            rows[name] = SourceSummary(
                float(hits.mean()),
                float((hits & (together == 1)).mean()),
                float(np.mean([count for _, count, _ in asked])),
                float(np.mean([milliseconds for _, _, milliseconds in asked])),
            )
        named = float(np.mean([one.together for one in self._seen]))
        cost = sum(one.milliseconds for one in rows.values())
        ordered = dict(sorted(rows.items(), key=lambda one: -one[1].recall))
        return {"all": SourceSummary(float((together > 0).mean()), 0.0, named, cost), **ordered}

    def reliability(self) -> list[CalibrationBin]:
        """Predicted and observed in each tenth of the served posts, the least probable first."""
        pages = [
            (one.probability, one.chosen)
            for one in self._seen
            if one.probability is not None and one.chosen is not None
        ]
        if not pages:
            return []
        probability, chosen = (np.concatenate(part) for part in zip(*pages, strict=True))
        order = np.argsort(probability, kind="stable")
        return [_part(probability[those], chosen[those]) for those in _filled(np.array_split(order, _PARTS))]


def _asked(source: CandidateSource, moment: ReplayRequest) -> tuple[NDArray[np.intp], float]:
    """What a source names, and the milliseconds it took by itself."""
    asked = moment.context
    context = RankingContext(asked.state, asked.user, asked.now, asked.excluded)  # nothing found for it yet
    started = perf_counter()
    rows = source(context)
    return rows, (perf_counter() - started) * 1000


def _part(probability: NDArray[np.float64], chosen: NDArray[np.bool_]) -> CalibrationBin:
    return CalibrationBin(float(probability.mean()), float(chosen.mean()), len(chosen))


def _filled(parts: Iterable[NDArray[np.intp]]) -> list[NDArray[np.intp]]:
    return [part for part in parts if len(part)]
