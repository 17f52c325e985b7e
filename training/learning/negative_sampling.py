"""Samples the candidates that the model compares each chosen post with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking import user_features
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.options import RankingOptions
from app.domain.services.candidate_source import CandidateSource
from training.learning.calibration import FullChoiceSet
from training.learning.candidate_sets import ChoiceSets
from training.learning.model_selection import LearningOptions
from training.learning.training_examples import TrainingExamples
from training.replay.replay import Replay, ReplayRequest

_TOP_SHARE = 0.1  # of the posts that a source nominates, its best first

Rows = NDArray[np.intp]
_NO_ROWS = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """The eligible posts of one request, grouped by sampling rate. The chosen post is in none of the first four.

    ignored     (n,) rows that the user ignored on the page of the choice: all of them, or at least half of the sample
    top         (n,) rows that a source nominates among its first tenth: the highest rate of the others
    nominated   (n,) other rows that a source nominates
    others      (n,) rows that no source nominates: the lowest rate
    candidates  (n,) all rows that a source nominates, with the chosen one if it is among them
    """

    ignored: Rows
    top: Rows
    nominated: Rows
    others: Rows
    candidates: Rows

    @classmethod
    def of(
        cls,
        nominations: Sequence[Rows],
        eligible: Rows,
        chosen: int,
        n_posts: int,
        ignored: NDArray[np.integer[Any]] = _NO_ROWS,
    ) -> "Strata":
        """Group `eligible` rows by the `nominations` of each source, best first, and by whether they were ignored."""
        top, nominated = np.zeros(n_posts, np.bool_), np.zeros(n_posts, np.bool_)
        for rows in nominations:
            top[rows[: int(np.ceil(_TOP_SHARE * len(rows)))]] = True
            nominated[rows] = True
        rows = eligible[eligible != chosen]
        is_ignored = np.isin(rows, ignored)
        ignored_rows, rows = rows[is_ignored], rows[~is_ignored]
        is_top, is_nominated = top[rows], nominated[rows]
        candidates = eligible[nominated[eligible]]
        return cls(ignored_rows, rows[is_top], rows[is_nominated & ~is_top], rows[~is_nominated], candidates)

    def draw(self, room: int, options: LearningOptions, seed: int) -> tuple[Rows, NDArray[np.float64]]:
        """At most `room` rows, and the number of posts that each represents: the inverse of its sampling rate."""
        random = np.random.default_rng(seed)
        strata = (self.ignored, self.top, self.nominated, self.others)
        ignored = min(len(self.ignored), room // 2)
        rest = room - ignored
        top = min(int(options.strong_share * rest), rest)
        nominated = min(int(options.hard_share * rest), rest - top)
        wanted = (ignored, top, nominated, rest - top - nominated)
        counts = [min(len(rows), n) for rows, n in zip(strata, wanted, strict=True)]
        for stratum, rows in enumerate(strata):  # other strata use the room of one that is too small
            counts[stratum] += min(len(rows) - counts[stratum], room - sum(counts))
        drawn, weight = [np.empty(0, np.intp)], [np.empty(0)]
        for rows, n in zip(strata, counts, strict=True):
            if n:
                drawn.append(random.choice(rows, n, replace=False))
                weight.append(np.full(n, len(rows) / n))
        return np.concatenate(drawn), np.concatenate(weight)


@dataclass(frozen=True, slots=True, eq=False)
class SampledExample:
    """The choice set of one training example. The chosen post is first.

    number      of the example
    inputs      (n_candidates, n_features) float32
    log_weight  (n_candidates,) log of the number of posts that each candidate represents
    full        all nominated candidates, if the example keeps them
    """

    number: int
    inputs: NDArray[np.float32]
    log_weight: NDArray[np.float32]
    full: FullChoiceSet | None


class CandidateSampler:
    """Samples the candidates of training examples, and computes their features just before the example's event.

    Nominated posts are sampled at a higher rate than the rest of the catalogue, and the first of each source at the
    highest. If the strongest candidates are sampled at a low rate, the model becomes overconfident: most samples lack
    the one post that the chosen one had to beat. Of the posts that the user ignored on the page of the choice, all are
    drawn: the user could have chosen them.
    """

    def __init__(self, replay: Replay, examples: TrainingExamples, options: LearningOptions) -> None:
        self._examples = examples
        self._options = options
        self._pages = replay.pages
        self._sources = learned_sources(replay.options)
        self._seeds = replay.hashes(examples.event_rows).tolist()
        self._inputs = partial(user_features.matrix, **replay.optional_inputs)

    def sample(self, number: int, request: ReplayRequest) -> SampledExample:
        """Sample the candidates of an example. `request` is the feed just before its event."""
        context, chosen = request.context, request.target
        nominations = context.memoise("nominations", lambda: [source(context) for source in self._sources])
        ignored = self._pages.ignored(request.page)
        strata = Strata.of(nominations, request.eligible, chosen, request.state.n_posts, ignored)
        drawn, weight = strata.draw(self._options.candidates - 1, self._options, self._seeds[number])
        rows = np.concatenate([[chosen], drawn])
        log_weight = np.log(np.concatenate([[1.0], weight])).astype(np.float32)
        candidates = strata.candidates
        if not (self._examples.full[number] and len(candidates)):
            return SampledExample(number, self._inputs(context, rows).T, log_weight, None)
        # In this order, because the rounding of a product of matrices depends on the order of its rows.
        batch = np.concatenate([candidates, rows[~np.isin(rows, candidates)]])
        inputs = self._inputs(context, batch)
        position = np.empty(request.state.n_posts, np.intp)
        position[batch] = np.arange(len(batch))
        chosen_at = position.item(chosen) if position[chosen] < len(candidates) else -1
        full = FullChoiceSet(inputs[:, : len(candidates)].astype(np.float16), chosen_at, number)
        return SampledExample(number, inputs[:, position[rows]].T, log_weight, full)


class SampledExamples:
    """The sampled choice sets of a replay's training examples."""

    def __init__(self, replay: Replay, examples: TrainingExamples, options: LearningOptions) -> None:
        events = replay.events
        page_complete_at = replay.complete_at(examples.event_rows)
        self._known_at = np.maximum(events.time[examples.requests], page_complete_at)
        self._value = replay.options.kind_weights()[events.kind[examples.requests]].astype(np.float32)
        size = len(examples.requests), options.candidates
        names = user_features.names(**replay.optional_inputs)
        self._inputs = np.zeros((*size, len(names)), np.float32)
        self._log_weight = np.full(size, -np.inf, np.float32)
        self._full: list[FullChoiceSet] = []

    def add(self, example: SampledExample) -> None:
        """Store one choice set, in any order."""
        n = len(example.log_weight)
        self._inputs[example.number, :n] = example.inputs
        self._log_weight[example.number, :n] = example.log_weight
        if example.full is not None:
            self._full.append(example.full)

    @property
    def known_at(self) -> NDArray[np.float64]:
        """(n,) seconds: the outcome of each example is known after this time."""
        return self._known_at

    def count_known(self, before: float = np.inf) -> int:
        """The number of examples whose outcome is known strictly before a time."""
        return int((self._known_at < before).sum())

    def choice_sets(self, before: float = np.inf) -> ChoiceSets:
        """The choice sets whose outcome is known strictly before a time, in order of time; at least one.

        All of them must have been added.
        """
        mask = self._known_at < before
        return self.select(slice(None) if mask.all() else mask)  # a slice copies nothing

    def select(self, examples: slice | NDArray[Any]) -> ChoiceSets:
        """The choice sets of some examples, by number or as a mask. All of them must have been added."""
        value = self._value[examples]
        return ChoiceSets(
            self._inputs[examples], self._log_weight[examples], value / max(float(value.mean()), 1e-9)
        )

    def full_choice_sets(self, before: float = np.inf) -> list[FullChoiceSet]:
        """The full ones among `choice_sets(before)`, numbered by their position in it."""
        known = self._known_at < before
        position = np.cumsum(known) - 1
        in_order = sorted(self._full, key=lambda full_set: full_set.number)
        return [replace(full, number=int(position[full.number])) for full in in_order if known[full.number]]


def learned_sources(options: RankingOptions) -> Sequence[CandidateSource]:
    """The candidate sources of a pipeline with a learned model."""
    model = ChoiceModel.untrained(user_features.names())
    return ranking_pipeline(options, None, model, NoObserver()).sources
