"""What the service's pipeline is worth, part by part: sources' recall and cost, and whether its probabilities hold."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.services.candidate_source import CandidateSource
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.ml.choice_model import ChoiceModel
from app.infrastructure.ml.ranking import NoObserver, RankingOptions, ranking_pipeline
from app.infrastructure.ml.sources import SmallCatalogue
from training.replay import Moment

_TOP: Final = 50  # places of a served page whose probabilities are judged
_PARTS: Final = 10


@dataclass(frozen=True, slots=True)
class SourceFigures:
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
class ReliabilityPart:
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


class PipelineWatch:
    """Sees each request of a replay with the model of the moment (`prequential.run(watch=...)`)."""

    def __init__(self, options: RankingOptions) -> None:
        self._options = options
        self._found: dict[str, list[bool]] = {}
        self._counts: dict[str, list[float]] = {}
        self._together: list[int] = []
        self._probability: list[NDArray[np.float64]] = []
        self._chosen: list[NDArray[np.bool_]] = []
        self.requests = 0

    def __call__(self, moment: Moment, model: ChoiceModel | None) -> None:
        """Ask every source, and the pipeline for a page."""
        formula = ranking_pipeline(self._options, moment.tastes.served, None, NoObserver())
        sources: dict[str, CandidateSource] = {source.name: source for source in formula.sources}
        if model is not None:
            learned = ranking_pipeline(self._options, None, model, NoObserver())
            sources |= {source.name: source for source in learned.sources}
            ranked = learned.rank(moment.context)
            page = learned.page(moment.context, ranked, _TOP)
            evidence = learned.evidence(moment.context, ranked, page.rows)
            self._probability.append(np.array([one["probability"] for one in evidence]))
            self._chosen.append(page.rows == moment.target)
        # what names everything says nothing about the others
        named = [
            self._ask(name, source, moment)
            for name, source in sources.items()
            if not isinstance(source, SmallCatalogue)
        ]
        self._together.append(len(np.unique(np.concatenate(named))))
        self.requests += 1

    def sources(self) -> dict[str, SourceFigures]:
        """The sources, best recall first; `all` is what they name together."""
        if not self.requests:
            return {}
        # one that is asked from the first learned model on was not there before: it found nothing then
        found = {
            name: np.r_[np.zeros(self.requests - len(hits), np.bool_), np.array(hits, np.bool_)]
            for name, hits in self._found.items()
        }
        together = np.sum(list(found.values()), axis=0)
        rows = {
            name: SourceFigures(
                float(hits.mean()),
                float((hits & (together == 1)).mean()),
                float(np.mean(self._counts[name][::2])),
                float(np.mean(self._counts[name][1::2])) * 1000,
            )
            for name, hits in found.items()
        }
        named = float(np.mean(self._together))
        cost = sum(one.milliseconds for one in rows.values())
        ordered = dict(sorted(rows.items(), key=lambda one: -one[1].recall))
        return {"all": SourceFigures(float((together > 0).mean()), 0.0, named, cost), **ordered}

    def reliability(self) -> list[ReliabilityPart]:
        """Predicted and observed in each tenth of the served posts, the least probable first."""
        if not self._probability:
            return []
        probability, chosen = np.concatenate(self._probability), np.concatenate(self._chosen)
        order = np.argsort(probability, kind="stable")
        return [_part(probability[those], chosen[those]) for those in _filled(np.array_split(order, _PARTS))]

    def _ask(self, name: str, source: CandidateSource, moment: Moment) -> NDArray[np.intp]:
        asked = moment.context
        context = RankingContext(asked.state, asked.user, asked.now, asked.barred)  # nothing found for it yet
        started = perf_counter()
        rows = source(context)
        seconds = perf_counter() - started
        self._found.setdefault(name, []).append(bool(np.any(rows == moment.target)))
        self._counts.setdefault(name, []).extend((float(len(np.unique(rows))), seconds))
        return rows


def _part(probability: NDArray[np.float64], chosen: NDArray[np.bool_]) -> ReliabilityPart:
    return ReliabilityPart(float(probability.mean()), float(chosen.mean()), len(chosen))


def _filled(parts: Iterable[NDArray[np.intp]]) -> list[NDArray[np.intp]]:
    return [part for part in parts if len(part)]
