"""What every store promises, in memory and on PostgreSQL alike."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest

from app.domain.entities.control import Control
from app.domain.errors import UnknownAuthor, UnknownPost, UnknownUser
from app.domain.feed.dataset import uuid_keys
from app.domain.feed.row_checksums import (
    Checksums,
    FeedChecksums,
    RowChecksums,
    UnchangedRows,
    follow_checksums,
)
from app.domain.feed.uuid_index import UuidIndex
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.feed_log import LogPosition, RowKeys
from app.domain.repositories.recommendation_repository import SavedRecommendations
from tests.support.storage_under_test import NOON, Storage, a_post, a_user, control_of, did, events_of


def filled(storage: Storage) -> Storage:
    storage.tables.add_users(a_user("anna"), a_user("bert"))
    storage.tables.add_posts(a_post("first", "anna"), a_post("second", at=NOON + timedelta(hours=1)))
    return storage


def test_an_empty_store_is_an_empty_feed(storage: Storage) -> None:
    whole = storage.log.read_all()

    history = whole.dataset
    assert (len(history.users), len(history.posts), len(history.follows), len(history.events)) == (0, 0, 0, 0)
    assert whole.position.source == storage.log.source()
    assert storage.log.read_changes(whole.position).events == []


def test_the_feed_that_is_read_has_every_user_post_follow_and_event(storage: Storage) -> None:
    filled(storage)
    storage.tables.add_posts(a_post("hidden", visible=False))
    storage.tables.add_follow(user_uuid("bert"), user_uuid("anna"))
    storage.tables.add_follow(user_uuid("anna"), user_uuid("bert"), NOON + timedelta(microseconds=1))
    storage.interactions.record([did("bert", "first", "share", at=NOON + timedelta(microseconds=123457))])

    history = storage.log.read_all().dataset

    users, posts = list(history.users.external_id), history.posts
    assert set(users) == {"anna", "bert"}
    assert (history.users.key == uuid_keys(map(user_uuid, users))).all()
    assert (posts.key == uuid_keys(map(post_uuid, posts.external_id))).all()
    place = {name: row for row, name in enumerate(posts.external_id)}
    assert posts.visible[[place["first"], place["second"], place["hidden"]]].tolist() == [True, True, False]
    assert posts.author[place["first"]] == users.index("anna")
    assert posts.author[place["second"]] == -1
    assert posts.created[place["second"]] == (NOON + timedelta(hours=1)).timestamp()
    assert posts.text[place["first"]] == "about first"
    assert posts.tags[place["first"]] == ("news", 'odd "{,}\\ tag')
    assert len(set(posts.seq.tolist())) == 3
    edges = {
        (users[a], users[b]): since
        for a, b, since in zip(
            history.follows.follower, history.follows.followee, history.follows.since.tolist(), strict=True
        )
    }
    assert np.isnan(edges["bert", "anna"])
    assert edges["anna", "bert"] == (NOON + timedelta(microseconds=1)).timestamp()
    assert events_of(history) == [("bert", "first", 4, (NOON + timedelta(microseconds=123457)).timestamp())]


def test_events_come_sorted_by_time_and_ties_by_their_number(storage: Storage) -> None:
    filled(storage)
    later = NOON + timedelta(seconds=1)
    storage.interactions.record(
        [did("anna", "second", "like", at=later), did("anna", "second", "view", at=NOON)]
    )
    storage.interactions.record([did("bert", "second", "click", at=NOON)])

    events = storage.log.read_all().dataset.events

    assert events.kind.tolist() == [0, 1, 2]
    assert events.seq[0] < events.seq[1]


def test_changes_contain_what_was_added_since(storage: Storage) -> None:
    position = storage.log.read_all().position
    filled(storage)
    storage.tables.add_follow(user_uuid("bert"), user_uuid("anna"))
    recorded = storage.interactions.record([did("bert", "first", "like", event=uuid4())])

    changes = storage.log.read_changes(position)

    assert {user.external_id for user in changes.users} == {"anna", "bert"}
    first, second = sorted(changes.posts, key=lambda post: post.seq)
    assert (first.external_id, first.author_id, first.content) == ("first", user_uuid("anna"), "about first")
    assert (second.author_id, second.tags, second.created_at) == (
        None, ("news", 'odd "{,}\\ tag'), NOON + timedelta(hours=1),
    )  # fmt: skip
    assert list(changes.follows) == [(user_uuid("bert"), user_uuid("anna"))]
    assert list(changes.events) == list(recorded.stored)
    assert not changes.removed_users
    assert not changes.removed_posts
    assert not changes.removed_follows


def test_changes_are_read_again_until_the_position_advances(storage: Storage) -> None:
    start = storage.log.read_all().position
    filled(storage)

    once, again = storage.log.read_changes(start), storage.log.read_changes(start)
    after = storage.log.read_changes(once.position)

    assert {post.id for post in once.posts} == {post.id for post in again.posts} != set()
    assert not after.posts
    assert not after.users


def test_a_position_without_its_detail_loses_nothing(storage: Storage) -> None:
    start = storage.log.read_all().position
    filled(storage)
    storage.interactions.record([did("bert", "first")])

    changes = storage.log.read_changes(LogPosition(start.source, start.xid))

    assert {post.external_id for post in changes.posts} == {"first", "second"}
    assert len(changes.events) == 1


def test_a_changed_post_comes_again_as_it_is_now_under_its_number(storage: Storage) -> None:
    filled(storage)
    before = storage.log.read_all()
    storage.tables.add_posts(a_post("first", "anna", visible=False))

    (post,) = storage.log.read_changes(before.position).posts

    assert not post.visible
    history = before.dataset
    assert post.seq == history.posts.seq[history.posts.external_id.index("first")]


def test_removals_reach_the_reader_through_every_cascade(storage: Storage) -> None:
    filled(storage)
    storage.tables.add_follow(user_uuid("bert"), user_uuid("anna"))
    storage.interactions.record([did("bert", "first"), did("bert", "second")])
    position = storage.log.read_all().position

    storage.tables.remove_user(user_uuid("anna"))
    changes = storage.log.read_changes(position)

    assert list(changes.removed_users) == [user_uuid("anna")]
    assert list(changes.removed_posts) == [post_uuid("first")]
    assert list(changes.removed_follows) == [(user_uuid("bert"), user_uuid("anna"))]
    assert events_of(storage.log.read_all().dataset) == [("bert", "second", 0, NOON.timestamp())]


def test_a_post_that_was_added_and_removed_is_read_as_removed(storage: Storage) -> None:
    position = storage.log.read_all().position
    storage.tables.add_posts(a_post("brief"))
    storage.tables.remove_post(post_uuid("brief"))

    changes = storage.log.read_changes(position)

    assert not changes.posts
    assert list(changes.removed_posts) == [post_uuid("brief")]


def test_a_follow_that_ended_and_began_again_stands(storage: Storage) -> None:
    filled(storage)
    pair = (user_uuid("anna"), user_uuid("bert"))
    storage.tables.add_follow(*pair)
    position = storage.log.read_all().position
    storage.tables.remove_follow(*pair)
    ended = storage.log.read_changes(position)
    storage.tables.add_follow(*pair)

    begun = storage.log.read_changes(ended.position)

    assert list(ended.removed_follows) == [pair]
    assert list(begun.follows) == [pair]
    assert not begun.removed_follows


def checksums_of(storage: Storage) -> FeedChecksums:
    snapshot = storage.log.read_all()
    assert snapshot.checksums is not None
    return replace(snapshot.checksums, events=snapshot.event_checksums.newest(1000))


def checksum(checksums: Checksums, key: object) -> int:
    return int(checksums.values[checksums.keys.tolist().index(key)])


def test_checksums_are_those_of_the_rows_that_exist(storage: Storage) -> None:
    filled(storage)
    storage.tables.add_posts(a_post("third"))
    stored = storage.interactions.record([did("bert", "first"), did("bert", "third")]).stored
    storage.tables.remove_post(post_uuid("first"))

    checksums = checksums_of(storage)

    assert checksums.users.by_key().keys() == {user_uuid("anna").bytes, user_uuid("bert").bytes}
    assert checksums.posts.by_key().keys() == {post_uuid("second").bytes, post_uuid("third").bytes}
    assert checksums.events.by_key().keys() == {stored[1].seq}


def test_the_checksum_of_a_post_changes_with_the_post_and_with_nothing_else(storage: Storage) -> None:
    filled(storage)
    key = post_uuid("second").bytes
    found = [checksum(checksums_of(storage).posts, key)]
    storage.tables.add_posts(a_post("third"))
    storage.interactions.record([did("anna", "second")])
    found.append(checksum(checksums_of(storage).posts, key))
    for changed in (
        a_post("second", at=NOON),
        a_post("second", "anna", at=NOON),
        a_post("second", "anna", at=NOON, visible=False),
    ):
        storage.tables.add_posts(changed)
        found.append(checksum(checksums_of(storage).posts, key))

    assert len(set(found)) == len(found) - 1
    assert found[0] == found[1]


def test_changes_of_the_log_have_the_checksums_of_a_full_read(storage: Storage) -> None:
    filled(storage)
    storage.interactions.record([did("bert", "first"), did("anna", "second")])
    position = storage.log.read_all().position
    storage.tables.add_follow(user_uuid("bert"), user_uuid("anna"))
    storage.tables.add_users(a_user("cleo"))
    storage.tables.add_posts(a_post("third"))
    storage.interactions.record([did("bert", "third")])
    storage.interactions.retract(user_uuid("bert"), post_uuid("first"), "view")
    storage.controls.record(control_of("anna", "mute_tag", "x"), undo=False, event_id=None)
    storage.tables.remove_post(post_uuid("second"))

    changes, every = storage.log.read_changes(position).checksums, checksums_of(storage)

    assert changes.users.by_key().keys() == {user_uuid("cleo").bytes}
    assert changes.controls.by_key().keys() == {user_uuid("anna").bytes}
    assert set(changes.posts.keys.tolist()) - changes.posts.by_key().keys() == {post_uuid("second").bytes}
    for changed, stored in (
        (changes.users, every.users),
        (changes.posts, every.posts),
        (changes.events, every.events),
    ):
        of_stored = stored.by_key()
        of_changed = dict(zip(changed.keys.tolist(), changed.values.tolist(), strict=True))
        assert of_changed == {key: of_stored.get(key, 0) for key in of_changed}


def test_a_comparison_returns_the_rows_that_differ(storage: Storage) -> None:
    filled(storage)
    storage.tables.add_follow(user_uuid("bert"), user_uuid("anna"))
    [event] = storage.interactions.record([did("bert", "first")]).stored
    every, of_events = checksums_of(storage), storage.log.read_all().event_checksums
    rows = UuidIndex(np.concatenate([every.users.keys, every.posts.keys]))
    known = RowChecksums.of(every, of_events, rows, rows)
    known.by_kind["users"].assign({user_uuid("anna").bytes: rows[user_uuid("anna").bytes]}, 1)
    known.events.update(Checksums(np.array([event.seq]), np.zeros(1, np.int64)))
    sums = known.sums(Checksums.none())
    known.clear_changed()

    found = storage.log.different_rows(
        sums, lambda: known.unchanged(Checksums.none(), rows, rows, sums.last_event)
    )

    follows = found.by_kind["follows"]
    different = {
        kind: known.by_kind[kind].different(rows, stored)
        for kind, stored in found.by_kind.items()
        if kind in known.by_kind
    }
    pair = [user_uuid(name) for name in ("bert", "anna")]
    assert follows.by_key() == {pair[0].bytes: int(follow_checksums(*(uuid_keys([one]) for one in pair))[0])}
    assert {kind: keys for kind, keys in different.items() if keys} == {"users": {user_uuid("anna").bytes}}
    assert known.events.different(found.events, found.event_blocks) == [event.seq]
    place = found.events.keys.tolist().index(event.seq)
    assert found.event_users[place].tobytes() == user_uuid("bert").bytes
    assert found.event_posts[place].tobytes() == post_uuid("first").bytes


def test_a_comparison_reads_no_rows_because_others_changed_meanwhile(storage: Storage) -> None:
    filled(storage)
    storage.tables.add_follow(user_uuid("bert"), user_uuid("anna"))
    storage.interactions.record([did("bert", "first"), did("bert", "first", "like")])
    before = storage.log.read_all()
    every = checksums_of(storage)
    rows = UuidIndex(np.concatenate([every.users.keys, every.posts.keys]))
    known = RowChecksums.of(every, before.event_checksums, rows, rows)
    pair = [uuid_keys([user_uuid(name)]) for name in ("bert", "anna")]
    follows = Checksums(pair[0], follow_checksums(*pair))
    sums = known.sums(follows)
    storage.tables.add_users(a_user("new"))
    storage.tables.add_posts(a_post("newest", "new"))
    storage.interactions.retract(user_uuid("bert"), post_uuid("first"), "like")
    calls = []

    def unchanged() -> Mapping[str, UnchangedRows]:
        calls.append(1)
        # the reader has it, the comparison does not
        storage.tables.add_posts(a_post("after the snapshot", "new"))
        after = storage.log.read_changes(before.position).checksums
        new = np.concatenate([after.users.keys, after.posts.keys])
        rows.add(new, np.arange(len(rows.by_row), len(rows.by_row) + len(new)))
        known.apply(after, rows, rows)
        known.events.update(after.events)
        return known.unchanged(follows, rows, rows, sums.last_event)

    found = storage.log.different_rows(sums, unchanged)

    assert (dict(found.by_kind), found.event_blocks) == ({}, [])
    assert len(calls) == 1


def test_rows_are_read_as_changes(storage: Storage) -> None:
    filled(storage)
    storage.tables.add_follow(user_uuid("anna"), user_uuid("bert"))
    storage.interactions.record([did("bert", "first"), did("bert", "first", "like")])
    position = storage.log.read_all().position
    anna, bert, gone = user_uuid("anna"), user_uuid("bert"), user_uuid("gone")
    keys = RowKeys(
        users={anna: 0, gone: 0},
        followers={anna},
        posts={post_uuid("first"): 0, post_uuid("none"): 0},
        follows={(gone, anna): 0},
        controls={anna: 7},
        events={(bert, post_uuid("first")): [10**9]},
    )

    changes = storage.log.read_rows(keys, position)

    assert ([user.id for user in changes.users], changes.removed_users) == ([anna], [gone])
    assert [post.external_id for post in changes.posts] == ["first"]
    assert changes.removed_posts == [post_uuid("none")]
    assert (changes.follows, changes.removed_follows) == ([(anna, bert)], [(gone, anna)])
    assert [(one.user_id, one.seq) for one in changes.controls] == [(anna, 7)]
    [removed] = changes.removed_events
    assert (list(removed.seqs), len(removed.remaining)) == ([10**9], 2)
    assert changes.position == position


def test_the_log_can_resume_from_a_position_of_its_own(storage: Storage) -> None:
    filled(storage)
    storage.interactions.record([did("anna", "second"), did("bert", "second")])
    position = storage.log.read_all().position
    storage.interactions.record([did("bert", "first")])
    storage.tables.remove_post(post_uuid("second"))

    assert storage.log.has_complete_change_capture()
    assert storage.log.can_resume_from(position)
    assert not storage.log.can_resume_from(replace(position, source="elsewhere"))


def test_posts_are_found_by_their_time_oldest_first(storage: Storage) -> None:
    filled(storage)
    storage.tables.add_posts(a_post("third", at=NOON + timedelta(minutes=30)))

    found = storage.log.posts_created_since((NOON + timedelta(minutes=30)).timestamp())

    assert [post.external_id for post in found] == ["third", "second"]


def test_posts_are_found_by_id_and_unknown_ids_are_skipped(storage: Storage) -> None:
    filled(storage)

    found = storage.posts.posts([post_uuid("second"), uuid4(), post_uuid("first")])[0]

    assert {post.content for post in found} == {"about first", "about second"}
    assert list(storage.posts.posts([])[0]) == []


def test_what_was_recorded_comes_back_in_order_with_rising_numbers(storage: Storage) -> None:
    filled(storage)
    given = [did("anna", "second", "view"), did("bert", "first", "click"), did("bert", "second", "like")]

    recorded = storage.interactions.record(given)

    assert [one.interaction for one in recorded.stored] == given
    seqs = [one.seq for one in recorded.stored]
    assert seqs == sorted(set(seqs))
    assert len({one.xid for one in recorded.stored}) == 1
    assert recorded.duplicates == 0


def test_the_same_event_is_stored_once_within_a_call_and_across_calls(storage: Storage) -> None:
    filled(storage)
    event = UUID(int=7)
    first = storage.interactions.record(
        [did("anna", "second", event=event), did("anna", "second", event=event)]
    )

    again = storage.interactions.record([did("anna", "second", event=event), did("anna", "second")])

    assert (len(first.stored), first.duplicates) == (1, 1)
    assert (len(again.stored), again.duplicates) == (1, 1)
    assert again.stored[0].interaction.event_id is None
    assert len(storage.log.read_all().dataset.events) == 2


def test_a_partial_call_stores_the_other_events_and_names_the_unknown_ones(storage: Storage) -> None:
    filled(storage)

    recorded = storage.interactions.record(
        [did("anna", "nothing"), did("anna", "second"), did("nobody", "nothing"), did("nobody", "first")],
        partial=True,
    )

    assert [one.interaction.post_id for one in recorded.stored] == [post_uuid("second")]
    assert recorded.duplicates == 0
    assert {place: type(error) for place, error in recorded.rejected.items()} == {
        0: UnknownPost,
        2: UnknownUser,
        3: UnknownUser,
    }


def test_an_unknown_user_or_post_is_named_and_nothing_of_the_call_is_stored(storage: Storage) -> None:
    filled(storage)

    with pytest.raises(UnknownUser, match=str(user_uuid("nobody"))):
        storage.interactions.record([did("anna", "second"), did("nobody", "first"), did("none", "second")])
    with pytest.raises(UnknownPost, match=str(post_uuid("nothing"))):
        storage.interactions.record([did("anna", "second"), did("anna", "nothing"), did("nobody", "first")])

    assert len(storage.log.read_all().dataset.events) == 0


def test_retracted_events_are_removed_and_the_others_of_the_pair_remain(storage: Storage) -> None:
    filled(storage)
    liked = storage.interactions.record([did("anna", "second", "like"), did("anna", "second", "like")]).stored
    viewed = storage.interactions.record([did("anna", "second", "view"), did("anna", "first", "like")]).stored
    position = storage.log.read_all().position

    removed = storage.interactions.retract(user_uuid("anna"), post_uuid("second"), "like")
    again = storage.interactions.retract(user_uuid("anna"), post_uuid("second"), "like")

    assert sorted(removed.seqs) == [one.seq for one in liked]
    assert list(removed.remaining) == [viewed[0]]
    assert list(again.seqs) == []
    [captured] = storage.log.read_changes(position).removed_events
    assert (captured.user_id, captured.post_id) == (user_uuid("anna"), post_uuid("second"))
    assert sorted(captured.seqs) == sorted(removed.seqs)
    assert list(captured.remaining) == [viewed[0]]


def test_an_event_is_retracted_by_its_id_only_by_its_user(storage: Storage) -> None:
    filled(storage)
    event = uuid4()
    [stored] = storage.interactions.record([did("anna", "second", event=event)]).stored

    assert storage.interactions.retract_event(user_uuid("bert"), event) is None
    removed = storage.interactions.retract_event(user_uuid("anna"), event)
    assert removed is not None
    assert (removed.post_id, list(removed.seqs)) == (post_uuid("second"), [stored.seq])
    assert storage.interactions.retract_event(user_uuid("anna"), event) is None


def test_retracting_of_an_unknown_user_or_post_names_it(storage: Storage) -> None:
    filled(storage)

    with pytest.raises(UnknownUser, match=str(user_uuid("nobody"))):
        storage.interactions.retract(user_uuid("nobody"), post_uuid("first"), "like")
    with pytest.raises(UnknownPost, match=str(post_uuid("nothing"))):
        storage.interactions.retract(user_uuid("anna"), post_uuid("nothing"), "like")
    with pytest.raises(UnknownUser, match=str(user_uuid("nobody"))):
        storage.interactions.retract_event(user_uuid("nobody"), uuid4())


def test_the_events_of_a_removed_post_are_removed_events(storage: Storage) -> None:
    filled(storage)
    stored = storage.interactions.record([did("anna", "second"), did("bert", "second")]).stored
    position = storage.log.read_all().position

    storage.tables.remove_post(post_uuid("second"))

    removed = storage.log.read_changes(position).removed_events
    assert {(one.user_id, tuple(one.seqs)) for one in removed} == {
        (one.interaction.user_id, (one.seq,)) for one in stored
    }


def test_recording_nothing_is_no_error(storage: Storage) -> None:
    assert storage.interactions.record([]).stored == ()


def test_saved_recommendations_are_refreshed_and_live_until_they_expire(storage: Storage) -> None:
    filled(storage)
    anna = user_uuid("anna")
    expires = NOON + timedelta(hours=24)
    recommended = [str(post_uuid(name)) for name in ("first", "second", "gone")]
    scores = [0.5] * 3

    later = timedelta(hours=1)
    storage.recommendations.save(
        [
            SavedRecommendations(user, recommended, scores, NOON, expires)
            for user in (anna, user_uuid("nobody"), user_uuid("bert"))
        ]
    )
    storage.recommendations.save(
        [
            SavedRecommendations(anna, recommended[:1], scores[:1], NOON + later, expires + later),
            SavedRecommendations(user_uuid("bert"), [], [], NOON, expires),
        ]
    )
    storage.recommendations.save([])

    assert storage.recommendations.remove_expired(expires) == 0
    assert storage.recommendations.remove_expired(expires + timedelta(minutes=1)) == 3
    assert storage.recommendations.remove_expired(expires + timedelta(hours=2)) == 1


def test_an_older_answer_does_not_replace_a_newer_one(storage: Storage) -> None:
    filled(storage)
    anna, recommended = user_uuid("anna"), [str(post_uuid("first"))]
    storage.recommendations.save(
        [SavedRecommendations(anna, recommended, [0.5], NOON, NOON + timedelta(hours=2))]
    )

    hour = timedelta(hours=1)
    storage.recommendations.save([SavedRecommendations(anna, recommended, [0.5], NOON - hour, NOON + hour)])

    assert storage.recommendations.remove_expired(NOON + timedelta(minutes=90)) == 0


def test_controls_are_recorded_in_their_order_with_rising_numbers(storage: Storage) -> None:
    filled(storage)
    hidden = control_of("anna", "hide_post", "second", at=NOON + timedelta(hours=1))
    blocked = control_of("anna", "block_author", "bert", until=NOON + timedelta(days=1))

    first = storage.controls.record(hidden, undo=False, event_id=None)
    second = storage.controls.record(blocked, undo=False, event_id=uuid4())

    assert list(first.controls) == [hidden]
    assert list(second.controls) == [hidden, blocked]
    assert second.user_id == user_uuid("anna")
    assert 0 < first.seq < second.seq
    assert storage.controls.controls_of(user_uuid("anna")) == second
    assert list(storage.controls.controls_of(user_uuid("bert")).controls) == []
    assert storage.controls.controls_of(user_uuid("bert")).seq == 0


def test_a_control_without_a_time_has_the_time_of_storing(storage: Storage) -> None:
    filled(storage)

    state = storage.controls.record(
        Control(user_uuid("anna"), "report_post", post_uuid("second")), undo=False, event_id=None
    )

    assert state.controls[0].created_at is not None
    assert state.controls[0].created_at > NOON


def test_a_control_that_is_set_again_replaces_the_one_before(storage: Storage) -> None:
    filled(storage)
    ends = control_of("anna", "mute_author", "bert", until=NOON + timedelta(days=1))
    endless = control_of("anna", "mute_author", "bert", at=NOON + timedelta(hours=1))
    storage.controls.record(ends, undo=False, event_id=None)

    assert list(storage.controls.record(endless, undo=False, event_id=None).controls) == [endless]


def test_undo_takes_back_one_action_on_one_target_alone(storage: Storage) -> None:
    filled(storage)
    hidden, reported = (control_of("anna", action, "second") for action in ("hide_post", "report_post"))
    for control in (hidden, reported, control_of("anna", "hide_post", "first")):
        before = storage.controls.record(control, undo=False, event_id=None)
    storage.controls.record(control_of("bert", "hide_post", "second"), undo=False, event_id=None)

    after = storage.controls.record(hidden, undo=True, event_id=None)
    again = storage.controls.record(hidden, undo=False, event_id=None)

    assert list(after.controls) == [reported, control_of("anna", "hide_post", "first")]
    assert after.seq > before.seq
    assert list(again.controls) == [*after.controls, hidden]
    assert len(storage.controls.controls_of(user_uuid("bert")).controls) == 1


def test_the_same_control_event_is_stored_once(storage: Storage) -> None:
    filled(storage)
    event, hidden = uuid4(), control_of("anna", "hide_post", "second")
    storage.controls.record(hidden, undo=False, event_id=event)
    undone = storage.controls.record(hidden, undo=True, event_id=uuid4())
    position = storage.log.read_all().position

    again = storage.controls.record(hidden, undo=False, event_id=event)

    assert again == undone
    assert list(again.controls) == []
    assert storage.log.read_changes(position).is_empty


def test_an_unknown_user_post_or_author_of_a_control_is_named_and_nothing_is_stored(storage: Storage) -> None:
    filled(storage)
    position = storage.log.read_all().position

    with pytest.raises(UnknownUser, match=str(user_uuid("nobody"))):
        storage.controls.record(control_of("nobody", "hide_post", "nothing"), undo=False, event_id=None)
    with pytest.raises(UnknownPost, match=str(post_uuid("nothing"))):
        storage.controls.record(control_of("anna", "hide_post", "nothing"), undo=False, event_id=None)
    with pytest.raises(UnknownAuthor, match=str(user_uuid("nobody"))):
        storage.controls.record(control_of("anna", "block_author", "nobody"), undo=False, event_id=None)
    with pytest.raises(UnknownUser, match=str(user_uuid("nobody"))):
        storage.controls.controls_of(user_uuid("nobody"))

    assert storage.log.read_changes(position).is_empty


def test_changes_contain_the_present_controls_of_each_user_who_changed_theirs(storage: Storage) -> None:
    filled(storage)
    storage.controls.record(control_of("anna", "hide_post", "first"), undo=False, event_id=None)
    storage.controls.record(control_of("bert", "hide_post", "first"), undo=False, event_id=None)
    position = storage.log.read_all().position
    storage.controls.record(control_of("anna", "mute_author", "bert"), undo=False, event_id=None)
    present = storage.controls.record(control_of("anna", "hide_post", "second"), undo=False, event_id=None)

    changes = storage.log.read_changes(position)

    assert not changes.is_empty
    assert list(changes.controls) == [present]
    assert len(present.controls) == 3
    assert list(storage.log.read_changes(changes.position).controls) == []


def test_the_feed_that_is_read_has_the_controls_of_every_user(storage: Storage) -> None:
    filled(storage)
    hidden = control_of("bert", "hide_post", "second")
    muted = storage.controls.record(control_of("anna", "mute_author", "bert"), undo=False, event_id=None)
    storage.controls.record(hidden, undo=False, event_id=None)
    undone = storage.controls.record(hidden, undo=True, event_id=None)

    controls = {one.user_id: one for one in storage.log.read_all().controls}

    assert controls == {user_uuid("anna"): muted, user_uuid("bert"): undone}
    assert list(undone.controls) == []


def test_controls_taken_back_are_changes_without_controls(storage: Storage) -> None:
    filled(storage)
    hidden = control_of("anna", "hide_post", "second")
    storage.controls.record(hidden, undo=False, event_id=None)
    position = storage.log.read_all().position

    undone = storage.controls.record(hidden, undo=True, event_id=None)

    assert list(storage.log.read_changes(position).controls) == [undone]
    assert list(undone.controls) == []


def test_the_controls_of_a_removed_user_are_gone(storage: Storage) -> None:
    filled(storage)
    before = storage.controls.record(control_of("bert", "hide_post", "second"), undo=False, event_id=None)
    kept = storage.controls.record(control_of("anna", "hide_post", "second"), undo=False, event_id=None)
    position = storage.log.read_all().position

    storage.tables.remove_user(user_uuid("bert"))

    [gone] = storage.log.read_changes(position).controls
    assert (gone.user_id, list(gone.controls)) == (user_uuid("bert"), [])
    assert gone.seq > before.seq
    assert list(storage.log.read_all().controls) == [kept]


def test_a_follow_and_its_end_are_changes_with_rising_numbers(storage: Storage) -> None:
    filled(storage)
    position = storage.log.read_all().position
    pair = user_uuid("bert"), user_uuid("anna")

    followed = storage.follows.set_follow(*pair, follows=True)
    after_follow = storage.log.read_changes(position)
    unfollowed = storage.follows.set_follow(*pair, follows=False)
    after_end = storage.log.read_changes(position)

    assert (list(after_follow.follows), list(after_follow.removed_follows)) == ([pair], [])
    assert (list(after_end.follows), list(after_end.removed_follows)) == ([], [pair])
    assert followed.seq is not None
    assert unfollowed.seq is not None
    assert followed.seq < unfollowed.seq
    assert after_follow.follow_seqs == {pair: followed.seq}
    assert after_end.follow_seqs == {pair: unfollowed.seq}


@pytest.mark.parametrize("follows", [True, False])
def test_a_follow_that_is_so_already_is_no_change(storage: Storage, follows: bool) -> None:
    filled(storage)
    pair = user_uuid("bert"), user_uuid("anna")
    storage.follows.set_follow(*pair, follows=True)
    storage.follows.set_follow(*pair, follows=follows)
    position = storage.log.read_all().position

    again = storage.follows.set_follow(*pair, follows=follows)

    assert (again.follows, again.seq) == (follows, None)
    assert storage.log.read_changes(position).is_empty


@pytest.mark.parametrize("pair", [("anna", "nobody"), ("nobody", "anna")])
@pytest.mark.parametrize("follows", [True, False])
def test_an_unknown_user_of_a_follow_is_named(storage: Storage, pair: tuple[str, str], follows: bool) -> None:
    filled(storage)

    with pytest.raises(UnknownUser, match=str(user_uuid("nobody"))):
        storage.follows.set_follow(*map(user_uuid, pair), follows=follows)
