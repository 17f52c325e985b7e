"""Compares options on one feed within a bounded time: searches for better ones, and measures each part's effect."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import NO_TIME, FeedDataset
from app.domain.ranking import user_features
from training.evaluation.metrics import Estimate, bootstrap, ndcg_of_rank
from training.evaluation.prequential import replay_rankers
from training.evaluation.replay_workers import LOCAL_ENGINE
from training.evaluation.training_engine import TrainingEngine
from training.learning.negative_sampling import learned_sources
from training.learning.training_options import TrainingOptions
from training.replay.replay import Replay

LEARNING_VALUES: Final[Mapping[str, Sequence[Any]]] = {
    "requests": (3000, 6000, 12_000),
    "candidates": (60, 120, 200),
    "strong_share": (0.4, 0.6, 0.7),
    "hard_share": (0.1, 0.2, 0.3),
    "ridges": ((1e-3, 1e-4), (1e-2, 1e-3), (1e-4, 1e-5)),
    "units": ((16,), (), (32,)),
    "without": (
        (),
        ("text_similarity",),
        ("log_decayed_engagement",),
        ("knn_support",),
        ("trace 30d", "trace 180d"),
    ),
}
_RANKING_VALUES: Final[Mapping[str, Sequence[Any]]] = {
    "candidates": (50, 100, 200, 400),
    "neighbours": (10, 50, 200),
    "trending_half_life_hours": (1.0, 6.0, 24.0, 168.0),
}
_RANKERS: Final = ("served", "formula")

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class TimedReplays:
    """Measures options on a feed.

    max_requests  of each replay
    seconds       for all replays together
    engine        executes the replays
    on_replay     called after each replay
    """

    dataset: FeedDataset
    max_requests: int
    seconds: float
    engine: TrainingEngine = LOCAL_ENGINE
    clock: Callable[[], float] = perf_counter
    on_replay: Callable[[], None] = lambda: None

    def ndcg(
        self, rankers: Sequence[str], options: TrainingOptions
    ) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int32]]:
        """ranker -> (n_requests,) NDCG@10, and the user of each request. `served` uses the learned model."""
        replay = Replay(self.dataset, options.ranking, seed=options.learning.seed)
        result = replay_rankers(
            replay,
            rankers,
            options.learning,
            max_requests=self.max_requests,
            engine=self.engine,
            selects_served=False,
        )
        self.on_replay()
        ndcg = {name: ndcg_of_rank(ranks) for name, ranks in result.ranks.items()}
        return ndcg, replay.events.user[result.requests]

    def while_time(self, started: float, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items while another one can end in time, if it takes as long as the longest so far.

        `started` is the clock's time before the first replay.
        """
        longest, last = 0.0, started
        for item in items:
            now = self.clock()
            longest, last = max(longest, now - last), now
            if now - started + longest > self.seconds:
                return
            yield item


def warm_up(dataset: FeedDataset, test_from: float | None) -> FeedDataset:
    """The feed at the start of its test part. Later posts stay in the table, but no request can reach them.

    `test_from` is in seconds; by default the test part starts after 80 % of the events.
    """
    events, follows, posts = dataset.events, dataset.follows, dataset.posts
    if test_from is None:
        test_from = float(events.time[int(0.8 * len(events))]) if len(events) else 0.0
    return replace(
        dataset,
        events=events[slice(0, int(np.searchsorted(events.time, test_from)))],
        posts=replace(posts, created_us=np.where(posts.created < test_from, posts.created_us, NO_TIME)),
        follows=replace(follows, since_us=np.where(follows.since < test_from, follows.since_us, NO_TIME)),
    )


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of some options. `changed` names the option that differs from the best options before."""

    changed: str
    options: TrainingOptions
    served: Estimate
    formula: Estimate

    @property
    def ndcg(self) -> float:
        """NDCG@10 of the better ranker, which training would publish."""
        return max(self.served.mean, self.formula.mean)


def search(replays: TimedReplays, start: TrainingOptions) -> list[Trial]:
    """Change one option at a time and keep each improvement, until the time is over. The first trial is `start`."""
    started = replays.clock()
    trials: list[Trial] = []

    def measure(changed: str, options: TrainingOptions) -> None:
        ndcg, users = replays.ndcg(_RANKERS, options)
        trials.append(Trial(changed, options, *(bootstrap(ndcg[name], users) for name in _RANKERS)))

    measure("as given", start)
    for changed, options in replays.while_time(started, _changes(lambda: best_of(trials).options)):
        measure(changed, options)
    return trials


def best_of(trials: Sequence[Trial]) -> Trial:
    """The trial with the largest NDCG@10; the first of equal ones."""
    return max(trials, key=lambda trial: trial.ndcg)


def _changes(best: Callable[[], TrainingOptions]) -> Iterator[tuple[str, TrainingOptions]]:
    """The name of each change, and the best options so far with this change."""
    for group, values_by_option in (("learning", LEARNING_VALUES), ("ranking", _RANKING_VALUES)):
        for option, values in values_by_option.items():
            for value in values:
                before = best()
                changed = replace(before, **{group: replace(getattr(before, group), **{option: value})})
                text = "/".join(map(str, value)) if isinstance(value, tuple) else str(value)
                if changed != before:
                    yield f"{group}.{option} = {text}", changed


@dataclass(frozen=True, slots=True)
class Ablation:
    """The effect of removing one part of the ranking.

    ndcg     NDCG@10 of `served` without the part
    change   `ndcg` minus that of the whole ranking, paired by request: below 0 if the part helps
    matters  whether the interval of the change lies below 0
    """

    part: str
    ndcg: Estimate
    change: Estimate
    matters: bool


def parts(options: TrainingOptions) -> Iterator[tuple[str, TrainingOptions]]:
    """The name of each source, half-life of the trending source and group of inputs, with options that exclude it."""
    ranking, learning = options.ranking, options.learning
    for source in learned_sources(ranking):
        excluded = (*ranking.exclude_sources, source.name)
        yield f"source {source.name}", options.with_ranking(exclude_sources=excluded)
    half_lives = ranking.trending_source_half_lives_hours
    for hours in half_lives if len(half_lives) > 1 else ():
        others = tuple(other for other in half_lives if other != hours)
        yield f"trending {hours:g} h", options.with_ranking(trending_source_half_lives_hours=others)
    for group in user_features.groups():
        without = replace(learning, without=(*learning.without, group))
        yield f"inputs {group}", replace(options, learning=without)


def ablate(replays: TimedReplays, options: TrainingOptions) -> tuple[Estimate, list[Ablation]]:
    """NDCG@10 of the whole ranking, and the effect of each part: the ranking is refitted and replayed without it.

    Parts that do not fit into the time are skipped.
    """
    started = replays.clock()
    whole, users = replays.ndcg(["served"], options)
    results: list[Ablation] = []
    for name, without in replays.while_time(started, parts(options)):
        ndcg = replays.ndcg(["served"], without)[0]["served"]
        change = bootstrap(ndcg - whole["served"], users)
        results.append(Ablation(name, bootstrap(ndcg, users), change, matters=change.high < 0))
    return bootstrap(whole["served"], users), results
