"""Evaluates rankings on the pages in the database that were drawn at random."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import FeedDataset
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.simple_rankings import LEARNED
from app.infrastructure.config.ranking_settings import live_post_limits, ranking_options
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.drawn_pages import DrawnPage, SqlDrawnPages
from app.shared.exceptions import ConfigurationError
from app.shared.progress import Progress
from training.evaluation.acceptance import SELECTABLE
from training.evaluation.prequential import replay_rankers
from training.feed_source import read_dataset
from training.learning.model_selection import LearningOptions
from training.off_policy.estimators import OffPolicyEstimate, OffPolicyResult, evaluate_off_policy
from training.off_policy.page_replay import drawn_places
from training.replay.replay import Replay, target_kinds

_COMPLETE_AFTER: Final = timedelta(days=1)
"""Users may still act on the posts of a younger page."""


@dataclass(frozen=True, slots=True)
class OffPolicyEvaluation:
    """Target events of a page in its first places: on the drawn pages, and by each ranking."""

    targets: Sequence[str]
    pages: int
    users: int
    drawn: OffPolicyEstimate | None
    rankings: dict[str, OffPolicyResult]


def evaluate_off_policy_of_database(
    args: argparse.Namespace, settings: Settings, progress: Progress
) -> OffPolicyEvaluation:
    """Evaluate `args.rankers` (default: all of SELECTABLE) on the newest `args.max_requests` pages.

    The learned model is fitted on what came before the first of them. Raises ConfigurationError without pages, and the
    errors of `read_dataset`.
    """
    dataset = read_dataset(args, settings, args.memory_limit)
    targets = target_kinds(dataset, args.targets)
    names = [INTERACTION_TYPES[kind] for kind in sorted(targets)]
    now = settings.feed_now or datetime.now(UTC)
    with cli_engine(settings) as engine:
        storage = SqlDrawnPages(engine, feed_schema(engine, settings.db_schema), settings.load_budget_seconds)
        pages = storage.read(names, now - _COMPLETE_AFTER)[-args.max_requests :]
    if not pages:
        raise ConfigurationError(
            "no page was drawn at random more than a day ago; set RANDOMISED_SHARE, and evaluate some days later"
        )
    rankings = args.rankers or list(SELECTABLE)
    model = _fit(args, settings, dataset, targets, pages[0]) if LEARNED in rankings else None
    if LEARNED in rankings and model is None:
        raise ConfigurationError("too few choices before the first page to learn from; name other --rankers")
    replay = _replay(args, settings, dataset, targets, pages[0])
    places = drawn_places(replay, pages, rankings, model, settings.randomised_temperature, progress)
    rng = np.random.default_rng(args.seed)
    found = {name: evaluate_off_policy(of_ranking, rng) for name, of_ranking in places.items()}
    first = places[rankings[0]]
    itself = evaluate_off_policy(replace(first, target=first.logged), rng)
    return OffPolicyEvaluation(names, itself.pages, itself.users, itself.snips, found)


def _fit(
    args: argparse.Namespace,
    settings: Settings,
    dataset: FeedDataset,
    targets: frozenset[int],
    first: DrawnPage,
) -> ChoiceModel | None:
    """The learned model as of the first page; None with too few choices before it."""
    models: list[ChoiceModel | None] = []
    replay_rankers(
        _replay(args, settings, dataset, targets, first),
        [LEARNED],
        LearningOptions(seed=args.seed),
        max_requests=1,
        at_split=models.append,
        selects_served=False,
    )
    return models[0] if models else None


def _replay(
    args: argparse.Namespace,
    settings: Settings,
    dataset: FeedDataset,
    targets: frozenset[int],
    first: DrawnPage,
) -> Replay:
    return Replay(
        dataset,
        ranking_options(settings),
        targets=targets,
        test_from=first.shown_at.timestamp(),
        refit_every=args.refit_every,
        seed=args.seed,
        live_posts=live_post_limits(settings),
    )
