"""Experiments of tests, and a source of them that a test changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from math import inf
from typing import Any

import numpy as np
import orjson

from app.domain.errors import StorageUnavailable
from app.domain.experiments.experiment import Experiment, Variant
from app.domain.experiments.preference import Preference
from app.domain.experiments.read_out import ReadOut
from app.domain.experiments.stop import Stop
from app.domain.experiments.user_counts import DaySum, ExperimentData, PlaceCount, UserCounts
from app.domain.experiments.user_credits import UserCredits
from app.domain.repositories.experiment_repository import StoredReadOut


def an_experiment(
    name: str = "order",
    options: Mapping[str, Any] | None = None,
    *,
    shares: tuple[float, float] = (0.5, 0.5),
    enabled: bool = True,
    start: float = 0.0,
    end: float = inf,
) -> Experiment:
    """Two variants, `control` and `other`; the other one repeats authors without a lower score by default."""
    other = {"author_repeat_factor": 1.0} if options is None else options
    return Experiment(
        name,
        f"salt of {name}",
        (Variant("control", shares[0], {}), Variant("other", shares[1], other)),
        held_back=1 - sum(shares),
        start=start,
        end=end,
        primary_metric="like",
        guardrails=("hide_post",),
        planned_users=10_000,
        window_days=7,
        enabled=enabled,
    )


def an_interleaving(
    options: Mapping[str, Any] | None = None, *, held_back: float = 0.0, enabled: bool = True
) -> Experiment:
    """The variant `other` has other candidates by default."""
    share = (1 - held_back) / 2
    other = {"exclude_sources": ("trending",)} if options is None else options
    return replace(
        an_experiment(options=other, shares=(share, share), enabled=enabled),
        kind="interleaving",
        held_back=held_back,
        guardrails=(),
    )


@dataclass
class FakeExperiments:
    """ExperimentSource of some experiments, or of a file that cannot be used."""

    experiments: Sequence[Experiment] = ()
    problem: str | None = None
    version: int = 0

    def fingerprint(self) -> object:
        return self.version

    def read(self) -> Sequence[Experiment]:
        if self.problem is not None:
            raise ValueError(self.problem)
        return self.experiments

    def change(self, *experiments: Experiment, problem: str | None = None) -> None:
        """Have other experiments, or a problem, from the next poll on."""
        self.problem = problem
        if problem is None:
            self.experiments = experiments
        self.version += 1


@dataclass
class FakeResults:
    """ExperimentResults in memory; `is_away` makes every call fail, and read-outs lack the field `lacking`."""

    stored: list[Stop] = field(default_factory=list)
    saved: dict[str, ReadOut | Preference] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    is_away: bool = False
    lacking: str = ""
    read_at: datetime = datetime(2026, 12, 22, 9, tzinfo=UTC)

    def stops(self) -> Sequence[Stop]:
        self._require()
        return list(self.stored)

    def add_stop(self, stop: Stop) -> bool:
        self._require()
        is_new = all((stop.salt, stop.variant) != (one.salt, one.variant) for one in self.stored)
        self.stored += [stop] * is_new
        return is_new

    def begin_read_out(self, experiment: str, interval_seconds: float) -> bool:
        self._require()
        begins = experiment not in self.begun
        self.begun.add(experiment)
        return begins

    def save_read_out(self, found: ReadOut | Preference, read_at: datetime) -> None:
        self._require()
        self.saved[found.experiment] = found
        self.read_at = read_at

    def read_outs(self) -> Sequence[StoredReadOut]:
        self._require()
        stored = []
        for name, found in self.saved.items():
            content = orjson.loads(orjson.dumps(found))
            content.pop(self.lacking, None)
            stored.append(StoredReadOut(name, self.read_at, content))
        return stored

    def _require(self) -> None:
        if self.is_away:
            raise StorageUnavailable("away")


def user_counts(
    window_days: int,
    users: int = 8000,
    *,
    likes: tuple[float, float] = (1.0, 1.0),
    hides: tuple[float, float] = (0.01, 0.01),
    share: float = 0.5,
    days: int = 14,
) -> UserCounts:
    """Users who came over some days. `likes` a user and `hides` a post are those of (control, other)."""
    rng = np.random.default_rng(1)
    is_other = (rng.random(users) < share).astype(int)
    posts = rng.integers(20, 200, users).astype(np.float64)
    activity = rng.gamma(1.0, 1.0, users)
    first = np.sort(np.datetime64("2026-12-01") + rng.integers(0, days, users))
    before, did = rng.poisson(activity), rng.poisson(activity * np.array(likes)[is_other])
    hidden = rng.poisson(posts * np.array(hides)[is_other])
    counts = {"like": did, "page": posts / 10, "post": posts, "hide_post": hidden}
    return UserCounts(
        window_days,
        np.array(["control", "other"])[is_other],
        first,
        before.astype(np.float64),
        {name: one.astype(np.float64) for name, one in counts.items()},
        mixed=3,
    )


def user_credits(of_control: float, of_variant: float, users: int = 2000) -> UserCredits:
    """Users who came over 14 days, with three pages each. The events with posts of both rankings are means a user."""
    rng = np.random.default_rng(1)
    activity = rng.gamma(1.0, 1.0, users)
    return UserCredits(
        np.datetime64("2026-12-01") + rng.integers(0, 14, users),
        np.full(users, 3.0),
        rng.poisson(activity * of_control).astype(np.float64),
        rng.poisson(activity * of_variant).astype(np.float64),
    )


def data_of(counts: UserCounts) -> ExperimentData:
    """A tenth of the actions are those of the first day; the other variant has twice the events at each place."""
    first_day = replace(counts, window_days=1, counts={name: one / 10 for name, one in counts.counts.items()})
    sums = [
        DaySum(date(2026, 12, 1) + timedelta(days=day), variant, total, 3 * total)
        for day in range(14)
        for variant, total in (("control", 100 * (day + 1)), ("other", 120 * (day + 1)))
    ]
    places = [
        PlaceCount(variant, place, "trending" if place % 2 else "following", 1000, events)
        for place in range(1, 31)
        for variant, events in (("control", 31 - place), ("other", 2 * (31 - place)))
    ]
    return ExperimentData(counts, first_day, sums, places)


def experiment_data(**rates: Any) -> ExperimentData:
    """That of `user_counts`."""
    return data_of(user_counts(7, **rates))
