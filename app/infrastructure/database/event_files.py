"""Events in files without a name, by user and by author: memory holds a part of a long log at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.errors import StorageUnavailable
from app.domain.feed.dataset import EventColumns, EventParts
from app.domain.feed.ragged import ranges_to_indices

_PARTS: Final = 64
_RECORD: Final = np.dtype(
    [
        ("user", np.int32),
        ("post", np.int32),
        ("kind", np.uint8),
        ("time_us", np.int64),
        ("seq", np.int64),
        ("received_us", np.int64),
    ]
)


@dataclass(frozen=True, slots=True)
class EventFiles:
    """The events of a full read, in a file by user and in one by the author of the post."""

    by_user: "EventFile"
    by_author: "EventFile"

    @classmethod
    def in_folder(cls, folder: Path | None) -> "EventFiles":
        """See `EventFile`."""
        return cls(EventFile(folder), EventFile(folder))

    def append(self, events: EventColumns, author_of_post: NDArray[np.int32]) -> None:
        """Write events, whose times of receipt are known. Raises StorageUnavailable.

        `author_of_post` (n_posts,) user rows; a post with -1 has an author of its own.
        """
        self.by_user.append(events, events.user)
        self.by_author.append(events, events.author_groups(author_of_post))

    def parts(self) -> EventParts:
        """What was written."""
        return EventParts(self.by_user, self.by_author)


class EventFile:
    """Gets events in any order, and returns all of some groups after all of others.

    The operating system removes the file when the object or the process ends.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """The file takes 33 bytes for each event, in `folder`, or in that of temporary files if nothing can be written
        there. Raises StorageUnavailable if no file can be written, as `append` does.
        """
        temporary = Path(gettempdir())
        self._folder = folder if folder is not None and os.access(folder, os.W_OK) else temporary
        with self._explained_errors():
            self._file = TemporaryFile(dir=self._folder)  # noqa: SIM115 - open as long as the object
        self._counts = [np.zeros(_PARTS, np.int64)]  # of each write: the events in each part

    def append(self, events: EventColumns, group: NDArray[np.integer[Any]]) -> None:
        """Write events; `group` (n_events,) is not negative."""
        part = group % _PARTS
        order = np.argsort(part, kind="stable")
        records = np.empty(len(events), _RECORD)
        for name in _RECORD.names or ():
            records[name] = getattr(events, name)[order]
        with self._explained_errors():
            self._file.write(records.tobytes())
            self._file.flush()
        self._counts.append(np.bincount(part, minlength=_PARTS))

    def __iter__(self) -> Iterator[EventColumns]:
        """The parts, each in order of time, and of events at one time in order of their numbers."""
        counts = np.stack(self._counts)
        ends = counts.cumsum().reshape(counts.shape)
        if not ends[-1, -1]:
            return
        written = np.memmap(self._file, _RECORD, "r")
        for part in range(_PARTS):
            yield _events(written[ranges_to_indices(ends[:, part], counts[:, part])])

    @contextmanager
    def _explained_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageUnavailable(
                f"a full read cannot keep its events in a file of {self._folder}: {error.strerror}; "
                "make room, or make the folder writable"
            ) from error


def _events(records: NDArray[np.void]) -> EventColumns:
    events = EventColumns(**{name: records[name].copy() for name in _RECORD.names or ()})
    events.sort_in_place()
    return events
