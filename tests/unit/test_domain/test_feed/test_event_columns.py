"""The columns of many events, which take most of the memory of a start."""

import tracemalloc

import numpy as np

from app.domain.feed.dataset import EventColumns

N_PARTS, N_EVENTS = 20, 50_000


def a_part(number: int) -> EventColumns:
    user, kind, time = (np.full(N_EVENTS, number, dtype) for dtype in (np.int32, np.uint8, np.int64))
    return EventColumns(user, user.copy(), kind, time, time.copy(), received_us=time.copy())


def test_parts_that_are_moved_take_less_than_one_and_a_half_times_their_memory() -> None:
    tracemalloc.start()
    try:
        parts = [a_part(number) for number in range(N_PARTS)]
        before, _ = tracemalloc.get_traced_memory()
        events = EventColumns.moved_from(parts)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert parts == []
    assert (events.user == np.repeat(np.arange(N_PARTS), N_EVENTS)).all()
    assert events.event_id is None
    assert peak < 1.5 * before


def test_parts_stay_as_they_are_when_they_are_joined() -> None:
    parts = [a_part(1), a_part(2)]

    events = EventColumns.concatenate(parts)

    assert len(events) == 2 * N_EVENTS
    assert [part.user.item(0) for part in parts] == [1, 2]
