"""The engagement before a slice, from parts of a log: the same bits as in the state of the whole feed."""

from dataclasses import fields, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.feed.dataset import EventColumns
from app.domain.feed.engagement_totals import EngagementTotals
from app.domain.ranking.options import RankingOptions
from tests.support.feeds import feeds
from training.replay.replay import Replay
from training.replay.replay_slices import NumberedEvents, ReplaySlice
from training.replay.slice_states import (
    Authorship,
    count_past,
    engaged_posts,
    engagement_before,
    events_of_slice,
)

NOBODY = np.empty(0, np.intp)


def slice_from(start: float) -> ReplaySlice:
    return ReplaySlice(start, start + 1, NOBODY, NOBODY, 0, needs_whole_past=False, largest_rows=(-1, -1))


def test_neighbours_come_from_the_newest_events_of_a_user():
    posts = np.arange(300, dtype=np.int32)
    users, kinds, times = np.zeros(300, np.int32), np.zeros(300, np.uint8), np.arange(300) * 1_000_000
    events = NumberedEvents(EventColumns(users, posts, kinds, times, posts), posts, posts != 280)
    one = replace(slice_from(290.0), users=np.array([0]), stop=295.0)

    assert engaged_posts(events, one).tolist() == [post for post in range(33, 295) if post != 280]


def test_a_slice_has_the_newest_events_of_neighbours_and_all_of_its_users():
    posts = np.arange(300, dtype=np.int32)
    users, kinds, times = posts % 3, np.zeros(300, np.uint8), np.arange(300) * 1_000_000
    events = NumberedEvents(EventColumns(users, posts, kinds, times, posts), posts, posts != 280)
    one = replace(slice_from(290.0), users=np.array([0]), listed=np.array([0]), compared_from=285)

    found = events_of_slice(events, one, np.array([1])).numbers

    of_user, of_neighbour, of_other = (found[found % 3 == user].tolist() for user in range(3))
    assert of_user == list(range(0, 300, 3))
    assert of_neighbour == [number for number in range(137, 290) if number % 3 == 1 and number != 280]
    assert of_other == [287, 290]
    assert count_past(events, one, np.array([0, 1])).tolist() == [97, 96]


def test_a_slice_has_the_newest_counted_events_of_the_posts_of_its_users():
    users = np.arange(200, dtype=np.int32)
    posts, kinds, times = users % 2, np.zeros(200, np.uint8), np.arange(200) * 1_000_000
    events = NumberedEvents(EventColumns(users, posts, kinds, times, users), users, users != 180)
    authorship = Authorship(np.array([-1, -1], np.int32), np.full(200, -np.inf), RankingOptions().counting)
    one = replace(slice_from(190.0), stop=193.0)

    (before,) = engagement_before(events, authorship, [one], [np.array([0], np.int32)])

    newest = [number for number in range(28, 190, 2) if number != 180]
    assert len(newest) == 80
    assert before.newest.numbers.tolist() == newest
    assert before.neighbours.tolist() == [*newest, 190, 192]


@settings(max_examples=30)
@given(
    feed=feeds(least_events=6), place=st.integers(0, 20), n_parts=st.integers(1, 4), seed=st.integers(0, 9)
)
def test_parts_of_a_feed_count_as_the_feed_does(feed, place, n_parts, seed):
    feed = feed.dataset()
    replay = Replay(feed, RankingOptions())
    authorship, start = Authorship.of(replay), float(feed.events.time[place % len(feed.events)])
    by_user = []
    for part in np.random.default_rng(seed).permutation(n_parts).tolist():
        rows = np.flatnonzero(feed.events.user % n_parts == part)
        by_user.append(authorship.count(feed.events[rows], rows))
    events = NumberedEvents.merge(by_user)

    assert events.counted.tolist() == replay.timeline.counted.tolist()

    part_of = authorship.parts_by_author(events.columns.post, n_parts)
    found = [
        next(
            engagement_before(
                events[np.flatnonzero(part_of == part)], authorship, [slice_from(start)], [NOBODY]
            )
        ).totals
        for part in range(n_parts)
    ]
    timeline = replay.timeline
    timeline.advance(start)
    merged = EngagementTotals.concatenate(found).with_rows(timeline.post_row, timeline.user_row)
    posts, authors = np.argsort(merged.posts), np.argsort(merged.authors)
    expected = EngagementTotals.of(timeline.state)
    for one in fields(EngagementTotals):
        order = authors if one.name.startswith("author") else posts
        assert getattr(merged, one.name)[order].tobytes() == getattr(expected, one.name).tobytes(), one.name
