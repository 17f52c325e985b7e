"""Searches for better ranking and learning options on the part of a feed before its test part."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from app.domain.feed.dataset import NO_TIME, FeedDataset
from training.evaluation.metrics import Estimate, bootstrap
from training.evaluation.timed_replays import TimedReplays
from training.learning.training_options import TrainingOptions

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

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {"changed": self.changed, "served": asdict(self.served), "formula": asdict(self.formula)}


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


def search(
    replays: TimedReplays, start: TrainingOptions, *, on_trial: Callable[[], None] = lambda: None
) -> list[Trial]:
    """Change one option at a time and keep each improvement, until the time is over. The first trial is `start`."""
    started = replays.clock()
    trials: list[Trial] = []

    def measure(changed: str, options: TrainingOptions) -> None:
        ndcg, users = replays.ndcg(_RANKERS, options)
        trials.append(Trial(changed, options, *(bootstrap(ndcg[name], users) for name in _RANKERS)))
        on_trial()

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
