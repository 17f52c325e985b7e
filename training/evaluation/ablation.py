"""Measures the effect of each part of the ranking: refits and replays the served pipeline without it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from app.domain.ranking import user_features
from training.evaluation.metrics import Estimate, bootstrap
from training.evaluation.timed_replays import TimedReplays
from training.learning.negative_sampling import learned_sources
from training.learning.training_options import TrainingOptions


@dataclass(frozen=True, slots=True)
class Ablation:
    """The effect of removing one part.

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


def ablate(
    replays: TimedReplays, options: TrainingOptions, *, on_result: Callable[[], None] = lambda: None
) -> tuple[Estimate, list[Ablation]]:
    """NDCG@10 of the whole ranking, and the effect of removing each of its parts, until the time is over."""
    started = replays.clock()
    whole, users = replays.ndcg(["served"], options)
    results: list[Ablation] = []
    for name, without in replays.while_time(started, parts(options)):
        ndcg = replays.ndcg(["served"], without)[0]["served"]
        change = bootstrap(ndcg - whole["served"], users)
        results.append(Ablation(name, bootstrap(ndcg, users), change, matters=change.high < 0))
        on_result()
    return bootstrap(whole["served"], users), results
