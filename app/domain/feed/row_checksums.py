"""Checksums of the database rows that a feed state contains, to find rows that changed without notice."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.array_tree import (
    ArrayTree,
    Concatenated,
    array_of,
    check,
    group_of,
    key_array,
    number_of,
)
from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.ragged import grow
from app.domain.feed.uuid_index import UuidIndex

UUID_KINDS: Final = ("users", "follows", "controls", "posts")
USER_KINDS: Final = ("users", "controls")
TRACKED_KINDS: Final = (*USER_KINDS, "posts")
"""Kinds whose checksums the state contains. Those of follows are computed from the follows."""
EVENTS_PER_BLOCK: Final = 4096
"""Consecutive numbers (`seq`) of events in one block."""
UNKNOWN: Final = 2**40
"""Of a row that was applied without its checksum. No checksum of the database equals it."""
_UNKNOWN_EVENT: Final = 2  # checksums of events are odd
_PRIME: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Checksums:
    """(n,) keys of rows and their checksums; 0: there is no such row."""

    keys: NDArray[Any]
    values: NDArray[np.int64]

    @classmethod
    def none(cls, dtype: Any = KEY_DTYPE) -> "Checksums":
        """No rows."""
        return cls(np.empty(0, dtype), np.empty(0, np.int64))

    def by_key(self) -> dict[Any, int]:
        """The checksums of rows that exist, by key: UUID bytes, or a number."""
        pairs = zip(self.keys.tolist(), self.values.tolist(), strict=True)
        return {key: value for key, value in pairs if value}


@dataclass(frozen=True, slots=True, eq=False)
class FeedChecksums:
    """Checksums of rows by UUID (V16), and of events by number (int64).

    users     of the settings and audiences of each user
    follows   sums of `follow_checksums` by follower, absent where rows are read with their checksums
    controls  of the controls of each user
    events    of changed events of users and posts that the views show; a full read has EventChecksums
    """

    users: Checksums = field(default_factory=Checksums.none)
    follows: Checksums = field(default_factory=Checksums.none)
    controls: Checksums = field(default_factory=Checksums.none)
    posts: Checksums = field(default_factory=Checksums.none)
    events: Checksums = field(default_factory=lambda: Checksums.none(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class ComparedPosts:
    """The posts of a state from which others were evicted.

    since  creation time in seconds and number of the oldest of the newest posts: all later ones are in the state
    older  (n,) keys (V16) of the others
    """

    since: tuple[float, int]
    older: NDArray[np.void]


@dataclass(frozen=True, slots=True, eq=False)
class ChecksumSums:
    """Sums of checksums: by kind (UUID_KINDS), and of the events up to `last_event` by block of numbers.

    posts  which posts are compared; None for all
    """

    by_kind: Mapping[str, int]
    event_blocks: Mapping[int, int]
    last_event: int
    posts: ComparedPosts | None = None


@dataclass(frozen=True, slots=True, eq=False)
class UnchangedRows:
    """The rows of one kind that stayed the same while others changed.

    total    sum of their checksums
    changed  keys of the other rows: UUIDs, or numbers of events. Added and removed rows are among them.
    """

    total: int
    changed: Sequence[UUID] | Sequence[int]


class UuidChecksums:
    """Checksums of one kind, by row of the state."""

    def __init__(self, of_row: NDArray[np.int64] | None = None) -> None:
        self.of_row = np.zeros(0, np.int64) if of_row is None else of_row
        self.changed: set[bytes] = set()  # keys that were set since the caller cleared it

    def add(self, rows: UuidIndex, stored: Checksums) -> None:
        """Remember checksums, which are no changes; `rows` is the row of the state by key.

        Keys without a row are skipped.
        """
        places = rows.rows(stored.keys)
        is_known = places >= 0
        self.of_row = grow(self.of_row, 1 + int(places.max(initial=-1)))
        self.of_row[places[is_known]] = stored.values[is_known]

    def update(self, rows: UuidIndex, changed: Checksums) -> None:
        """Remember the checksums of changed rows."""
        self.add(rows, changed)
        self.changed.update(changed.keys.tolist())

    def assign(self, rows: Mapping[bytes, int], checksum: int) -> None:
        """Give all of these rows, by key, the same checksum; 0: they were removed."""
        self.of_row = grow(self.of_row, 1 + max(rows.values(), default=-1))
        self.of_row[list(rows.values())] = checksum
        self.changed.update(rows)

    def unchanged(self, rows: UuidIndex) -> UnchangedRows:
        """The rows without those in `changed`; `rows` is the row of the state by key."""
        places = rows.rows(key_array(self.changed))
        places = places[(places >= 0) & (places < len(self.of_row))]
        return UnchangedRows(int(self.of_row.sum() - self.of_row[places].sum()), _uuids(self.changed))

    def different(self, rows: UuidIndex, stored: Checksums) -> set[bytes]:
        """Keys whose checksum in the database is another one, without those in `changed`.

        rows    row of the state by key
        stored  all rows of the kind in the database
        """
        present = rows.present()
        of_row = grow(self.of_row, 1 + int(present.max(initial=-1)))
        known = Checksums(rows.by_row[present], of_row[present])
        return different_keys(known, stored) - self.changed


def different_keys(known: Checksums, stored: Checksums) -> set[Any]:
    """Keys with another checksum in `stored` than in `known`."""
    return {key for key, _ in known.by_key().items() ^ stored.by_key().items()}


class EventChecksums:
    """Checksums of events (32 bits) by number: four bytes for each number up to the last one of a block."""

    def __init__(self) -> None:
        self.changed: set[int] = set()  # numbers that were set since the caller cleared it
        self._blocks: dict[int, NDArray[np.int32]] = {}
        self._last = 0  # largest number that the database returned

    def add(self, numbers: NDArray[np.int64], values: NDArray[np.integer[Any]]) -> None:
        """Remember the checksums (n,) of events of a full read, which are no changes."""
        self._store(numbers, values)
        self._last = max(self._last, int(numbers.max(initial=0)))

    def update(self, events: Checksums) -> None:
        """Remember the checksums of events that the database returned; 0 for removed ones."""
        self.add(events.keys, events.values)
        self.changed.update(events.keys.tolist())

    def mark_unknown(self, numbers: Iterable[int]) -> None:
        """Note that these events were applied; the checksums of those that have one stay."""
        new = np.array([number for number in numbers if not self.has(number)], np.int64)
        self._store(new, np.full(len(new), _UNKNOWN_EVENT))
        self.changed.update(new.tolist())

    def forget(self, numbers: Iterable[int]) -> None:
        """Note that the state lacks these events."""
        absent = np.fromiter(numbers, np.int64)
        self._store(absent, np.zeros(len(absent), np.int64))
        self.changed.update(absent.tolist())

    def _store(self, numbers: NDArray[np.int64], values: NDArray[np.integer[Any]]) -> None:
        for block, at, places in _by_block(numbers):
            self._of_block(block)[places] = values[at]

    def has(self, number: int) -> bool:
        """True if the event exists."""
        block, place = divmod(number, EVENTS_PER_BLOCK)
        return block in self._blocks and bool(self._blocks[block][place])

    def has_each(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) true for the events that exist."""
        exists: NDArray[np.bool_] = self._values(numbers) != 0
        return exists

    def _values(self, numbers: NDArray[np.int64]) -> NDArray[np.int32]:
        """(n,) the checksums of events; 0 for those that do not exist."""
        values = np.zeros(len(numbers), np.int32)
        for block, at, places in _by_block(numbers):
            if block in self._blocks:
                values[at] = self._blocks[block][places]
        return values

    def newest(self, count: int) -> Checksums:
        """The `count` events with the largest numbers, or all of fewer; smallest number first."""
        numbers, n_found = [np.empty(0, np.int64)], 0
        for block in sorted(self._blocks, reverse=True):
            if n_found >= count:
                break
            numbers.append(np.flatnonzero(self._blocks[block]) + block * EVENTS_PER_BLOCK)
            n_found += len(numbers[-1])
        newest = np.sort(np.concatenate(numbers))[max(n_found - count, 0) :]
        blocks, places = np.divmod(newest, EVENTS_PER_BLOCK)
        values = [self._blocks[block][place] for block, place in zip(blocks.tolist(), places, strict=True)]
        return Checksums(newest, np.array(values, np.int64))

    def count(self) -> int:
        """Number of events."""
        return sum(int(np.count_nonzero(block)) for block in self._blocks.values())

    def sums(self) -> tuple[dict[int, int], int]:
        """The sum of each block up to the last event that the database returned, and its number."""
        return self._sums_to(self._last), self._last

    def unchanged(self, last: int) -> UnchangedRows:
        """The events up to the number `last`, without those in `changed`."""
        changed = [number for number in self.changed if number <= last]
        of_changed = self._values(np.array(changed, np.int64)).sum(dtype=np.int64)
        return UnchangedRows(sum(self._sums_to(last).values()) - int(of_changed), changed)

    def _sums_to(self, last: int) -> dict[int, int]:
        """The sum of each block up to an event."""
        last_block, last_place = divmod(last, EVENTS_PER_BLOCK)
        ends = {
            number: EVENTS_PER_BLOCK if number < last_block else last_place + 1
            for number in self._blocks
            if number <= last_block
        }
        return {number: int(self._blocks[number][:end].sum(dtype=np.int64)) for number, end in ends.items()}

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

    def array_tree(self) -> ArrayTree:
        """The numbers and contents of the blocks (see `from_tree`)."""
        return {
            "block": np.array(list(self._blocks), np.int64),
            "values": Concatenated(
                [block[None] for block in self._blocks.values()], np.dtype(np.int32), (0, EVENTS_PER_BLOCK)
            ),
            "last": np.array(self._last),
        }

    @classmethod
    def from_tree(cls, tree: ArrayTree) -> "EventChecksums":
        """The inverse of `array_tree`, with the arrays of `tree` themselves. Raises ValueError."""
        made = cls()
        blocks, values = array_of(tree, "block", np.int64), array_of(tree, "values", np.int32, 2)
        check(values.shape == (len(blocks), EVENTS_PER_BLOCK), "checksums of events are missing")
        made._blocks = dict(zip(blocks.tolist(), values, strict=True))
        made._last = number_of(tree, "last")
        return made


def _by_block(
    numbers: NDArray[np.int64],
) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.int64]]]:
    """Each block of `numbers` (n,): its number, the positions of its events in `numbers`, and their places in it."""
    blocks, places = np.divmod(numbers, EVENTS_PER_BLOCK)
    order = np.argsort(blocks, kind="stable")
    of_block, starts = np.unique(blocks[order], return_index=True)
    for block, at in zip(of_block.tolist(), np.split(order, starts)[1:], strict=True):
        yield block, at, places[at]


def _uuids(of: Iterable[bytes]) -> list[UUID]:
    return [UUID(bytes=key) for key in of]


def follow_checksums(followers: NDArray[np.void], followees: NDArray[np.void]) -> NDArray[np.int64]:
    """(n,) checksums of pairs of UUIDs (V16). The database has the same function."""
    mixed = (_last_24_bits(followers) * 16_777_619 + _last_24_bits(followees)) % _PRIME
    return mixed * mixed % _PRIME


def _last_24_bits(keys: NDArray[np.void]) -> NDArray[np.int64]:
    last = np.frombuffer(keys.tobytes(), np.uint8).reshape(-1, 16)[:, 13:].astype(np.int64)
    return last[:, 0] * 65536 + last[:, 1] * 256 + last[:, 2]


def _by_kind(
    checksums: FeedChecksums, user_rows: UuidIndex, post_rows: UuidIndex
) -> Iterator[tuple[str, UuidIndex, Checksums]]:
    """Each tracked kind, the rows of its keys, and its checksums."""
    for kind in TRACKED_KINDS:
        yield kind, user_rows if kind in USER_KINDS else post_rows, getattr(checksums, kind)


class RowChecksums:
    """Checksums of the rows that a state contains, as the database computed them, by kind (TRACKED_KINDS)."""

    def __init__(self, by_kind: Mapping[str, UuidChecksums], events: EventChecksums) -> None:
        self.by_kind, self.events = by_kind, events
        self.changed_followers: set[bytes] = (
            set()
        )  # whose follows the log changed since the caller cleared it

    @classmethod
    def of(
        cls,
        stored: FeedChecksums,
        events: EventChecksums,
        user_rows: UuidIndex,
        post_rows: UuidIndex,
    ) -> "RowChecksums":
        """Of a state that contains all `stored` rows and `events`.

        `user_rows` and `post_rows` are the rows of its keys.
        """
        by_kind = {kind: UuidChecksums() for kind in TRACKED_KINDS}
        for kind, rows, checksums in _by_kind(stored, user_rows, post_rows):
            by_kind[kind].add(rows, checksums)
        return cls(by_kind, events)

    def reserve(self, users: int, posts: int) -> None:
        """Make room for the rows of so many users and posts. It changes no checksum."""
        for kind, one in self.by_kind.items():
            one.of_row = grow(one.of_row, users if kind in USER_KINDS else posts)

    def add(self, kind: str, rows: Mapping[bytes, int]) -> None:
        """Note that users or posts were added, by key."""
        self.by_kind[kind].assign(rows, UNKNOWN)

    def remove(self, kinds: Iterable[str], key: bytes, row: int) -> None:
        """Forget the rows of a user or a post."""
        for kind in kinds:
            self.by_kind[kind].assign({key: row}, 0)

    def apply(self, changed: FeedChecksums, user_rows: UuidIndex, post_rows: UuidIndex) -> None:
        """Remember the checksums of changed users and posts. Keys that the state does not have are skipped."""
        for kind, rows, checksums in _by_kind(changed, user_rows, post_rows):
            self.by_kind[kind].update(rows, checksums)

    def sums(self, follows: Checksums, posts: ComparedPosts | None = None) -> ChecksumSums:
        """The present sums; `follows` are the checksums of the follows, `posts` those of the state."""
        event_blocks, last_event = self.events.sums()
        by_kind = {kind: int(one.of_row.sum()) for kind, one in self.by_kind.items()}
        by_kind["follows"] = int(follows.values.sum())
        return ChecksumSums(by_kind, event_blocks, last_event, posts)

    def unchanged(
        self, follows: Checksums, user_rows: UuidIndex, post_rows: UuidIndex, last_event: int
    ) -> Mapping[str, UnchangedRows]:
        """What stayed the same since `clear_changed`, by kind: UUID_KINDS, and `interactions` up to `last_event`.

        `follows` are the present checksums of the follows, `user_rows` and `post_rows` the present rows by key.
        """
        is_changed = np.isin(follows.keys, key_array(self.changed_followers))
        of_follows = int(follows.values[~is_changed].sum())
        return {
            "follows": UnchangedRows(of_follows, _uuids(self.changed_followers)),
            "interactions": self.events.unchanged(last_event),
            **{
                kind: self.by_kind[kind].unchanged(user_rows if kind in USER_KINDS else post_rows)
                for kind in TRACKED_KINDS
            },
        }

    def clear_changed(self) -> None:
        """Forget which rows changed."""
        for of_kind in self.by_kind.values():
            of_kind.changed.clear()
        self.changed_followers.clear()
        self.events.changed.clear()

    def array_tree(self) -> ArrayTree:
        """The checksums by kind, and those of events (see `from_tree`)."""
        by_kind = {kind: one.of_row for kind, one in self.by_kind.items()}
        return {"by_kind": by_kind, "events": self.events.array_tree()}

    @classmethod
    def from_tree(cls, tree: ArrayTree) -> "RowChecksums":
        """The inverse of `array_tree`, with the arrays of `tree` themselves. Raises ValueError."""
        of_rows = group_of(tree, "by_kind")
        by_kind = {kind: UuidChecksums(array_of(of_rows, kind, np.int64)) for kind in TRACKED_KINDS}
        return cls(by_kind, EventChecksums.from_tree(group_of(tree, "events")))
