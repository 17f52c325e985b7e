"""Port: snapshots of the feed state, from which a process starts."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from app.domain.feed.array_tree import ArrayTree
from app.domain.feed.event_counting import CountingRule
from app.domain.repositories.feed_log import LogPosition


class SnapshotUnavailable(Exception):
    """A snapshot could not be stored: the folder is read-only, or the disk is full."""


@dataclass(frozen=True, slots=True, eq=False)
class StateSnapshot:
    """A feed state at a position of the log.

    arrays        of the state, of impressions, and of the newest events in it
    counting      the rule by which events count; None if every row counts
    position      where the log continues after the state
    model_sha256  of the artefact in whose text space the posts have vectors; empty without a model
    """

    arrays: ArrayTree
    counting: CountingRule | None
    position: LogPosition
    model_sha256: str


class SnapshotDraft(AbstractContextManager["SnapshotDraft"], Protocol):
    """A snapshot that is being stored. It is removed at the end of the context unless it was published."""

    def copy(self, snapshot: StateSnapshot) -> None:
        """Copy the arrays of a snapshot, which may change afterwards; not what is late. Raises SnapshotUnavailable."""

    def publish(self) -> int:
        """Add what is late, make this the newest snapshot, and remove all but the newest ones. Returns its bytes.

        Raises SnapshotUnavailable.
        """


class SnapshotStore(Protocol):
    """Snapshots of one database. Several processes may read them, and one of them writes."""

    def newest(self) -> Iterator[tuple[str, StateSnapshot]]:
        """The names and contents of the intact snapshots, newest first. Each is read when it is needed.

        The arrays belong to the caller, who may change them.
        """

    def begin(self) -> SnapshotDraft | None:
        """Begin to store a snapshot; None while another process writes. Raises SnapshotUnavailable."""

    def close(self) -> None:
        """Let other processes write."""
