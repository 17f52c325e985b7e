"""An export of a long log, made without a database: the archive on which training is measured.

Events come at a steady rate. Their users follow a Zipf distribution with exponent 1, and so do the posts of each time:
most events are of the newest posts (Zipf by recency), the others of popular posts of any age (Zipf by popularity).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import KEY_DTYPE, microseconds
from data.log_export.arrow_tables import INTERACTIONS, TABLES, table_of, write_file
from data.log_export.manifest import ExportedFile, Manifest, Table

UNTIL: Final = datetime(2026, 1, 1, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000
_BATCH_ROWS: Final = 100_000
RECENT_SHARE: Final = 0.8
_TYPE_SHARES: Final = (0.55, 0.25, 0.12, 0.05, 0.03)  # as INTERACTION_TYPES
_WORDS: Final = [f"word{number}" for number in range(5_000)]


@dataclass(frozen=True, slots=True)
class ArchiveSize:
    """The log ends at UNTIL and has `events_per_day`, so its length in days follows from the number of events."""

    events: int
    users: int
    posts: int
    events_per_day: int
    seed: int = 1

    @property
    def days(self) -> int:
        return -(-self.events // self.events_per_day)


def write_archive(folder: Path, size: ArchiveSize) -> None:
    """Write the export of an archive into a new folder; the same size gives the same rows."""
    archive = _Archive(folder, size)
    tables: dict[Table, ExportedFile] = {
        "users": archive.write("users", TABLES["users"], archive.users()),
        "posts": archive.write("posts", TABLES["posts"], archive.posts()),
        "follows": archive.write("follows", TABLES["follows"], archive.follows()),
    }
    for name in ("memberships", "controls", "impressions"):
        tables[name] = archive.write(name, TABLES[name], iter(()))
    Manifest(
        source="archive",
        since=0,
        below_xid=1,
        last_seq=size.events,
        run=1,
        tables=tables,
        interactions=tuple(archive.write_days()),
        changed=(),
    ).write(folder)


class _Archive:
    def __init__(self, folder: Path, size: ArchiveSize) -> None:
        self._folder, self._size = folder, size
        self._random = np.random.default_rng(size.seed)
        self._start_us = microseconds(UNTIL - timedelta(days=size.days))
        self._user_key, self._post_key = self._keys(size.users), self._keys(size.posts)
        self._author = _zipf(self._random, size.posts, size.users)
        span_us = size.days * _DAY_US
        self._created_us = self._start_us + np.sort(self._random.integers(0, span_us, size.posts))
        self._created_us[0] = self._start_us  # so that every event has a post
        self._by_popularity = self._random.permutation(size.posts)

    def _keys(self, count: int) -> NDArray[np.void]:
        return np.frombuffer(self._random.bytes(16 * count), KEY_DTYPE)

    def users(self) -> Iterator[tuple[Any, ...]]:
        for rows in _batches(self._size.users):
            n, names = len(rows), [f"user_{row}" for row in rows]
            created = np.full(n, self._start_us)
            yield self._user_key[rows], names, created, *([[True] * n] * 2), [False] * n, [()] * n

    def posts(self) -> Iterator[tuple[Any, ...]]:
        words = np.array(_WORDS)
        for rows in _batches(self._size.posts):
            n = len(rows)
            texts = words[_zipf(self._random, 8 * n, len(words))].reshape(n, 8)
            yield (
                self._post_key[rows],
                [f"post_{row}" for row in rows],
                self._user_key[self._author[rows]],
                self._created_us[rows],
                [True] * n,
                rows + 1,
                list(map(" ".join, texts)),
                [[tag] for tag in texts[:, 0]],
                ["public"] * n,
                *([[None] * n] * 2),
                [False] * n,
                *([[None] * n] * 3),
            )

    def follows(self) -> Iterator[tuple[Any, ...]]:
        for rows in _batches(self._size.users):
            follower = np.repeat(rows, 5)
            followee = _zipf(self._random, len(follower), self._size.users)
            pair = np.unique((follower * self._size.users + followee)[follower != followee])
            since = np.full(len(pair), self._start_us)
            yield self._user_key[pair // self._size.users], self._user_key[pair % self._size.users], since

    def write_days(self) -> Iterator[ExportedFile]:
        """One file of interactions for each day."""
        seq = 0
        for day in range(self._size.days):
            n = min(self._size.events_per_day, self._size.events - seq)
            start = self._start_us + day * _DAY_US
            time_us = start + np.sort(self._random.integers(0, _DAY_US, n))
            user = _zipf(self._random, n, self._size.users)
            post = self._posts_at(time_us)
            kind = self._random.choice(len(_TYPE_SHARES), n, p=_TYPE_SHARES).astype(np.int8)
            numbers = np.arange(seq + 1, seq + n + 1)
            columns = (self._user_key[user], self._post_key[post], kind, time_us, time_us, numbers)
            seq += n
            name = f"interactions/day={UNTIL.date() - timedelta(days=self._size.days - day)}"
            file = self.write(name, INTERACTIONS, iter([columns]))
            yield file.model_copy(update={"newest_us": int(time_us[-1])})

    def _posts_at(self, time_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """The posts of events at these times."""
        n_existing = np.searchsorted(self._created_us, time_us, side="right")
        rank = _zipf(self._random, len(time_us), self._size.posts)
        popular = self._by_popularity[rank]
        is_recent = (self._random.random(len(time_us)) < RECENT_SHARE) | (popular >= n_existing)
        return np.where(is_recent, n_existing - 1 - rank % n_existing, popular)

    def write(self, name: str, schema: Any, parts: Iterator[tuple[Any, ...]]) -> ExportedFile:
        """Write one file with the columns of all parts."""

        def write(add: Callable[[Any], None]) -> None:
            for columns in parts:
                add(table_of(schema, columns))

        return write_file(self._folder, name, 1, schema, write)


def _batches(count: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, count, _BATCH_ROWS):
        yield np.arange(start, min(start + _BATCH_ROWS, count))


def _zipf(random: np.random.Generator, n: int, size: int) -> NDArray[np.int64]:
    """(n,) ranks below `size`, with a probability of nearly 1 / (rank + 1)."""
    ranks: NDArray[np.int64] = np.floor(np.exp(random.random(n) * np.log(size + 1)) - 1).astype(np.int64)
    return ranks
