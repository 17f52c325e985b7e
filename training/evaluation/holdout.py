"""The owner's table: precision@5, recall@5 and ndcg@5 of the posts that users chose after a split in time."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.choice_model import ChoiceModel
from training.evaluation.metrics import Estimate, bootstrap_rows
from training.evaluation.rankers import LEARNED_RANKERS, RANKERS, rank
from training.replay.replay import Replay

HOLDOUT_RANKERS: Final = tuple(name for name in RANKERS if name not in LEARNED_RANKERS)
"""The rankers that need no learned model."""
_K: Final = 5


def holdout_metrics(
    replay: Replay, rankers: Sequence[str], *, model: ChoiceModel | None = None, at_most: int = 20_000
) -> dict[str, dict[str, Estimate]]:
    """Compare each ranker's first five posts at the split (`replay.test_from`) with the posts chosen after it.

    The table covers users with events before the split; of more than `at_most` users, those with the smallest hash.
    A post is relevant if it existed before the split and the user chose it afterwards. Rankers know nothing at or
    after the split, so `replay` must not be beyond it. `model` is for the learned rankers.
    """
    held_out_users = held_out(replay, at_most)
    top = {name: np.full((len(held_out_users), _K), -1, np.int64) for name in rankers}
    for row, (user, relevant) in enumerate(held_out_users.items()):
        request = replay.request_for(user, int(relevant[0]), replay.test_from)
        for name in rankers:
            posts = rank(name, replay.options, request, model).top[:_K]
            top[name][row, : len(posts)] = posts
    users, relevant_posts = np.array([*held_out_users], np.int64), [*held_out_users.values()]
    summaries = {}
    for name, lists in top.items():
        numbers = replay.timeline.user_row[users]  # by first occurrence, in whatever order the feed was read
        estimates = bootstrap_rows(_precision_recall_ndcg(lists, relevant_posts), numbers)
        summaries[name] = dict(zip(("precision@5", "recall@5", "ndcg@5"), estimates, strict=True))
    return summaries


def held_out(replay: Replay, at_most: int) -> dict[int, NDArray[np.intp]]:
    """Users with events before the split -> the rows of the existing posts that they chose after it."""
    events, times = replay.dataset.events, replay.events.time
    after = replay.test_requests(len(replay.requests))
    existed = replay.timeline.exists_since[events.post[after]] < replay.test_from
    after = after[existed & np.isin(events.user[after], events.user[times < replay.test_from])]
    after = after[np.argsort(events.user[after], kind="stable")]
    users, first = np.unique(events.user[after], return_index=True)
    rows = np.split(replay.events.post[after].astype(np.intp), first[1:])
    by_hash = np.argsort(replay.hashes(after[first]), kind="stable")
    selected = by_hash[:at_most] if len(users) > at_most else range(len(users))
    return {int(users[i]): rows[i] for i in selected}


def _precision_recall_ndcg(
    lists: NDArray[np.int64], relevant_posts: Sequence[NDArray[np.intp]]
) -> NDArray[np.float64]:
    """(3, n_users) precision, recall and NDCG of the lists; -1 in a list is an empty position.

    Binary gain, log2 discount, relative to the ideal order (Järvelin & Kekäläinen 2002).
    """
    discount = 1 / np.log2(np.arange(2, _K + 2))
    values = np.zeros((3, len(lists)))
    for row, (posts, relevant) in enumerate(zip(lists, relevant_posts, strict=True)):
        is_hit = np.isin(posts, relevant)
        ndcg = discount[is_hit].sum() / discount[: len(relevant)].sum()
        values[:, row] = is_hit.sum() / _K, is_hit.sum() / len(relevant), ndcg
    return values
