"""The events of a full read wait in files, and come back by user and by author."""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.domain.errors import StorageUnavailable
from app.domain.feed.dataset import EventColumns
from app.infrastructure.database.event_files import EventFile, EventFiles

writes = st.lists(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(0, 5)), max_size=20), max_size=5
)


def columns(rows: list[tuple[int, int, int]], first_seq: int) -> EventColumns:
    """Events of (user, post, time), with numbers from `first_seq` on."""
    users, posts, times = np.array(rows, np.int64).reshape(-1, 3).T
    seq = np.arange(first_seq, first_seq + len(rows))
    kinds = (users % 5).astype(np.uint8)
    return EventColumns(
        users.astype(np.int32), posts.astype(np.int32), kinds, times, seq, received_us=times + 7
    )


def rows(events: EventColumns) -> list[tuple[int, ...]]:
    assert events.received_us is not None
    every = events.user, events.post, events.kind, events.time_us, events.seq, events.received_us
    return list(zip(*(column.tolist() for column in every), strict=True))


@given(writes, arrays(np.int32, 201, elements=st.integers(-1, 200)))
def test_each_user_and_each_author_is_in_one_part_with_all_events_in_order(written, author) -> None:
    files, expected = EventFiles.in_folder(None), Counter()
    for number, some in enumerate(written):
        events = columns(some, 100 * number)
        files.append(events, author)
        expected.update(rows(events))

    by_user, by_author = list(files.parts().by_user), list(files.parts().by_author)
    users = [part.user for part in by_user]
    authors = [part.author_groups(author) for part in by_author]
    for found, groups in ((by_user, users), (by_author, authors)):
        assert Counter(row for part in found for row in rows(part)) == expected
        of_parts = Counter(one for group in groups for one in set(group.tolist()))
        assert not of_parts or max(of_parts.values()) == 1
        for part in found:
            order = list(zip(part.time_us.tolist(), part.seq.tolist(), strict=True))
            assert order == sorted(order)


def test_the_files_have_no_names(tmp_path: Path) -> None:
    files = EventFiles.in_folder(tmp_path)
    files.append(columns([(1, 2, 3)], 1), np.zeros(3, np.int32))

    assert list(tmp_path.iterdir()) == []
    assert sum(len(part) for part in files.parts().by_user) == 1


def test_a_folder_that_does_not_exist_is_replaced_by_that_of_temporary_files(tmp_path: Path) -> None:
    EventFile(tmp_path / "absent").append(columns([(1, 2, 3)], 1), np.zeros(1, np.int32))


def test_no_room_for_the_files_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))

    with pytest.raises(StorageUnavailable, match=r"events in a file of .*absent: No such file.*; make room"):
        EventFile()
