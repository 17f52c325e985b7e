"""The owner's table against its definition, on a feed that fits on a page."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from app.domain.ranking.options import RankingOptions
from tests.support.feeds import COMMENT, LIKE, Feed, Post, generated
from training.evaluation.holdout import held_out, holdout_metrics
from training.evaluation.rankers import rank
from training.replay.replay import Replay, target_kinds


def test_only_what_was_there_at_the_split_and_was_chosen_after_it_by_a_known_user_counts():
    posts = [Post(created=0.0), Post(created=1.0), Post(created=500.0), Post(created=2.0, author=0)]
    events = [(0, 0, LIKE, 10.0), (1, 0, LIKE, 20.0)]
    later = [
        (0, 1, LIKE, 600.0),
        (0, 2, LIKE, 610.0),
        (0, 3, LIKE, 620.0),
        (2, 1, LIKE, 630.0),
        (1, 0, COMMENT, 640.0),
    ]
    history = Feed(3, posts, [*events, *later]).dataset()
    replay = Replay(history, RankingOptions(), targets=target_kinds(history), test_from=400.0)

    found = {user: [int(r) for r in rows] for user, rows in held_out(replay, 10).items()}

    assert found == {0: [int(replay.timeline.post_row[1])]}  # new: 2; later: 2; own: 3; met before: user 1


def test_precision_recall_and_ndcg_are_those_of_the_first_five():
    history = generated(users=60, posts=200, interactions=4000)
    replay = Replay(history, RankingOptions(), targets=target_kinds(history))
    table = holdout_metrics(replay, ["trending_7d"])["trending_7d"]

    again = Replay(history, RankingOptions(), targets=target_kinds(history))
    precision, recall, ndcg = [], [], []
    for user, relevant in held_out(again, 10**6).items():
        request = again.request_for(user, int(relevant[0]), again.test_from)
        first = rank("trending_7d", again.options, request, None).top
        gains = np.isin(first, relevant).astype(float)
        missing = len(relevant) - gains.sum()
        precision.append(gains[:5].mean())
        recall.append(gains[:5].sum() / len(relevant))
        truth = np.r_[gains, np.ones(int(missing))][None]  # what is not in the list follows it
        ndcg.append(ndcg_score(truth, -np.arange(truth.shape[1], dtype=float)[None], k=5))

    assert table["precision@5"].mean == pytest.approx(np.mean(precision))
    assert table["recall@5"].mean == pytest.approx(np.mean(recall))
    assert table["ndcg@5"].mean == pytest.approx(np.mean(ndcg))
    assert table["ndcg@5"].n == len(ndcg) > 10
    assert np.mean(ndcg) > 0
