"""What was on offer in the replayed past, sampled for learning."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.application.feed_pipeline import FeedPipeline
from app.infrastructure.ml import features
from app.infrastructure.ml.choice_model import ChoiceModel
from app.infrastructure.ml.ranking import NoObserver, RankingOptions, ranking_pipeline
from training.fit_choice import Offers, WholeOffer
from training.learn import LearningOptions
from training.lessons import Lessons
from training.replay import Moment, Replay
from training.second_process import zeros

_STRONG, _HARD, _REST = 2, 1, 0
_HEAD = 0.1  # of what a source names, its strongest first


class OfferBook:
    """The offers of some lessons, as far as they were sampled.

    What the sources nominate is drawn at a higher rate than the rest of the catalogue, what they name first at a higher
    one still, and every candidate carries the inverse of its rate. Where the strongest posts of an offer are left to
    chance, the blend grows too sure of itself: most samples lack just the one that the chosen post had to beat.
    """

    def __init__(
        self, replay: Replay, lessons: Lessons, options: LearningOptions, *, shared: bool = False
    ) -> None:
        """`shared`: what a process that is forked from this one samples can be read here; whole offers of its are to be
        handed over."""
        self.lessons = lessons
        self._options = options
        self._pipeline = _nominating(replay.options)
        self._seeds = replay.hashes(lessons.moments).tolist()
        events = replay.events
        self._known_at = events.time[lessons.requests]
        self._worth = replay.options.kind_weights()[events.kind[lessons.requests]].astype(np.float32)
        n, size = len(lessons.moments), options.candidates
        self._inputs = zeros((n, size, len(features.names())), np.float32, shared=shared)
        self._log_weight = zeros((n, size), np.float32, shared=shared)
        self._whole: list[WholeOffer] = []

    def sample(self, lesson: int, moment: Moment) -> None:
        """Sample the offer of the moment that the lesson of this number is about."""
        named = moment.context.once("named", lambda: [one(moment.context) for one in self._pipeline.sources])
        heads = np.concatenate([rows[: int(np.ceil(_HEAD * len(rows)))] for rows in named])
        is_named = np.zeros(moment.state.n_posts, np.bool_)
        is_named[np.concatenate(named)] = True
        nominated = is_named.nonzero()[0]
        stratum = np.full(moment.state.n_posts, -1, np.int8)
        stratum[moment.eligible] = _REST
        stratum[nominated[stratum[nominated] >= 0]] = _HARD
        stratum[heads[stratum[heads] >= 0]] = _STRONG
        on_offer = nominated[stratum[nominated] >= 0]
        stratum[moment.target] = -1
        drawn, weight = self._drawn(stratum, np.random.default_rng(self._seeds[lesson]))
        drawn = np.concatenate([[moment.target], drawn])
        if self.lessons.whole[lesson] and len(on_offer):
            place = np.full(moment.state.n_posts, -1, np.intp)
            place[on_offer] = np.arange(len(on_offer))
            others = drawn[place[drawn] < 0]
            chosen = place.item(moment.target)
            place[others] = len(on_offer) + np.arange(len(others))
            seen = features.matrix(moment.context, np.concatenate([on_offer, others]))
            everything = seen[:, : len(on_offer)].astype(np.float16)
            self._whole.append(WholeOffer(everything, chosen, lesson))
            sampled = seen.take(place[drawn], axis=1)
        else:
            sampled = features.matrix(moment.context, drawn)
        self._inputs[lesson, : len(drawn)] = sampled.T
        log_weight = self._log_weight[lesson]
        log_weight[0], log_weight[1 : len(drawn)], log_weight[len(drawn) :] = 0.0, np.log(weight), -np.inf

    def _drawn(
        self, stratum: NDArray[np.int8], random: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Rows drawn from the strata (-1: not on offer), and how many posts each stands for."""
        room = self._options.candidates - 1
        strata = [np.flatnonzero(stratum == one) for one in (_STRONG, _HARD, _REST)]
        strong = min(int(self._options.strong_share * room), room)
        hard = min(int(self._options.hard_share * room), room - strong)
        counts = [
            min(len(one), n) for one, n in zip(strata, (strong, hard, room - strong - hard), strict=True)
        ]
        for at, one in enumerate(strata):  # what one stratum lacks the others give
            counts[at] += min(len(one) - counts[at], room - sum(counts))
        drawn = [random.choice(one, n, replace=False) for one, n in zip(strata, counts, strict=True) if n]
        weight = [np.full(n, len(one) / n) for one, n in zip(strata, counts, strict=True) if n]
        return np.concatenate([np.empty(0, np.intp), *drawn]), np.concatenate([np.empty(0), *weight])

    def known(self, before: float = np.inf) -> int:
        """How many offers' outcomes were known strictly before a time."""
        return int((self._known_at < before).sum())

    def offers(self, before: float = np.inf) -> Offers:
        """Those whose outcome was known strictly before a time, in the order of their moments. One at least.

        All of these must have been sampled.
        """
        mask = self._known_at < before
        known = slice(None) if mask.all() else mask  # without a copy where it is all of them
        worth = self._worth[known]
        return Offers(self._inputs[known], self._log_weight[known], worth / max(float(worth.mean()), 1e-9))

    def whole_offers(self, before: float = np.inf) -> list[WholeOffer]:
        """Those of `offers` that were kept with everything that was on offer, numbered as they stand there."""
        known = self._known_at < before
        place = np.cumsum(known) - 1
        kept = sorted(self._whole, key=lambda offer: offer.number)
        return [replace(offer, number=int(place[offer.number])) for offer in kept if known[offer.number]]

    def hand_over(self) -> list[WholeOffer]:
        """The whole offers that were kept since the last time; they are the caller's now."""
        whole, self._whole = self._whole, []
        return whole

    def keep(self, whole: list[WholeOffer]) -> None:
        """Take over what another process' book handed over."""
        self._whole += whole


def _nominating(ranking: RankingOptions) -> FeedPipeline:
    """The pipeline of a model that is still to be learned: what counts is what its sources nominate."""
    return ranking_pipeline(ranking, None, ChoiceModel.untrained(features.names()), NoObserver())
