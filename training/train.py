"""Train on the feed in the database and publish what the evidence speaks for: `python -m training.train --help`."""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.domain.errors import ModelUnavailable
from app.domain.feed.timeline import FeedTimeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.options import FormulaWeights, RankingOptions
from app.domain.repositories.feed_log import FeedSnapshot
from app.domain.repositories.model_registry import ModelRecord
from app.infrastructure.config.ranking_settings import ranking_options
from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.collaborative_filter import CollaborativeFilter
from app.infrastructure.ml.content_scorer import TextSpace
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import OneLineParser, existing_file, fail, whole_number
from app.shared.progress import progress_bars
from training.evaluation.acceptance import compare, estimates_of, rejection_reasons, select_algorithm
from training.evaluation.holdout import holdout_metrics
from training.evaluation.metrics import Estimate
from training.evaluation.prequential import run
from training.feed_source import UNREADABLE, read_database
from training.learning.model_selection import FEWEST_REQUESTS, FitResult, LearningOptions, select_model
from training.preprocess import build_interaction_matrix
from training.replay.replay import Replay, target_kinds
from training.tune import Tuned, read_tuned

_PROG: Final = "training.train"
_RANKERS: Final = ("random", "trending_1h", "trending_1d", "formula", "learned")
_REQUESTS: Final = 1000
_OWNER_USERS: Final = 500

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What training made of a feed. `rejection_reasons` speak against publishing it.

    `seconds` it took: `learn` (the replay up to the split, what is sampled on the way, and every fit), `figures` (the
    owner's table, the replay after the split, where the rankers are asked, and the active model's configuration
    refitted), and `refit` (of the choice, on everything).
    """

    model: ServedModel
    figures: dict[str, Any]
    config: dict[str, Any]
    note: str
    rejection_reasons: Sequence[str]
    seconds: dict[str, float]


class _Stopwatch:
    """Where the time went: `lap` ends a stretch of it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._since = perf_counter()

    def lap(self, stage: str) -> None:
        """All since the last call belongs to `stage`."""
        now = perf_counter()
        self.seconds[stage] += now - self._since
        self._since = now


class NothingToTrainOn(Exception):
    """The feed has no interaction."""


def train(
    feed: FeedSnapshot,
    ranking: RankingOptions,
    learning: LearningOptions,
    active: ModelRecord | None,
    progress: Progress,
    workers: int | None = None,
) -> Trained:
    """Replay the feed, learn from it, choose by held-out time, and refit the choice on everything.

    `workers` as in `prequential.run`. Raises NothingToTrainOn, and ChildProcessError when a worker is killed.
    """
    if not len(feed.dataset.events):
        raise NothingToTrainOn("the feed has no interaction yet: seed or import one, or wait for users")
    clock = _Stopwatch()
    replay = Replay(feed.dataset, ranking, targets=target_kinds(feed.dataset), seed=learning.seed)
    tables: dict[str, dict[str, Estimate]] = {}

    def note_owner_figures(model: ChoiceModel | None) -> None:
        """precision@5, recall@5 and ndcg@5 of either that may be published, at the same split in time."""
        clock.lap("learn")
        tables.update(holdout_metrics(replay, ["formula", "learned"], model=model, at_most=_OWNER_USERS))
        clock.lap("figures")

    result = run(
        replay,
        _RANKERS,
        learning,
        max_requests=_REQUESTS,
        samples_all=True,
        workers=workers,
        progress=lambda done, total: progress("replay", done, total),
        at_split=note_owner_figures,
    )
    users = replay.events.user[result.requests]
    choice = select_algorithm(result.ranks, len(result.requests))
    champion = _champion_ranks(feed, active, choice.algorithm, ranking, learning, progress, workers)
    figures: dict[str, Any] = {
        **{name: figure.mean for name, figure in tables[choice.algorithm].items()},
        "prequential": estimates_of(result.ranks, users),
        "requests": len(result.requests),
    }
    if len(result.requests):
        against_random = compare(result.ranks[choice.algorithm], result.ranks["random"], users)
        figures["against_random"] = asdict(against_random)
    if champion is not None and len(result.requests):
        figures["against_active"] = asdict(compare(result.ranks[choice.algorithm], champion, users))
    clock.lap("figures")
    learned = None
    if choice.algorithm == "learned":
        learned = select_model(result.examples.choice_sets(), result.examples.full_choice_sets(), learning)
        figures["log_likelihood"] = learned.tried
    clock.lap("learn")
    progress("fit", 1, 2)
    model = fit_everything(feed, ranking, learned.model if learned else None, figures)
    clock.lap("refit")
    progress("fit", 2, 2)
    return Trained(
        model=model,
        figures=figures,
        config=configuration(choice.algorithm, ranking, learning, learned),
        note=choice.why,
        rejection_reasons=rejection_reasons(
            result.ranks[choice.algorithm], users, result.ranks["random"], champion
        ),
        seconds=clock.seconds,
    )


def fit_everything(
    feed: FeedSnapshot, ranking: RankingOptions, choice: ChoiceModel | None, figures: dict[str, Any]
) -> ServedModel:
    """The neighbour model, the text space and the snapshot, of the whole feed."""
    chronicle = FeedTimeline(feed.dataset, replay=False)
    text = TextSpace.fit(chronicle.first_texts())
    chronicle.embed_texts(text)
    state = chronicle.apply_all()
    matrix = build_interaction_matrix(
        chronicle.events, ranking.kind_weights(), (state.n_users, state.n_posts)
    )
    neighbours = min(ranking.neighbours, state.n_users)
    return ServedModel(
        options=ranking,
        user_keys=list(state.user_rows),
        post_keys=list(state.post_rows),
        collaborative_filter=CollaborativeFilter.fit(matrix, neighbours),
        text_space=text,
        choice_model=choice,
        snapshot=state.snapshot(),
        position=feed.position,
        figures=figures,
    )


def configuration(
    algorithm: str, ranking: RankingOptions, learning: LearningOptions, learned: FitResult | None
) -> dict[str, Any]:
    """What a model is made by, as the registry keeps it: enough to refit it on other data."""
    return {
        "algorithm": "collaborative_filtering" if algorithm == "formula" else "learned_choice",
        "n_neighbors": ranking.neighbours,
        "ranking": asdict(ranking),
        "learning": asdict(learning),
        "chosen": None if learned is None else asdict(learned.variant),
    }


def _champion_ranks(
    feed: FeedSnapshot,
    active: ModelRecord | None,
    algorithm: str,
    ranking: RankingOptions,
    learning: LearningOptions,
    progress: Progress,
    workers: int | None,
) -> NDArray[np.int64] | None:
    """Ranks by the active model's configuration, refitted inside the same replay; None where it is the same one."""
    if active is None:
        return None
    try:
        theirs, their_ranking, their_learning = _read_configuration(active.config)
    except (KeyError, TypeError, ValueError):
        return None  # of another version: it cannot be refitted here
    same_learning = theirs == "formula" or their_learning == learning
    if theirs == algorithm and their_ranking == ranking and same_learning:
        return None
    replay = Replay(feed.dataset, their_ranking, targets=target_kinds(feed.dataset), seed=learning.seed)
    result = run(
        replay,
        [theirs],
        their_learning,
        max_requests=_REQUESTS,
        workers=workers,
        progress=lambda done, total: progress("active model", done, total),
    )
    return result.ranks[theirs]


def _read_configuration(config: Mapping[str, Any]) -> tuple[str, RankingOptions, LearningOptions]:
    algorithm = {"collaborative_filtering": "formula", "learned_choice": "learned"}[config["algorithm"]]
    ranking, learning = dict(config["ranking"]), dict(config["learning"])
    ranking["formula"] = FormulaWeights(**ranking["formula"])
    learning |= {name: tuple(learning[name]) for name in ("ridges", "units", "without")}
    return algorithm, RankingOptions(**ranking), LearningOptions(**learning)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _parser().parse_args(argv)
    clock = _Stopwatch()
    try:
        settings = read_settings()
        tuned = (
            read_tuned(args.settings)
            if args.settings
            else Tuned(ranking_options(settings), LearningOptions())
        )
        registry = open_registry(settings, publishes=True)
        with ThreadPoolExecutor(1) as meanwhile:  # scikit-learn takes longer to import than the feed to read
            meanwhile.submit(import_module, "sklearn.linear_model")
            whole = read_database(settings)
        clock.lap("read")
        with threadpool_limits(limits=1), progress_bars() as bars:
            tasks: dict[str, Any] = {}

            def progress(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(what, total=total)
                bars.update(tasks[what], completed=done)

            requests = args.learn_from or tuned.learning.requests
            learning = replace(tuned.learning, requests=requests, seed=args.seed)
            trained = train(
                whole, tuned.ranking, learning, registry.active(), progress, settings.training_workers
            )
        clock.lap("train")
        refused = bool(trained.rejection_reasons)
        record = registry.publish(
            trained.model.to_artifact(),
            metrics=trained.figures,
            config=trained.config,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            status="rejected" if refused else "active",
            note="; ".join([*trained.rejection_reasons, trained.note]),
        )
        clock.lap("publish")
    except NothingToTrainOn as error:
        print(f"{_PROG}: {error}", file=sys.stderr)
        return 1
    except (*UNREADABLE, ModelUnavailable) as error:
        return fail(_PROG, error)
    stages = {"read": clock.seconds["read"], **trained.seconds, "publish": clock.seconds["publish"]}
    total = round(sum(clock.seconds.values()), 1)
    stages = {stage: round(seconds, 1) for stage, seconds in stages.items()}
    if args.json:
        print(json.dumps({**asdict(record), "seconds": total, "stages": stages}, default=str))
    else:
        _tell(record, trained, total, stages)
    if refused:
        print(
            f"{_PROG}: {record.version} is not published: {'; '.join(trained.rejection_reasons)}",
            file=sys.stderr,
        )
    return 1 if refused else 0


def _tell(record: ModelRecord, trained: Trained, seconds: float, stages: Mapping[str, float]) -> None:
    for name, figures in trained.figures["prequential"].items():
        ndcg = figures["ndcg@10"]
        print(
            f"{name:<14} NDCG@10 {ndcg['mean']:.4f}  [{ndcg['low']:.4f}, {ndcg['high']:.4f}]  n={ndcg['n']}"
        )
    print(
        f"{record.version}: {record.status}, {record.config['algorithm']}, {record.filename}, {seconds} s "
        f"({', '.join(f'{stage} {one}' for stage, one in stages.items())})"
    )
    print(record.note)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=_PROG, description="Train on the feed in the database, evaluate, and publish."
    )
    parser.add_argument("--json", action="store_true", help="print the registry's record for a program")
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of everything drawn (default: 0)")
    parser.add_argument(
        "--learn-from",
        type=whole_number(FEWEST_REQUESTS),
        metavar="N",
        help=f"requests of the past to learn from (default: {LearningOptions().requests}, or as in --settings)",
    )
    parser.add_argument(
        "--settings",
        type=existing_file,
        metavar="FILE",
        help="what training.tune found, instead of the environment's",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
