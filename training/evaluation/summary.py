"""What a replay says about its rankers: one row of figures each."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import Estimate, bootstrap_rows, hit_of_rank, ndcg_of_rank, reciprocal_rank
from training.evaluation.prequential import ReplayResult
from training.replay.replay import Replay

ACCURACY: Final = ("ndcg@10", "hit@10", "mrr")
SEGMENTS: Final = ("new", "returning", "heavy")
_SHOWN: Final = 10  # the places that coverage, novelty, Gini and author diversity look at
_HEAVY_QUANTILE: Final = 0.9


@dataclass(frozen=True, slots=True)
class RankerSummary:
    """One ranker's row.

    `accuracy`: ndcg@10, hit@10 and mrr; `segments`: ndcg@10 of requests by new (no event yet), returning and heavy
    users. Of the first ten places: `coverage` the share of the posts there were that stood in some list, `novelty`
    the mean of log2((all events + 1) / (the post's events + 1)) at the request, in bits, `gini` how unequally posts
    were listed (0 all alike, 1 one post alone), `author_diversity` distinct authors per place.
    """

    accuracy: Mapping[str, Estimate]
    segments: Mapping[str, Estimate]
    coverage: float
    novelty: float
    gini: float
    author_diversity: float

    def to_json(self) -> dict[str, Any]:
        """For a program; NaN, of a segment that nobody is in, becomes null."""
        plain: dict[str, Any] = {name: estimate_json(one) for name, one in self.accuracy.items()}
        plain["segments"] = {name: estimate_json(one) for name, one in self.segments.items()}
        for name in ("coverage", "novelty", "gini", "author_diversity"):
            value = getattr(self, name)
            plain[name] = None if np.isnan(value) else value
        return plain


def estimate_json(figure: Estimate) -> dict[str, Any]:
    """mean, low, high, n; null where there was no request."""
    return {name: None if value != value else value for name, value in asdict(figure).items()}


def summarise(replay: Replay, result: ReplayResult, seed: int = 0) -> dict[str, RankerSummary]:
    """The row of each ranker; the intervals of all come from the same resamples of users."""
    users = replay.dataset.events.user[result.requests]
    names = list(result.ranks)
    ranks = [result.ranks[name] for name in names]
    accuracy = {
        "ndcg@10": bootstrap_rows(np.stack([ndcg_of_rank(rank) for rank in ranks]), users, seed),
        "hit@10": bootstrap_rows(np.stack([hit_of_rank(rank) for rank in ranks]), users, seed),
        "mrr": bootstrap_rows(np.stack([reciprocal_rank(rank) for rank in ranks]), users, seed),
    }
    by_segment = {
        segment: bootstrap_rows(np.stack([ndcg_of_rank(rank[those]) for rank in ranks]), users[those], seed)
        for segment, those in segments(replay, result).items()
    }
    shown = _Shown(replay, result)
    return {
        name: RankerSummary(
            {metric: found[at] for metric, found in accuracy.items()},
            {segment: found[at] for segment, found in by_segment.items()},
            *shown.figures(result.lists[name][:, :_SHOWN]),
        )
        for at, name in enumerate(names)
    }


def segments(replay: Replay, result: ReplayResult) -> dict[str, NDArray[np.bool_]]:
    """Which requests are of new, returning and heavy users.

    New: without any event. Heavy: with at least as many as the most active tenth of the users had at the start of the
    test, which follows the pace of the feed.
    """
    before = replay.dataset.events.user[: int(np.searchsorted(replay.events.time, replay.test_from))]
    counts = np.bincount(before)
    counts = counts[counts > 0]
    heavy = max(float(np.quantile(counts, _HEAVY_QUANTILE)) if len(counts) else 2.0, 2.0)
    history = result.history_length
    return {"new": history == 0, "returning": (history > 0) & (history < heavy), "heavy": history >= heavy}


class _Shown:
    """What is needed to judge lists of post rows beyond their hits."""

    def __init__(self, replay: Replay, result: ReplayResult) -> None:
        # of every post there will be: another process may have replayed further than this one
        self._author = replay.dataset.posts.author[replay.timeline.post_order]
        self._times = replay.events.time[result.requests]
        self._before = np.searchsorted(replay.events.time, self._times)
        last = float(self._times[-1]) if len(self._times) else -np.inf
        self._catalogue = replay.timeline.posts_before(last)
        order = np.lexsort((replay.events.time, replay.events.post))
        posts = replay.events.post[order].astype(np.int64)
        self._starts = np.searchsorted(posts, np.arange(len(replay.dataset.posts) + 1))
        # events are sorted by time, so their row numbers tell what came before a request
        self._key = posts * (len(posts) + 1) + order
        self._n_events = len(posts)

    def figures(self, lists: NDArray[np.int32]) -> tuple[float, float, float, float]:
        """coverage, novelty, gini, author diversity of (n_requests, places) lists, -1 where one ends."""
        listed = lists >= 0
        if not listed.any():
            return float("nan"), float("nan"), float("nan"), float("nan")
        rows = lists[listed].astype(np.int64)
        times_listed = np.bincount(rows, minlength=self._catalogue)
        before = np.broadcast_to(self._before[:, None], lists.shape)[listed]
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
        places = np.arange(lists.shape[1])
        # a post without a known author is nobody else's: it counts as one of its own; a place that is empty not at all
        author = np.where(author >= 0, author, -2 - places)
        author = np.where(lists >= 0, author, -1)
        author.sort(axis=1)
        distinct = 1 + (np.diff(author, axis=1) != 0).sum(axis=1) - (author == -1).any(axis=1)
        filled = (lists >= 0).sum(axis=1)
        return float((distinct[filled > 0] / filled[filled > 0]).mean())


def gini(counts: NDArray[np.int64]) -> float:
    """Gini coefficient of non-negative counts, 0 when all are alike."""
    total = counts.sum()
    if not total:
        return 0.0
    ordered = np.sort(counts).astype(np.float64)
    n = len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))
