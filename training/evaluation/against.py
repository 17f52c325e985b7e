"""Compares the service's ranking with the order that a feed has now."""

from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from app.infrastructure.database.past_query import PastQuery
from app.shared.command_line import preview
from training.evaluation.metrics import METRICS, Estimate, bootstrap, widened
from training.evaluation.prequential import ReplayResult
from training.evaluation.rankers import RANKERS
from training.evaluation.replay_job import AGAINST
from training.replay.replay import Replay

OURS: Final = "served"
_MIN_USERS: Final = 6
"""If two rankings are equally good, all of k users prefer the same one by chance with probability 2^(1 - k): of fewer
than six users, even all show nothing at the level of 95 %."""


def parse_against(text: str) -> str | PastQuery:
    """An argument type: the name of a ranker, a file with SQL, or SQL."""
    if text in RANKERS and text != OURS:
        return text
    if len(text.split()) > 1:
        return PastQuery("--against", text)
    try:
        return PastQuery(text, Path(text).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        rankers = ", ".join(name for name in RANKERS if name != OURS)
        raise ArgumentTypeError(
            f"{preview(text)}: {reason}; give a file with a SELECT, a SELECT, or one of {rankers}"
        ) from None


@dataclass(frozen=True, slots=True)
class OrderComparison:
    """Metrics of two rankings on the same requests: the order that a feed has now, and `served`.

    order       the ranker, or the place of the SQL
    difference  the mean of ours - theirs, with the interval of the paired differences, widened for few users
    """

    order: str
    theirs: Mapping[str, Estimate]
    ours: Mapping[str, Estimate]
    difference: Mapping[str, Estimate]
    verdict: str


def compare_orders(replay: Replay, result: ReplayResult, order: str, seed: int = 0) -> OrderComparison:
    """Compare the rankers `served` and `against` of a replay. The bootstrap over users is paired by request."""
    users = replay.events.user[result.requests]
    n_users = len(np.unique(users))
    theirs, ours = result.ranks[AGAINST], result.ranks[OURS]
    difference = {
        metric: widened(bootstrap(of_rank(ours) - of_rank(theirs), users, seed), n_users)
        for metric, of_rank in METRICS.items()
    }
    return OrderComparison(
        order,
        {metric: bootstrap(of_rank(theirs), users, seed) for metric, of_rank in METRICS.items()},
        {metric: bootstrap(of_rank(ours), users, seed) for metric, of_rank in METRICS.items()},
        difference,
        _verdict(difference["ndcg@10"], n_users),
    )


def _verdict(difference: Estimate, n_users: int) -> str:
    """One sentence on the difference in NDCG@10."""
    figures = f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
    if n_users < _MIN_USERS:
        return f"no difference can be shown with the requests of {n_users} users; at least {_MIN_USERS} are needed"
    if difference.low > 0:
        return f"ours places the post they chose higher: {figures}"
    if difference.high < 0:
        return f"theirs places the post they chose higher: {figures}"
    return f"no difference can be shown with {difference.n:,} requests: {figures}"
