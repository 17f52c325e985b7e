"""The posts that storage lists are those of the fake that other tests use, and its work has a bound."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from app.domain.errors import StorageUnavailable
from app.domain.feed.time_position import TimePosition
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.stored_posts import StoredPost, StoredPosts, StoredPostsQuery
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.schema import PUBLIC_SCHEMA, SchemaName
from app.infrastructure.database.stored_posts_impl import SqlStoredPostRepository
from tests.support.storage_under_test import NOON, SqlTables, Storage, a_post, a_user, control_of, did

READER = user_uuid("reader")
START = TimePosition.before_all(NOON.timestamp())
HOUR = timedelta(hours=1)


def fill(storage: Storage) -> None:
    """40 posts, two of each hour; some are not for the reader."""
    storage.tables.add_users(
        a_user("reader", languages=("de",)), a_user("ann"), a_user("ben"), a_user("cay", discoverable=False)
    )
    storage.tables.add_follow(READER, user_uuid("ann"))
    changes = {
        3: {"visible": False},
        5: {"visibility": "followers"},
        6: {"visibility": "followers"},
        8: {"language": "fr"},
        9: {"language": "de-AT"},
        11: {"sensitive": True},
        12: {"root_id": post_uuid("p0")},
        13: {"repost_of": post_uuid("p1")},
    }
    authors = ("ann", "ben", "reader", None)
    posts = []
    for number in range(40):
        author = "cay" if number == 15 else authors[number % 4]
        at = NOON - number // 2 * HOUR
        posts.append(a_post(f"p{number}", author, at=at, **changes.get(number, {})))
    storage.tables.add_posts(*posts)
    storage.interactions.record([did("reader", "p4"), did("ann", "p16")])
    for control in (
        control_of("reader", "hide_post", "p20"),
        control_of("reader", "mute_word", "p24"),
        control_of("ben", "block_author", "reader"),
    ):
        storage.controls.record(control, undo=False, event_id=None)


def names_of(found: StoredPosts) -> list[str]:
    return [str(post.external_id) for post in found.posts]


def all_names(storage: Storage, query: StoredPostsQuery, limit: int) -> list[str]:
    names: list[str] = []
    position: TimePosition | None = START
    while position is not None:
        found = storage.stored_posts.posts_after(query, position, limit)
        assert len(found.posts) <= limit
        names += names_of(found)
        position = found.next_position
    return names


def test_of_given_posts_those_are_returned_that_the_list_would_show(storage: Storage) -> None:
    fill(storage)
    expected = all_names(storage, StoredPostsQuery(READER, exclude_seen=False), 100)
    given = [post_uuid(f"p{number}") for number in range(41)]  # the last one is unknown

    found = storage.stored_posts.visible_posts(READER, given)

    assert [post.external_id for post in found] == expected
    of_nobody = storage.stored_posts.visible_posts(user_uuid("nobody"), given[:3])
    assert [post.external_id for post in of_nobody] == ["p1", "p0", "p2"]


def test_a_users_list_is_newest_first_and_lacks_what_they_may_not_or_do_not_want_to_see(
    storage: Storage,
) -> None:
    fill(storage)
    newest_first = [f"p{number + other}" for number in range(0, 40, 2) for other in (1, 0)]
    not_shown = {f"p{number}" for number in (3, 8, 11, 15, 20, 24)}  # p5 is of ben
    by_blocking, own = ({f"p{number}" for number in range(start, 40, 4)} for start in (1, 2))
    allowed = [name for name in newest_first if name not in not_shown | by_blocking | own]
    by_ann = [f"p{number}" for number in range(0, 40, 4) if number not in (8, 20, 24)]

    unseen = [name for name in allowed if name != "p4"]
    following = StoredPostsQuery(READER, followed_only=True, exclude_seen=False)
    for limit in (1, 4, 100):
        assert all_names(storage, StoredPostsQuery(READER), limit) == unseen
        assert all_names(storage, StoredPostsQuery(READER, exclude_seen=False), limit) == allowed
        assert all_names(storage, following, limit) == by_ann


def test_excluded_and_skipped_posts_are_omitted(storage: Storage) -> None:
    fill(storage)
    first = storage.stored_posts.posts_after(StoredPostsQuery(READER), START, 4)
    numbers = [post.position.seq for post in first.posts]

    skipped = storage.stored_posts.posts_after(StoredPostsQuery(READER, skipped=4), START, 2)
    excluded = storage.stored_posts.posts_after(StoredPostsQuery(READER, excluded_seqs=numbers), START, 2)
    ids = [post.id for post in first.posts]
    by_id = storage.stored_posts.posts_after(StoredPostsQuery(READER, excluded_ids=ids), START, 2)

    assert skipped == excluded == by_id
    assert not set(names_of(first)) & set(names_of(skipped))


def test_a_post_has_its_thread_its_original_and_its_place(storage: Storage) -> None:
    fill(storage)
    found = storage.stored_posts.posts_after(StoredPostsQuery(user_uuid("nobody")), START, 100).posts
    by_name = {post.external_id: post for post in found}

    assert by_name["p12"].root_id == post_uuid("p0")
    assert by_name["p13"].repost_of == post_uuid("p1")
    assert by_name["p0"] == StoredPost(post_uuid("p0"), "p0", by_name["p0"].position, user_uuid("ann"))
    assert by_name["p0"].position.created == NOON.timestamp()
    assert [post.position for post in found] == sorted((post.position for post in found), reverse=True)


@pytest.mark.parametrize("followed_only", [False, True])
def test_a_search_without_a_result_ends_and_says_how_far_it_came(engine: Engine, followed_only: bool) -> None:
    tables = SqlTables(engine, SchemaName())
    tables.add_users(a_user("reader"), a_user("ann"))
    tables.add_follow(READER, user_uuid("ann"))
    tables.run(
        "INSERT INTO {posts} (external_id, author_id, created_at, visible) "
        "SELECT 'p' || n, %s, %s - n * interval '1 second', n > 9000 FROM generate_series(1, 9005) n",
        str(user_uuid("ann")), NOON,
    )  # fmt: skip
    storage = SqlStoredPostRepository(engine, budget_seconds=20)
    query = StoredPostsQuery(READER, followed_only=followed_only)

    first = storage.posts_after(query, START, 1)
    assert not first.posts
    assert first.next_position is not None
    second = storage.posts_after(query, first.next_position, 1)
    rest = storage.posts_after(query, second.posts[0].position, 10)

    assert names_of(second) == ["p9001"]
    assert names_of(rest) == ["p9002", "p9003", "p9004", "p9005"]
    assert rest.next_position is None


def test_a_database_that_does_not_answer_is_unavailable() -> None:
    engine = create_feed_engine("postgresql://nobody@127.0.0.1:1/nothing", connect_seconds=1)
    storage = SqlStoredPostRepository(engine)

    with pytest.raises(StorageUnavailable):
        storage.posts_after(StoredPostsQuery(READER), START, 1)


def test_what_is_read_for_a_page_does_not_grow_with_the_controls_of_the_user(engine: Engine) -> None:
    fill(Storage.on_postgres(engine, PUBLIC_SCHEMA))
    few = blocks_of_a_page(engine)

    tables = SqlTables(engine, PUBLIC_SCHEMA)
    tables.run(
        "INSERT INTO {user_feedback} (user_id, action, post_id) "
        f"SELECT '{READER}', 'hide_post', gen_random_uuid() FROM generate_series(1, 5000)"
    )
    tables.run("ANALYZE {user_feedback}")

    assert blocks_of_a_page(engine) < 2 * few


def blocks_of_a_page(engine: Engine) -> int:
    """The blocks that PostgreSQL reads to find which of the 40 posts the reader may see."""
    with engine.connect() as connection:
        [plan] = connection.exec_driver_sql(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT p.id FROM posts p WHERE EXISTS "
            "(SELECT FROM feed_visible_posts(%s) AS v (id) WHERE v.id = p.id OFFSET 0)",
            (READER,),
        ).scalar_one()
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])
