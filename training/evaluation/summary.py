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
        """The summary as JSON values. NaN, the value of an empty segment, becomes null."""
        row: dict[str, Any] = {name: estimate_json(estimate) for name, estimate in self.accuracy.items()}
        row["segments"] = {name: estimate_json(estimate) for name, estimate in self.segments.items()}
        for name in ("coverage", "novelty", "gini", "author_diversity"):
            value = getattr(self, name)
            row[name] = None if np.isnan(value) else value
        return row


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """An estimate as JSON values. NaN, the value without a request, becomes null."""
    return {name: None if np.isnan(value) else value for name, value in asdict(estimate).items()}


def summarise(replay: Replay, result: ReplayResult, seed: int = 0) -> dict[str, RankerSummary]:
    """The row of each ranker. All intervals come from the same resamples of users."""
    users = replay.dataset.events.user[result.requests]
    names = list(result.ranks)
    ranks = [result.ranks[name] for name in names]
    accuracy = {
        metric: bootstrap_rows(np.stack([of_rank(rank) for rank in ranks]), users, seed)
        for metric, of_rank in METRICS.items()
    }
    by_segment = {
        segment: bootstrap_rows(np.stack([ndcg_of_rank(rank[mask]) for rank in ranks]), users[mask], seed)
        for segment, mask in segments(replay, result).items()
    }
    lists = _ListStatistics(replay, result)
    return {
        name: RankerSummary(
            {metric: estimates[i] for metric, estimates in accuracy.items()},
            {segment: estimates[i] for segment, estimates in by_segment.items()},
            *lists.measure(result.lists[name][:, :_TOP]),
        )
        for i, name in enumerate(names)
    }


def segments(replay: Replay, result: ReplayResult) -> dict[str, NDArray[np.bool_]]:
    """Masks (n_requests,) of the requests by new, returning and heavy users.

    A new user has no event. A heavy user has at least as many events as the most active tenth of the users had at the
    start of the test part.
    """
    before = replay.dataset.events.user[: int(np.searchsorted(replay.events.time, replay.test_from))]
    counts = np.bincount(before)
    counts = counts[counts > 0]
    heavy = max(float(np.quantile(counts, _HEAVY_QUANTILE)) if len(counts) else 2.0, 2.0)
    history = result.history_length
    return {"new": history == 0, "returning": (history > 0) & (history < heavy), "heavy": history >= heavy}


class _ListStatistics:
    """Measures lists of post rows beyond their hits."""

    def __init__(self, replay: Replay, result: ReplayResult) -> None:
        # Of all posts of the file, because another process may have replayed further than this one.
        self._author = replay.dataset.posts.author[replay.timeline.post_order]
        self._times = replay.events.time[result.requests]
        self._before = np.searchsorted(replay.events.time, self._times)
        last = float(self._times[-1]) if len(self._times) else -np.inf
        self._catalogue = replay.timeline.posts_before(last)
        order = np.lexsort((replay.events.time, replay.events.post))
        posts = replay.events.post[order].astype(np.int64)
        self._starts = np.searchsorted(posts, np.arange(len(replay.dataset.posts) + 1))
        # Events are sorted by time, so smaller row numbers are before a request.
        self._key = posts * (len(posts) + 1) + order
        self._n_events = len(posts)

    def measure(self, lists: NDArray[np.int32]) -> tuple[float, float, float, float]:
        """Coverage, novelty, Gini and author diversity of (n_requests, n_posts) lists, -1 where a list ends early."""
        is_listed = lists >= 0
        if not is_listed.any():
            return float("nan"), float("nan"), float("nan"), float("nan")
        rows = lists[is_listed].astype(np.int64)
        times_listed = np.bincount(rows, minlength=self._catalogue)
        before = np.broadcast_to(self._before[:, None], lists.shape)[is_listed]
        engaged = np.searchsorted(self._key, rows * (self._n_events + 1) + before) - self._starts[rows]
        novelty = np.log2((before + 1) / (engaged + 1)).mean()
        return (
            float((times_listed > 0).sum() / max(self._catalogue, 1)),
            float(novelty),
            gini(times_listed),
            self._author_diversity(lists),
        )

    def _author_diversity(self, lists: NDArray[np.int32]) -> float:
        author = np.where(lists >= 0, self._author[lists.clip(0)], -1).astype(np.int64)
        positions = np.arange(lists.shape[1])
        # A post without a known author counts as one more author. An empty position does not count.
        author = np.where(author >= 0, author, -2 - positions)
        author = np.where(lists >= 0, author, -1)
        author.sort(axis=1)
        distinct = 1 + (np.diff(author, axis=1) != 0).sum(axis=1) - (author == -1).any(axis=1)
        filled = (lists >= 0).sum(axis=1)
        return float((distinct[filled > 0] / filled[filled > 0]).mean())


def gini(counts: NDArray[np.int64]) -> float:
    """Gini coefficient of non-negative counts; 0 if all are equal."""
    total = counts.sum()
    if not total:
        return 0.0
    ordered = np.sort(counts).astype(np.float64)
    n = len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))
