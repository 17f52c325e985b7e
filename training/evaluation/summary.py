"""Summarises a replay: one row of metrics per ranker."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import METRICS, Estimate, bootstrap_rows, ndcg_of_rank
from training.evaluation.prequential import ReplayResult
from training.replay.replay import Replay

SEGMENTS: Final = ("new", "returning", "heavy")
_TOP: Final = 10  # posts of each list that coverage, novelty, Gini and author diversity use
_HEAVY_QUANTILE: Final = 0.9


@dataclass(frozen=True, slots=True)
class RankerSummary:
    """The metrics of one ranker. The last four are of the first ten posts of each list.

    accuracy          ndcg@10, hit@10 and mrr
    segments          ndcg@10 of requests by new (without an event), returning and heavy users
    coverage          share of the existing posts that are in some list
    novelty           mean of log2((all events + 1) / (the post's events + 1)) at the request, in bits
    gini              inequality of the number of lists per post: 0 if all are equal, 1 for one post alone
    author_diversity  distinct authors per post of a list
    """

    accuracy: Mapping[str, Estimate]
    segments: Mapping[str, Estimate]
    coverage: float
    novelty: float
    gini: float
    author_diversity: float

    def to_json(self) -> dict[str, Any]:
        """The summary as one row, with the metrics of accuracy first."""
        values = asdict(self)
        return {**values.pop("accuracy"), **values}


def summarise(replay: Replay, result: ReplayResult, seed: int = 0) -> dict[str, RankerSummary]:
    """The row of each ranker. All intervals come from the same resamples of users."""
    users = replay.events.user[
        result.requests
    ]  # numbered by first occurrence, in whatever order the feed was read
    ranks = np.stack(list(result.ranks.values()))
    accuracy = {metric: bootstrap_rows(of_rank(ranks), users, seed) for metric, of_rank in METRICS.items()}
    by_segment = {
        segment: bootstrap_rows(ndcg_of_rank(np.compress(mask, ranks, axis=1)), users[mask], seed)
        for segment, mask in segments(replay, result).items()
    }
    return {
        name: RankerSummary(
            {metric: estimates[i] for metric, estimates in accuracy.items()},
            {segment: estimates[i] for segment, estimates in by_segment.items()},
            *_list_statistics(replay, result, result.lists[name][:, :_TOP]),
        )
        for i, name in enumerate(result.ranks)
    }


def segments(replay: Replay, result: ReplayResult) -> dict[str, NDArray[np.bool_]]:
    """Masks (n_requests,) of the requests by new, returning and heavy users.

    A new user has no event. A heavy user has at least as many events as the most active tenth of the users had at the
    start of the test part.
    """
    before = replay.dataset.events.user[: int(np.searchsorted(replay.events.time, replay.test_from))]
    counts = np.unique(before, return_counts=True)[1]
    heavy = max(float(np.quantile(counts, _HEAVY_QUANTILE)), 2.0) if len(counts) else 2.0
    history = result.history_length
    return {"new": history == 0, "returning": (history > 0) & (history < heavy), "heavy": history >= heavy}


def _list_statistics(
    replay: Replay, result: ReplayResult, lists: NDArray[np.int32]
) -> tuple[float, float, float, float]:
    """Coverage, novelty, Gini and author diversity of (n_requests, n_posts) lists, -1 where a list ends early."""
    is_listed = lists >= 0
    if not is_listed.any():
        return np.nan, np.nan, np.nan, np.nan
    times, request_times = replay.events.time, replay.events.time[result.requests]
    rows = lists[is_listed].astype(np.int64)
    n_posts = replay.timeline.posts_before(request_times.max())
    times_listed = np.bincount(rows, minlength=n_posts)
    # Events are sorted by time, so smaller row numbers are before a request.
    key = np.sort(replay.events.post.astype(np.int64) * (len(times) + 1) + np.arange(len(times)))
    before = np.broadcast_to(np.searchsorted(times, request_times)[:, None], lists.shape)[is_listed]
    start = rows * (len(times) + 1)
    engaged = np.searchsorted(key, start + before) - np.searchsorted(key, start)
    novelty = np.log2((before + 1) / (engaged + 1)).mean()
    # The authors of the file, because another process may have replayed further than this one. A post without a known
    # author counts as one more author. An empty position does not count.
    known = replay.dataset.posts.author[replay.timeline.post_order][lists].astype(np.int64)
    unknown = -2 - np.arange(lists.shape[1])
    author = np.sort(np.select([~is_listed, known >= 0], [-1, known], unknown), axis=1)
    distinct = 1 + (np.diff(author, axis=1) != 0).sum(axis=1) - (author == -1).any(axis=1)
    filled = is_listed.sum(axis=1)
    diversity = (distinct[filled > 0] / filled[filled > 0]).mean()
    coverage = (times_listed > 0).sum() / max(n_posts, 1)
    return float(coverage), float(novelty), gini(times_listed), float(diversity)


def gini(counts: NDArray[np.int64]) -> float:
    """Gini coefficient of non-negative counts; 0 if all are equal."""
    n, total = len(counts), counts.sum()
    return float((2 * np.arange(1, n + 1) - n - 1) @ np.sort(counts) / (n * total)) if total else 0.0
