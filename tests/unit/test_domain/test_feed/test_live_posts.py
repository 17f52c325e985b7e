"""Which posts are live depends on the log alone, and nothing can push the newest and the strongest out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.live_posts import LivePostLimits, live_posts
from app.domain.feed.time_units import DAY

DAYS = st.integers(0, 9)
ROWS = st.lists(
    st.tuples(DAYS, st.one_of(st.none(), DAYS), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30
)
LIMITS = st.builds(LivePostLimits, st.integers(0, 8), st.integers(0, 4), st.integers(0, 5))


def live(limits: LivePostLimits, rows, seq) -> set[int]:
    """The numbers of the live posts; each row holds days of creation and last event, and two counts."""
    created, engaged, *counts = zip(*rows, strict=True)
    columns = [
        np.array([np.nan if one is None else one for one in column], float)
        for column in (created, engaged, *counts)
    ]
    never = np.isnan(columns[1])
    last_engaged = np.where(never, -np.inf, columns[1] * DAY)
    log2_counts = np.where(never, -np.inf, np.stack(columns[2:]))
    is_live = live_posts(limits, columns[0] * DAY, np.array(seq, np.int64), last_engaged, log2_counts)
    return set(np.array(seq)[is_live].tolist())


@given(LIMITS, ROWS, st.randoms())
def test_the_order_of_arrival_does_not_matter(limits, rows, random):
    numbered = list(enumerate(rows))
    random.shuffle(numbered)
    seq, shuffled = zip(*numbered, strict=True)

    assert live(limits, shuffled, seq) == live(limits, rows, range(len(rows)))


@given(LIMITS, ROWS)
def test_exactly_the_newest_the_strongest_and_the_recently_engaged_are_live(limits, rows):
    engaged = [(*row, seq) for seq, row in enumerate(rows) if row[1] is not None]
    newest = sorted(((row[0], seq) for seq, row in enumerate(rows)), reverse=True)[: limits.newest]
    expected = {seq for _, seq in newest}
    for half_life in (2, 3):
        strongest = sorted(((row[half_life], row[-1]) for row in engaged), reverse=True)[: limits.strongest]
        expected |= {seq for _, seq in strongest}
    last = max((row[1] for row in engaged), default=0)
    expected |= {row[-1] for row in engaged if row[1] >= last - limits.engaged_days}

    assert live(limits, rows, range(len(rows))) == expected


@given(st.integers(0, 8), st.integers(0, 4), ROWS, st.integers(1, 5))
def test_revived_posts_push_out_neither_the_newest_nor_the_strongest(newest, strongest, rows, revived):
    limits = LivePostLimits(newest, strongest, engaged_days=-1)  # none is live for its events alone
    later = [(day + 1, engaged, 1 + count, 1 + other) for day, engaged, count, other in rows]
    old = [(0, 10, 0, 0)] * revived  # the oldest and coldest posts, with the last events of the feed

    with_revived = live(limits, old + later, range(-revived, len(later)))

    assert with_revived >= live(limits, later, range(len(later)))
