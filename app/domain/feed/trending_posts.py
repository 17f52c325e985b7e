"""The trending posts of a feed, which a model carries for a start without a database and without a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.embeddings import PostVectors
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.list_limits import DEFAULT_LIST_LIMITS, ListLimits
from app.domain.feed.state import HALF_LIVES, FeedState
from app.domain.feed.time_units import DAY
from app.domain.feed.uuid_index import uuid_keys_from_text
from app.domain.feed.visibility import PUBLIC

MAX_TRENDING_POSTS: Final = 2000
TRENDING_HALF_LIFE: Final = HALF_LIVES.index(DAY)
"""Of the counts that select the posts, a place in HALF_LIVES."""


@dataclass(frozen=True, slots=True, eq=False)
class TrendingPosts:
    """Public posts and what ranks them for an unknown user, oldest first. It contains no user but their authors.

    ids            (n,) UUIDs as text
    external_ids   (n,) None where it is the UUID
    author_keys    (n_authors,) UUIDs (16 bytes)
    author         (n,) position in `author_keys`, -1 unknown
    topics         (n,) first tags, None without tags
    vectors        (n, d) text vectors
    log2_counts, strong_log2_counts, author_log2_counts  (n_half_lives, n or n_authors), see DecayedCounters
    """

    ids: Sequence[str]
    external_ids: Sequence[str | None]
    author_keys: Sequence[bytes]
    author: NDArray[np.int32]
    topics: Sequence[str | None]
    created: NDArray[np.float64]
    seq: NDArray[np.int64]
    vectors: NDArray[np.float32]
    engagements: NDArray[np.int64]
    last_engaged: NDArray[np.float64]
    log2_counts: NDArray[np.float64]
    strong_log2_counts: NDArray[np.float64]
    author_log2_counts: NDArray[np.float64]

    @classmethod
    def of(cls, state: FeedState, at_most: int = MAX_TRENDING_POSTS) -> "TrendingPosts":
        """The posts of a state that everybody may see: those with the largest counts, then the newest."""
        public = _public_rows(state)
        counts = state.post_counters.log2_values(TRENDING_HALF_LIFE, public)
        rows = trending_rows(public, counts, state.created[public], at_most)
        author_rows, author = number_authors(state.author[rows])
        author_keys = [state.user_key(row) for row in author_rows.tolist()]
        return cls(
            ids=state.post_ids(rows),
            external_ids=[state.external_ids[row] for row in rows.tolist()],
            # the key of an author who was removed is not known
            author_keys=[
                key if state.user_rows.get(key) == row else row.to_bytes(16)
                for row, key in zip(author_rows.tolist(), author_keys, strict=True)
            ],
            author=author,
            topics=[None if topic < 0 else state.topic_names[topic] for topic in state.topic[rows].tolist()],
            created=state.created[rows],
            seq=state.seq[rows],
            vectors=state.text[rows],
            engagements=state.engagements[rows],
            last_engaged=state.last_engaged[rows],
            log2_counts=state.post_counters.log2_counts(rows),
            strong_log2_counts=state.strong_counters.log2_counts(rows),
            author_log2_counts=state.author_counters.log2_counts(author_rows),
        )

    def to_state(self, counting: CountingRule | None, limits: ListLimits = DEFAULT_LIST_LIMITS) -> FeedState:
        """A state of these posts alone. Raises ValueError if the columns have different lengths."""
        state = FeedState(counting, limits)
        state.add_users(self.author_keys)
        count = len(self.ids)
        rows = state.add_posts(
            uuid_keys_from_text(list(self.ids)).tolist(),
            external_ids=self.external_ids,
            author=self.author,
            created=self.created,
            visible=np.ones(count, np.bool_),
            seq=self.seq,
            texts=[""] * count,
            tags=[() if topic is None else (topic,) for topic in self.topics],
            vectors=PostVectors(self.vectors, np.zeros((count, 0), np.float16)),
        )
        state.engagements[rows], state.last_engaged[rows] = self.engagements, self.last_engaged
        state.largest_engagement = int(self.engagements.max(initial=0))
        state.post_counters.replace(rows, self.log2_counts.T)
        state.strong_counters.replace(rows, self.strong_log2_counts.T)
        state.author_counters.replace(np.arange(state.n_users), self.author_log2_counts.T)
        return state


def trending_rows(
    rows: NDArray[np.intp],
    log2_counts: NDArray[np.float64],
    created: NDArray[np.float64],
    at_most: int = MAX_TRENDING_POSTS,
) -> NDArray[np.intp]:
    """Those of `rows` (n,) with the largest counts (n,), then the newest by their times (n,); oldest first."""
    largest = np.lexsort((created, log2_counts))[-at_most:]
    oldest_first: NDArray[np.intp] = rows[largest[np.argsort(created[largest], kind="stable")]]
    return oldest_first


def number_authors(author: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """The known authors of posts, and the position of each post's author among them; -1 stays unknown."""
    rows, positions = np.unique(author, return_inverse=True)
    n_unknown = int((rows < 0).sum())
    return rows[n_unknown:].astype(np.intp), (positions.reshape(-1) - n_unknown).astype(np.int32)


def _public_rows(state: FeedState) -> NDArray[np.intp]:
    """Rows of the posts that everybody may see."""
    rows = state.post_rows.present()
    visibility, author = state.visibility, state.author[rows]
    is_public = state.visible[rows] & (visibility.visibility[rows] == PUBLIC) & ~visibility.sensitive[rows]
    is_public[author >= 0] &= visibility.discoverable[author[author >= 0]]
    public: NDArray[np.intp] = rows[is_public]
    return public
