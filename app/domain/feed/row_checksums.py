"""Checksums of the database rows that a feed state contains, to find rows that changed without notice."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.ragged import grow

N_BLOCKS: Final = 4096
"""Blocks of users, and of posts, by the last twelve bits of their UUIDs."""
UUID_KINDS: Final = ("users", "follows", "controls", "posts")
USER_KINDS: Final = ("users", "follows", "controls")
TRACKED_KINDS: Final = ("users", "controls", "posts")
UNKNOWN: Final = 2**40
"""Of a row that was applied without its checksum. No checksum of the database equals it."""
_UNKNOWN_EVENT: Final = 1
_PRIME: Final = 2**31 - 1
EVENTS_PER_BLOCK: Final = 4096
"""Consecutive numbers (`seq`) of events in one block."""


@dataclass(frozen=True, slots=True, eq=False)
class Checksums:
    """(n,) keys of rows and their checksums; 0: there is no such row."""

    keys: NDArray[Any]
    values: NDArray[np.int64]

    @classmethod
    def none(cls, dtype: Any = KEY_DTYPE) -> "Checksums":
        """No rows."""
        return cls(np.empty(0, dtype), np.empty(0, np.int64))

    def present(self) -> set[Any]:
        """The keys of rows that exist: UUID bytes, or numbers."""
        return set(self.keys[self.values != 0].tolist())


@dataclass(frozen=True, slots=True, eq=False)
class FeedChecksums:
    """Checksums of rows by UUID (V16), and of events by number (int64).

    users     of the settings and audiences of each user
    follows   sums of `follow_checksums` by follower, computed from the state itself
    controls  of the controls of each user who has any
    events    events of users or posts that the views do not show do not exist
    """

    users: Checksums = field(default_factory=Checksums.none)
    follows: Checksums = field(default_factory=Checksums.none)
    controls: Checksums = field(default_factory=Checksums.none)
    posts: Checksums = field(default_factory=Checksums.none)
    events: Checksums = field(default_factory=lambda: Checksums.none(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class BlockSums:
    """Sums of checksums: (N_BLOCKS,) by kind, and of events by block of numbers. An absent block of events is 0."""

    by_uuid: Mapping[str, NDArray[np.int64]]
    events: Mapping[int, int]


def block_of(key: bytes) -> int:
    """The block of a UUID."""
    return (key[14] % 16) * 256 + key[15]


def blocks_of(keys: NDArray[np.void]) -> NDArray[np.int64]:
    """(n,) the blocks of UUIDs (V16)."""
    last = np.frombuffer(keys.tobytes(), np.uint8).reshape(-1, 16)[:, 14:].astype(np.int64)
    return last[:, 0] % 16 * 256 + last[:, 1]


class UuidChecksums:
    """Checksums of one kind, by row of the state."""

    def __init__(self) -> None:
        self.sums = np.zeros(N_BLOCKS, np.int64)
        self.changed: set[bytes] = set()  # keys that were set since the caller cleared it
        self._of_row = np.zeros(0, np.int64)

    def set(self, key: bytes, row: int, checksum: int) -> None:
        """Remember the checksum of a row; 0 if it was removed."""
        self._of_row = grow(self._of_row, row + 1)
        self.sums[block_of(key)] += checksum - self._of_row[row]
        self._of_row[row] = checksum
        self.changed.add(key)

    def different(
        self, rows: Mapping[bytes, int], stored: Checksums, blocks: NDArray[np.int64]
    ) -> list[bytes]:
        """Keys whose checksum in the database is another one, in `blocks` only, without those in `changed`.

        rows    row of the state by key
        stored  all rows of the blocks in the database
        """
        known = {key: self._at(row) for key, row in _in_blocks(rows, blocks)}
        return [key for key in different_keys(known, stored) if key not in self.changed]

    def _at(self, row: int) -> int:
        return self._of_row.item(row) if row < len(self._of_row) else 0

    def to_array(self) -> NDArray[np.int64]:
        """(n_rows,) the checksums (see `of_rows`)."""
        return self._of_row.copy()

    @classmethod
    def of_rows(cls, rows: Mapping[bytes, int], checksums: NDArray[np.int64]) -> "UuidChecksums":
        """From (n_rows,) checksums by row; `rows` is the row of each key."""
        made = cls()
        made._of_row = grow(checksums, 1 + max(rows.values(), default=-1))
        keys = np.frombuffer(b"".join(rows), KEY_DTYPE)
        place = np.fromiter(rows.values(), np.intp, len(rows))
        np.add.at(made.sums, blocks_of(keys), made._of_row[place])
        return made


def different_keys(known: Mapping[bytes, int], stored: Checksums) -> list[bytes]:
    """Keys whose checksum in the database is another one than in `known`; an absent one is 0."""
    in_database = dict(zip(stored.keys.tolist(), stored.values.tolist(), strict=True))
    keys = sorted(known.keys() | in_database.keys())
    return [key for key in keys if known.get(key, 0) != in_database.get(key, 0)]


def _in_blocks(rows: Mapping[bytes, int], blocks: NDArray[np.int64]) -> Iterable[tuple[bytes, int]]:
    """The entries of `rows` whose keys are in these blocks."""
    is_given = np.zeros(N_BLOCKS, np.bool_)
    is_given[blocks] = True
    keys = list(rows)
    chosen = is_given[blocks_of(np.frombuffer(b"".join(keys), KEY_DTYPE))]
    return ((keys[place], rows[keys[place]]) for place in np.flatnonzero(chosen).tolist())


class EventChecksums:
    """Checksums of events (32 bits) by number: four bytes for each number up to the last one of a block."""

    def __init__(self) -> None:
        self.changed: set[int] = set()  # numbers that were set since the caller cleared it
        self._blocks: dict[int, NDArray[np.int32]] = {}

    def set(self, events: Checksums) -> None:
        """Remember the checksums of events; 0 for removed ones."""
        blocks, places = np.divmod(events.keys, EVENTS_PER_BLOCK)
        for block in np.unique(blocks).tolist():
            of_block = blocks == block
            self._of_block(block)[places[of_block]] = events.values[of_block]
        self.changed.update(events.keys.tolist())

    def has(self, number: int) -> bool:
        """True if the event exists."""
        block, place = divmod(number, EVENTS_PER_BLOCK)
        return block in self._blocks and bool(self._blocks[block][place])

    def mark_unknown(self, numbers: Iterable[int]) -> None:
        """Note that these events were applied; the checksums of those that have one stay."""
        new = np.array([number for number in numbers if not self.has(number)], np.int64)
        self.set(Checksums(new, np.full(len(new), _UNKNOWN_EVENT)))

    def count(self) -> int:
        """Number of events."""
        return sum(int(np.count_nonzero(block)) for block in self._blocks.values())

    def sums(self) -> dict[int, int]:
        """The sum of each block."""
        return {number: int(block.sum(dtype=np.int64)) for number, block in self._blocks.items()}

    def different(self, stored: Checksums, blocks: Iterable[int]) -> list[int]:
        """Numbers whose checksum in the database is another one, in `blocks` only, without those in `changed`.

        `stored` are all events of the blocks in the database.
        """
        numbers, places = np.divmod(stored.keys, EVENTS_PER_BLOCK)
        different: set[int] = set()
        for number in blocks:
            of_block = numbers == number
            values = np.zeros(EVENTS_PER_BLOCK, np.int32)
            values[places[of_block]] = stored.values[of_block]
            changed = np.flatnonzero(values != self._of_block(number))
            different.update((changed + number * EVENTS_PER_BLOCK).tolist())
        return sorted(different - self.changed)

    def _of_block(self, number: int) -> NDArray[np.int32]:
        if number not in self._blocks:
            self._blocks[number] = np.zeros(EVENTS_PER_BLOCK, np.int32)
        return self._blocks[number]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The numbers and contents of the blocks (see `from_arrays`)."""
        contents = [
            np.empty((0, EVENTS_PER_BLOCK), np.int32),
            *(block[None] for block in self._blocks.values()),
        ]
        return {"block": np.array(list(self._blocks), np.int64), "values": np.concatenate(contents)}

    @classmethod
    def from_arrays(cls, saved: Mapping[str, NDArray[Any]]) -> "EventChecksums":
        """The inverse of `to_arrays`."""
        made = cls()
        made._blocks = dict(zip(saved["block"].tolist(), saved["values"].copy(), strict=True))
        return made


def follow_checksums(followers: NDArray[np.void], followees: NDArray[np.void]) -> NDArray[np.int64]:
    """(n,) checksums of pairs of UUIDs (V16). The database has the same function."""
    mixed = (_last_24_bits(followers) * 16_777_619 + _last_24_bits(followees)) % _PRIME
    return mixed * mixed % _PRIME


def _last_24_bits(keys: NDArray[np.void]) -> NDArray[np.int64]:
    last = np.frombuffer(keys.tobytes(), np.uint8).reshape(-1, 16)[:, 13:].astype(np.int64)
    return last[:, 0] * 65536 + last[:, 1] * 256 + last[:, 2]


class RowChecksums:
    """Checksums of the rows that a state contains, as the database computed them, by kind (TRACKED_KINDS)."""

    def __init__(self, by_uuid: Mapping[str, UuidChecksums], events: EventChecksums) -> None:
        self.by_uuid, self.events = by_uuid, events

    @classmethod
    def of(
        cls, stored: FeedChecksums, user_rows: Mapping[bytes, int], post_rows: Mapping[bytes, int]
    ) -> "RowChecksums":
        """Of a state that contains all `stored` rows; `user_rows` and `post_rows` are the rows of its keys."""
        made = cls({kind: UuidChecksums() for kind in TRACKED_KINDS}, EventChecksums())
        made.apply(stored, user_rows, post_rows)
        made.events.set(stored.events)
        return made

    def add_users(self, rows: Mapping[bytes, int]) -> None:
        """Note that users were added, by key."""
        for key, row in rows.items():
            self.by_uuid["users"].set(key, row, UNKNOWN)

    def add_posts(self, rows: Mapping[bytes, int]) -> None:
        """Note that posts were added, by key."""
        for key, row in rows.items():
            self.by_uuid["posts"].set(key, row, UNKNOWN)

    def apply(
        self, changed: FeedChecksums, user_rows: Mapping[bytes, int], post_rows: Mapping[bytes, int]
    ) -> None:
        """Remember the checksums of changed users and posts. Keys that the state does not have are skipped."""
        for kind in TRACKED_KINDS:
            rows = user_rows if kind in USER_KINDS else post_rows
            stored: Checksums = getattr(changed, kind)
            for key, value in zip(stored.keys.tolist(), stored.values.tolist(), strict=True):
                if (row := rows.get(key)) is not None:
                    self.by_uuid[kind].set(key, row, value)

    def remove_user(self, key: bytes, row: int) -> None:
        """Forget the rows of a user."""
        for kind in ("users", "controls"):
            self.by_uuid[kind].set(key, row, 0)

    def remove_post(self, key: bytes, row: int) -> None:
        """Forget the row of a post."""
        self.by_uuid["posts"].set(key, row, 0)

    def block_sums(self, follows: NDArray[np.int64]) -> BlockSums:
        """The present sums, as a copy; `follows` are those of the follows."""
        by_uuid = {kind: one.sums.copy() for kind, one in self.by_uuid.items()}
        return BlockSums({**by_uuid, "follows": follows}, self.events.sums())

    def clear_changed(self) -> None:
        """Forget which rows changed."""
        for of_kind in self.by_uuid.values():
            of_kind.changed.clear()
        self.events.changed.clear()

    def snapshot(self) -> dict[str, Any]:
        """Plain data (see `from_snapshot`)."""
        by_uuid = {kind: one.to_array() for kind, one in self.by_uuid.items()}
        return {"by_uuid": by_uuid, "events": self.events.to_arrays()}

    @classmethod
    def from_snapshot(
        cls, saved: Mapping[str, Any], user_rows: Mapping[bytes, int], post_rows: Mapping[bytes, int]
    ) -> "RowChecksums":
        """The inverse of `snapshot`; `user_rows` and `post_rows` are the rows of the keys of the state."""
        by_uuid = {
            kind: UuidChecksums.of_rows(user_rows if kind in USER_KINDS else post_rows, checksums.copy())
            for kind, checksums in saved["by_uuid"].items()
        }
        return cls(by_uuid, EventChecksums.from_arrays(saved["events"]))
