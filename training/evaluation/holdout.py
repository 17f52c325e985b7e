"""The owner's table: precision@5, recall@5 and ndcg@5 of what users went on to choose, over a split in time."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.choice_model import ChoiceModel
from training.evaluation.metrics import Estimate, bootstrap_rows
from training.evaluation.rankers import LEARNED, RANKERS, ranker
from training.replay.replay import Replay

HOLDOUT_RANKERS: Final = tuple(name for name in RANKERS if name not in LEARNED)
"""What can be asked without learning; `learned` and `served` too, where a model is given."""
_FIRST: Final = 5


def holdout_metrics(
    replay: Replay, rankers: Sequence[str], *, model: ChoiceModel | None = None, at_most: int = 20_000
) -> dict[str, dict[str, Estimate]]:
    """Each ranker's first five posts at the split, `replay.test_from`, against what its user chose after it.

    Asked for are users with a history before the split (of more than `at_most` those with the smallest hash).
    Relevant is what such a user chose after it of the posts that were there before: another list could hold no
    others. Nothing at or after the split is known. `replay` must not have gone beyond it.
    """
    answers = held_out(replay, at_most)
    first = {name: np.full((len(answers), _FIRST), -1, np.int64) for name in rankers}
    rank = {name: ranker(name, replay.options, lambda: model) for name in rankers}
    for at, (user, relevant) in enumerate(answers):
        moment = replay.request_for(user, int(relevant[0]), replay.test_from)
        for name, ask in rank.items():
            found = ask(moment).first[:_FIRST]
            first[name][at, : len(found)] = found
    users = np.array([user for user, _ in answers], np.int64)
    names = ("precision@5", "recall@5", "ndcg@5")
    return {
        name: dict(zip(names, bootstrap_rows(_judged(lists, [r for _, r in answers]), users), strict=True))
        for name, lists in first.items()
    }


def held_out(replay: Replay, at_most: int) -> list[tuple[int, NDArray[np.intp]]]:
    """Users with a history before the split, and the post rows that were there and that each chose after it."""
    events, times = replay.dataset.events, replay.events.time
    known = np.zeros(len(replay.dataset.users), np.bool_)
    known[events.user[times < replay.test_from]] = True
    after = replay.test_requests(len(replay.requests))
    there = replay.timeline.exists_since[events.post[after]] < replay.test_from
    after = after[there & known[events.user[after]]]
    users, first = np.unique(events.user[after], return_index=True)
    if len(users) > at_most:
        users = users[np.argsort(replay.hashes(after[first]), kind="stable")[:at_most]]
    rows = replay.events.post[after].astype(np.intp)
    order = np.argsort(events.user[after], kind="stable")
    starts = np.searchsorted(events.user[after][order], users)
    ends = np.searchsorted(events.user[after][order], users, side="right")
    return [(int(user), rows[order[start:end]]) for user, start, end in zip(users, starts, ends, strict=True)]


def _judged(lists: NDArray[np.int64], relevant: Sequence[NDArray[np.intp]]) -> NDArray[np.float64]:
    """(3, n_users) precision, recall and NDCG of the lists; -1 in a list is an empty place, and no hit.

    Binary gain, log2 discount, against the ideal order (Järvelin & Kekäläinen 2002).
    """
    discount = 1 / np.log2(np.arange(2, _FIRST + 2))
    judged = np.zeros((3, len(lists)))
    for at, (one, wanted) in enumerate(zip(lists, relevant, strict=True)):
        hit = np.isin(one, wanted)
        judged[:, at] = (
            hit.sum() / _FIRST,
            hit.sum() / len(wanted),
            discount[hit].sum() / discount[: len(wanted)].sum(),
        )
    return judged
