"""Search how to learn from this feed, in a bounded time: `python -m training.tune --output FILE --help`.

`--ablate` measures instead what each source, half-life and group of inputs contributes.

Only the part of the feed before the test part is looked at: an inner replay of it ends where the evaluation begins,
so figures of `training.evaluate` on the same feed stay honest. `training.train --settings FILE` reads the result.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar, get_type_hints

import numpy as np
from pydantic import TypeAdapter, ValidationError
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.domain.feed.dataset import FeedDataset
from app.domain.ranking import user_features
from app.domain.ranking.options import FormulaWeights, RankingOptions
from app.infrastructure.config.ranking_settings import FORMULA_BOUNDS, RANKING_BOUNDS, ranking_options
from app.infrastructure.config.settings import read_settings
from app.shared.atomic_file import write_atomically
from app.shared.command_line import OneLineParser, duration, fail, whole_number
from data.feed_arguments import add_feed_arguments, check_feed_arguments, timestamp
from training.evaluation.ablation import ablate, parts
from training.evaluation.metrics import Estimate, bootstrap, ndcg_of_rank
from training.evaluation.prequential import run
from training.evaluation.time_budget import TimeBudget
from training.feed_source import UNREADABLE, read_dataset
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds
from training.reporting.console import ablation_table, interval, progress_bar

_PROG: Final = "training.tune"
_ENOUGH: Final = 100  # requests of the inner test part, under which a comparison says nothing

LEARNING: Final[dict[str, Sequence[Any]]] = {
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
RANKING: Final[dict[str, Sequence[Any]]] = {
    "candidates": (50, 100, 200, 400),
    "neighbours": (10, 50, 200),
    "trending_half_life_hours": (1.0, 6.0, 24.0, 168.0),
}
"""What is tried of each option, one at a time."""

Options = TypeVar("Options", RankingOptions, FormulaWeights, LearningOptions)


class BadSettings(ValueError):
    """A settings file that cannot be used; the message names the file and the place in it."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search found: how to rank and how to learn."""

    ranking: RankingOptions
    learning: LearningOptions

    def to_json(self) -> dict[str, Any]:
        """For the settings file."""
        return {"ranking": asdict(self.ranking), "learning": asdict(self.learning)}


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration and what it reached."""

    changed: str
    tuned: Tuned
    served: Estimate
    formula: Estimate

    @property
    def reached(self) -> float:
        """NDCG@10 of the better of the two: what would be published."""
        return max(self.served.mean, self.formula.mean)


def warm_up(history: FeedDataset, test_from: float | None) -> FeedDataset:
    """The feed as it stood at the start of its test part. Posts that come later stay listed, but nobody meets them."""
    events = history.events
    if test_from is None:
        test_from = float(events.time[int(0.8 * len(events))]) if len(events) else 0.0
    known = events[slice(0, int(np.searchsorted(events.time, test_from)))]
    follows, posts = history.follows, history.posts
    # what is dated at or after the split exists after everything that is replayed, and so is never seen
    return replace(
        history,
        events=known,
        posts=replace(posts, created=np.where(posts.created < test_from, posts.created, np.inf)),
        follows=replace(follows, since=np.where(follows.since < test_from, follows.since, np.nan)),
    )


def search(
    dataset: FeedDataset,
    start: Tuned,
    *,
    seconds: float,
    requests: int,
    workers: int | None = None,
    clock: Callable[[], float] = perf_counter,
    on_trial: Callable[[Trial], None] | None = None,
) -> list[Trial]:
    """Try one change after the other, keep what helps, until `seconds` are over. The first trial is `start`.

    Coordinate search: an option's values are tried against the best so far. No trial is begun that would, taking as
    long as the longest so far, end late.
    """
    budget = TimeBudget(seconds, clock)
    targets = target_kinds(dataset)
    trials: list[Trial] = []

    def tried(changed: str, tuned: Tuned) -> Trial:
        trial = _trial(dataset, targets, changed, tuned, requests, workers)
        trials.append(trial)
        if on_trial is not None:
            on_trial(trial)
        return trial

    best = tried("as given", start)
    for group, option, value in _changes():
        tuned = _changed(best.tuned, group, option, value)
        if tuned == best.tuned:
            continue
        if not budget.allows_another():
            break
        trial = tried(f"{group}.{option} = {_plain(value)}", tuned)
        if trial.reached > best.reached:
            best = trial
    return trials


def best_of(trials: Sequence[Trial]) -> Trial:
    """The trial that reached most; of equal ones the earliest."""
    return max(trials, key=lambda trial: trial.reached)


def read_tuned(path: Path) -> Tuned:
    """The settings file that a search wrote. Raises BadSettings and OSError."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadSettings(f"{path}: not JSON: {error}") from None
    if not isinstance(given, dict):
        raise BadSettings(f"{path}: must be an object with 'ranking' and 'learning'")
    if unknown := given.keys() - {"ranking", "learning"}:
        raise BadSettings(f"{path}: {min(unknown)}: no such part (there are ranking, learning)")
    ranking = _read(path, "ranking", given.get("ranking", {}), RankingOptions())
    learning = _read(path, "learning", given.get("learning", {}), LearningOptions())
    inputs = {*user_features.names(), *user_features.groups()}
    for name in learning.without:
        if name not in inputs:
            raise BadSettings(f"{path}: learning.without: {name!r} is no input and no group of inputs")
    return Tuned(ranking, learning)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _arguments(argv)
    try:
        settings = read_settings()
        history = warm_up(
            read_dataset(args, settings), args.test_from.timestamp() if args.test_from else None
        )
    except UNREADABLE as error:
        return fail(_PROG, error)
    start = Tuned(ranking_options(settings), LearningOptions(seed=args.seed))
    inner = Replay(history, start.ranking, targets=target_kinds(history)) if len(history.events) else None
    have = len(inner.test_requests(args.requests)) if inner else 0
    if have < _ENOUGH:
        return fail(
            _PROG, f"too little to tune on: {have} requests in the warm-up's last fifth, {_ENOUGH} are needed"
        )
    try:
        with threadpool_limits(limits=1), progress_bar("tune (s)") as bar:
            began = perf_counter()

            def progress() -> None:
                bar(int(min(perf_counter() - began, args.time)), int(args.time))

            if args.ablate:
                _ablate(args, history, start, settings.training_workers, progress)
            else:
                _tune(args, history, start, settings.training_workers, progress)
    except ChildProcessError as error:
        return fail(_PROG, error)
    except OSError as error:
        return fail(_PROG, f"--output {args.output}: cannot be written: {error.strerror or error}")
    return 0


def _ablate(
    args: argparse.Namespace,
    history: FeedDataset,
    start: Tuned,
    workers: int | None,
    progress: Callable[[], None],
) -> None:
    whole, results = ablate(
        history,
        start.ranking,
        start.learning,
        seconds=args.time,
        requests=args.requests,
        workers=workers,
        on_result=progress,
    )
    skipped = len(list(parts(start.ranking, start.learning))) - len(results)
    if args.json:
        rows = [one.to_json() for one in results]
        print(json.dumps({"served": asdict(whole), "parts": rows, "skipped": skipped}, indent=2))
        return
    ablation_table(whole, results)
    if skipped:
        print(f"{skipped} parts were not measured in {args.time:.0f} s: give more time with --time")


def _tune(
    args: argparse.Namespace,
    history: FeedDataset,
    start: Tuned,
    workers: int | None,
    progress: Callable[[], None],
) -> None:
    trials = search(
        history,
        start,
        seconds=args.time,
        requests=args.requests,
        workers=workers,
        on_trial=lambda _: progress(),
    )
    best = best_of(trials)
    write_atomically(args.output, [json.dumps(best.tuned.to_json(), indent=2).encode(), b"\n"])
    rows = [(one.changed, one.served, one.formula) for one in trials]
    if args.json:
        told = [{"changed": c, "served": asdict(s), "formula": asdict(f)} for c, s, f in rows]
        print(json.dumps({"best": best.changed, "trials": told, **best.tuned.to_json()}, indent=2))
        return
    for changed, served, formula in rows:
        print(f"{changed:<40} served {interval(served)}  formula {interval(formula)}")
    print(f"{args.output}: NDCG@10 {trials[0].reached:.4f} -> {best.reached:.4f} on the warm-up's last fifth")


def _trial(
    history: FeedDataset,
    targets: frozenset[int],
    changed: str,
    tuned: Tuned,
    requests: int,
    workers: int | None,
) -> Trial:
    replay = Replay(history, tuned.ranking, targets=targets, seed=tuned.learning.seed)
    outcome = run(replay, ["formula", "served"], tuned.learning, max_requests=requests, workers=workers)
    users = replay.events.user[outcome.requests]
    served, formula = (bootstrap(ndcg_of_rank(outcome.ranks[name]), users) for name in ("served", "formula"))
    return Trial(changed, tuned, served, formula)


def _changes() -> Iterator[tuple[str, str, Any]]:
    for group, options in (("learning", LEARNING), ("ranking", RANKING)):
        for option, values in options.items():
            for value in values:
                yield group, option, value


def _changed(tuned: Tuned, group: str, option: str, value: Any) -> Tuned:
    if group == "learning":
        return replace(tuned, learning=replace(tuned.learning, **{option: value}))
    return replace(tuned, ranking=replace(tuned.ranking, **{option: value}))


def _plain(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _bounds(defaults: Options) -> Mapping[str, TypeAdapter[Any]]:
    """The type of each option with its bounds."""
    if isinstance(defaults, RankingOptions):
        return RANKING_BOUNDS
    if isinstance(defaults, FormulaWeights):
        return FORMULA_BOUNDS
    return {
        name: TypeAdapter(kind) for name, kind in get_type_hints(type(defaults), include_extras=True).items()
    }


def _read(path: Path, place: str, given: object, defaults: Options) -> Options:
    """`defaults` with what is given, each value within the bounds that its type carries."""
    if not isinstance(given, dict):
        raise BadSettings(f"{path}: {place}: must be an object")
    bounds = _bounds(defaults)
    values: dict[str, Any] = {}
    for name, value in given.items():
        here = f"{place}.{name}"
        if name not in bounds:
            raise BadSettings(f"{path}: {here}: no such option (there are {', '.join(bounds)})")
        default = getattr(defaults, name)
        if isinstance(default, FormulaWeights):
            values[name] = _read(path, here, value, default)
            continue
        if isinstance(default, Mapping) and isinstance(value, dict):
            value = {**default, **value}
        try:
            values[name] = bounds[name].validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            within = "".join(f".{part}" for part in first["loc"] if part != "[key]")
            what = json.dumps(first["input"])[:80]
            raise BadSettings(f"{path}: {here}{within}: {what}: {first['msg'].lower()}") from None
    return replace(defaults, **values)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineParser(prog=_PROG, description="Search how to learn from this feed, on its warm-up only.")
    add_feed_arguments(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="settings file to write (JSON)")
    parser.add_argument(
        "--ablate",
        action="store_true",
        help="write nothing; measure the ranking without each of its sources, half-lives and groups of inputs",
    )
    parser.add_argument("--time", type=duration, default=600.0, metavar="10m", help="default: 10m")
    parser.add_argument(
        "--test-from",
        type=timestamp,
        metavar="TIME",
        help="start of the test part (default: after 80 %% of the rows)",
    )
    parser.add_argument("--requests", type=whole_number(1), default=1000, metavar="N", help="default: 1000")
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of everything drawn (default: 0)")
    parser.add_argument("--json", action="store_true", help="print the trials for a program")
    args = parser.parse_args(argv)
    check_feed_arguments(parser, args)
    if args.ablate:
        if args.output is not None:
            parser.error("argument --output: does not go with --ablate, which writes no settings")
        return args
    if args.output is None:
        parser.error("the following arguments are required: --output")
    if args.output.is_dir() or not args.output.parent.is_dir():
        why = "is a folder" if args.output.is_dir() else "its folder is not there"
        parser.error(f"argument --output: {args.output}: {why}")
    return args


if __name__ == "__main__":
    sys.exit(main())
