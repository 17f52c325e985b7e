"""Services over tables in memory: random changes, logs without triggers, and the comparison of two states."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
from hypothesis import strategies as st

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.row_checksums import FeedChecksums
from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking.options import RankingOptions
from app.domain.repositories.feed_log import FeedChanges, LogPosition
from tests.support.fake_storage import InMemoryFeedLog
from tests.support.small_service import FEW_CANDIDATES, SmallService

HOUR = timedelta(hours=1)
Change = tuple[str, int, int]


def a_service(
    posts: int = 12, *, database: bool = True, options: RankingOptions = FEW_CANDIDATES
) -> SmallService:
    service = SmallService(database=database, options=options)
    _fill(service, posts)
    service.catch_up()
    return service


def a_service_without_triggers() -> SmallService:
    service = SmallService()
    service.replace_log(LogWithoutTriggers(service.tables))
    _fill(service, 12)
    service.catch_up()
    return service


def _fill(service: SmallService, posts: int) -> None:
    service.add_users("reader", "other", "ann")
    for number in range(posts):
        service.add_post(f"p{number}", "ann", age=number * HOUR)


class LogWithoutTriggers(InMemoryFeedLog):
    """The log of adopted tables: it contains events and controls only."""

    def read_changes(self, since: LogPosition) -> FeedChanges:
        changes = super().read_changes(since)
        no_rows: dict[str, list[Any]] = {
            name: []
            for name in ("users", "removed_users", "posts", "removed_posts", "follows", "removed_follows")
        }
        return replace(changes, **no_rows, checksums=FeedChecksums(events=changes.checksums.events))

    def has_complete_change_capture(self) -> bool:
        return False


def reconcile_now(service: SmallService) -> None:
    assert service.workers.reconciler is not None
    service.workers.reconciler.compare()


def is_known(service: SmallService, post: str) -> bool:
    return post_uuid(post).bytes in service.feed.state.post_rows


def engagements(service: SmallService, post: str) -> int:
    state = service.feed.state
    return int(state.engagements[state.post_rows[post_uuid(post).bytes]])


def fully_read_state(service: SmallService) -> FeedState:
    return FeedTimeline(service.log.read_all().dataset, replay=False).apply_all()


def same_counts(first: FeedState, second: FeedState, now: float) -> bool:
    """True if counters and sets of events are equal; posts and users are matched by key."""
    keys = sorted(set(first.post_rows) | set(second.post_rows))
    if sorted(first.post_rows) != sorted(second.post_rows):
        return False
    a, b = (np.array([state.post_rows[key] for key in keys], np.intp) for state in (first, second))
    users = sorted(set(first.user_rows) & set(second.user_rows))
    return (
        np.array_equal(first.engagements[a], second.engagements[b])
        and np.array_equal(first.last_engaged[a], second.last_engaged[b])
        and np.array_equal(first.visible[a], second.visible[b])
        and np.array_equal(first.created[a], second.created[b])
        and np.allclose(first.post_counters.values(now, a), second.post_counters.values(now, b), rtol=1e-9)
        and np.allclose(
            first.strong_counters.values(now, a), second.strong_counters.values(now, b), rtol=1e-9
        )
        and all(_events(first, key) == _events(second, key) for key in users)
        and all(_followed(first, key) == _followed(second, key) for key in users)
    )


def feed_differences(first: FeedState, second: FeedState, now: float) -> list[str]:
    """What differs in users, posts, counters, events, follows, controls and audiences, matched by key."""
    if set(first.user_rows) != set(second.user_rows):
        return ["users"]
    found = [
        f"user {key.hex()}: {_of_user(first, key, now)} != {_of_user(second, key, now)}"
        for key in first.user_rows
        if _of_user(first, key, now) != _of_user(second, key, now)
    ]
    if set(first.post_rows) != set(second.post_rows):
        return [*found, "posts"]
    found += [
        f"post {key.hex()}: {_of_post(first, key)} != {_of_post(second, key)}"
        for key in first.post_rows
        if _of_post(first, key) != _of_post(second, key)
    ]
    if not same_counts(first, second, now):
        found.append("counts")
    if not np.allclose(*(_author_counts(state, now) for state in (first, second)), rtol=1e-9):
        found.append("counts of authors")
    return found + _list_differences(first, second)


def _list_differences(first: FeedState, second: FeedState) -> list[str]:
    """What differs in the users of posts, and in the events before the lists of users."""
    found = [f"user {key.hex()}" for key in first.user_rows if _earlier(first, key) != _earlier(second, key)]
    return found + [
        f"post {key.hex()}: {_engagements(first, key)} != {_engagements(second, key)}"
        for key in first.post_rows
        if _engagements(first, key) != _engagements(second, key)
    ]


def _earlier(state: FeedState, user: bytes) -> list[tuple[str, int]]:
    posts, kinds = (column.tolist() for column in state.earlier_events.row(state.user_rows[user]))
    return sorted((state.post_id(post), kind) for post, kind in zip(posts, kinds, strict=True))


def _engagements(state: FeedState, post: bytes) -> tuple[list[float], list[tuple[float, int]]]:
    """Times in their order, and with types; because of users at one time any may be in the list."""
    _, times, kinds = state.users_by_post.row(state.post_rows[post])
    return times.tolist(), sorted(zip(times.tolist(), kinds.tolist(), strict=True))


def _of_user(state: FeedState, key: bytes, now: float) -> tuple[Any, ...]:
    row = state.user_rows[key]
    hidden = state.controls.active(row, now, state.post_rows).posts
    hidden_posts = sorted(state.post_id(post) for post in hidden.tolist())
    interests = state.interests.of(row)
    declared = sorted(interests.tags.tolist()), sorted(map(state.user_key, interests.authors.tolist()))
    return state.accounts_created[row], state.followers[row], hidden_posts, _audiences(state, row), declared


def _audiences(state: FeedState, row: int) -> list[str]:
    names = {code: name for name, code in state.visibility._audience_codes.items()}
    return sorted(names[code] for code in state.visibility.audiences.get(row, np.empty(0)).tolist())


def _of_post(state: FeedState, key: bytes) -> tuple[Any, ...]:
    row = state.post_rows[key]
    topics = {number: tag for tag, number in state.topic_ids.items()}
    users = {row: key for key, row in state.user_rows.items()}
    return users.get(int(state.author[row])), topics.get(int(state.topic[row])), state.seq[row]


def _author_counts(state: FeedState, now: float) -> np.ndarray[Any, Any]:
    rows = [state.user_rows[key] for key in sorted(state.user_rows)]
    return state.author_counters.values(now, np.array(rows, np.intp))


def _events(state: FeedState, user: bytes) -> list[tuple[str, float, int]]:
    """Events of a user with posts of the state, in their order."""
    known = set(state.post_rows.values())
    columns = state.events_by_user.row(state.user_rows[user])[:3]
    events = zip(*(column.tolist() for column in columns), strict=True)
    return [(state.post_id(post), at, kind) for post, at, kind in events if post in known]


def _followed(state: FeedState, user: bytes) -> set[bytes]:
    key_of = {row: key for key, row in state.user_rows.items()}
    return {key_of[row] for row in state.follows.row(state.user_rows[user])[0].tolist() if row in key_of}


random_changes = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("event", "event", "event", "retract", "post", "hide", "delete"),
                *("follow", "unfollow", "follow by the API", "unfollow by the API", "poll"),
            ]
        ),
        st.integers(0, 2),
        st.integers(0, 13),
    ),
    max_size=40,
)


def make_changes(changes: list[Change], service: SmallService, writer: SmallService) -> None:
    """Make the changes a minute apart: events by `writer`, the others in the tables of `service`."""
    users = ("reader", "other", "ann")
    for what, who, number in changes:
        post, user, next_user = f"p{number}", users[who], users[(who + 1) % 3]
        exists = post_uuid(post) in service.tables.posts
        pair = (user_uuid(user), user_uuid(next_user))
        service.pass_time(60)
        writer.clock.at = service.clock.at
        if what == "event" and exists:
            occurred_at = service.clock.at - (number % 4) * HOUR
            writer.track(user, post, INTERACTION_TYPES[number % 5], occurred_at)
        elif what == "retract" and exists:
            writer.retract(user, post, INTERACTION_TYPES[number % 5])
        elif what in {"post", "hide"}:
            service.add_post(post, user, age=number * HOUR, visible=what == "post")
        elif what == "delete" and exists:
            service.remove_post(post)
        elif what == "follow":
            service.follow(user, next_user)
        elif what == "unfollow" and pair in service.tables.follows:
            service.tables.remove_follow(*pair)
        elif what.endswith("by the API"):
            writer.set_follow(user, next_user, follows=what.startswith("follow"))
        elif what == "poll":
            service.catch_up()
