"""The pages that were shown, in PostgreSQL and in memory: what is stored, read by the log, and removed."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from app.domain.entities import Impression, Reason
from app.domain.errors import UnknownUser
from app.domain.feed.shown_pages import ShownPage
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.impression_repository_impl import SqlImpressionRepository
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.schema import SchemaName
from tests.support.storage_under_test import NOON, SqlTables, Storage, a_post, a_user, did

DAY = timedelta(days=1)
PUBLIC = SchemaName()
Row = tuple[datetime, list[int], list[bool]]


def filled(storage: Storage) -> list[int]:
    """Two users and three posts by Anna; the numbers of the posts."""
    storage.tables.add_users(a_user("anna"), a_user("bert"))
    names = ("first", "second", "third")
    storage.tables.add_posts(*(a_post(name, "anna", at=NOON + age * DAY) for age, name in enumerate(names)))
    posts = storage.log.read_all().dataset.posts
    numbers = dict(zip(posts.external_id, posts.seq.tolist(), strict=True))
    return [numbers[name] for name in names]


def page(
    user: str, posts: Sequence[int], *, request: str = "r1", at: datetime = NOON, mode: str = "ranked"
) -> Impression:
    reasons = [Reason.TRENDING, Reason.RECENT, Reason.FOLLOWING][: len(posts)]
    return Impression(request, user_uuid(user), at, mode, "v1", posts, reasons)


def rows(pages: Sequence[ShownPage]) -> list[Row]:
    return [(one.shown_at, one.posts.tolist(), one.seen.tolist()) for one in pages]


def test_the_log_returns_pages_and_what_was_seen_on_them(storage: Storage) -> None:
    first, second, third = filled(storage)
    position = storage.log.read_all().position

    storage.impressions.save([page("anna", [second, first]), page("bert", [third], at=NOON + DAY)])
    shown = storage.log.read_changes(position)
    storage.impressions.report_seen(user_uuid("anna"), "r1", [post_uuid("first"), post_uuid("third")])
    seen = storage.log.read_changes(shown.position)

    assert rows(shown.pages) == [
        (NOON, [second, first], [False, False]),
        (NOON + DAY, [third], [False]),
    ]
    assert rows(seen.pages) == [(NOON, [second, first], [False, True])]
    assert storage.log.read_changes(seen.position).is_empty
    assert rows(storage.log.read_all().pages) == [rows(seen.pages)[0], rows(shown.pages)[1]]


def test_reports_add_up_and_a_repeated_report_changes_nothing(storage: Storage) -> None:
    first, second, _ = filled(storage)
    storage.impressions.save([page("anna", [first, second])])
    reports = [["first"], ["first"], ["second", "unknown"]]

    found = [
        storage.impressions.report_seen(user_uuid("anna"), "r1", list(map(post_uuid, names)))
        for names in reports
    ]

    assert [rows(pages)[0][2] for pages in found] == [[True, False], [True, False], [True, True]]
    assert [reach.seen for reach in storage.impressions.reach(user_uuid("anna"))] == [0, 1, 1]


def test_a_page_has_the_variants_of_the_experiments_that_it_counts_in(engine: Engine) -> None:
    storage = Storage.on_postgres(engine, PUBLIC)
    first, *_ = filled(storage)
    variants = {"order": "other", "second": "control"}

    storage.impressions.save([page("anna", [first]), replace(page("bert", [first]), variants=variants)])

    with engine.connect() as connection:
        query = "SELECT variants FROM impression ORDER BY variants NULLS FIRST"
        assert connection.exec_driver_sql(query).scalars().all() == [None, variants]


def test_the_places_of_chosen_posts_are_counted_once_by_the_version_of_the_model(engine: Engine) -> None:
    storage = Storage.on_postgres(engine, PUBLIC)
    first, second, third = filled(storage)
    shown_at = datetime.now(UTC) - timedelta(minutes=2)
    pages = [
        page("anna", [second, first], at=shown_at),
        page("bert", [third, first, second], at=shown_at),
        page("bert", [first, second], request="r2", at=shown_at, mode="newest"),
    ]
    storage.impressions.save(pages)
    _, began = storage.impressions.chosen_places(None)
    events = [
        ("anna", "first", "like", "r1"),
        ("anna", "second", "view", "r1"),
        ("anna", "third", "like", "r1"),
        ("bert", "first", "share", "r1"),
        ("bert", "third", "click", "r1"),
        ("bert", "second", "like", "r2"),
        ("bert", "second", "like", "unknown"),
    ]
    storage.interactions.record(
        [
            replace(did(user, post, kind, at=shown_at), request_id=request)
            for user, post, kind, request in events
        ]
    )
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE user_interaction SET created_at = now() - interval '31 seconds'")

    chosen, until = storage.impressions.chosen_places(began - timedelta(minutes=5))
    none, _ = storage.impressions.chosen_places(until)

    assert chosen == {"v1": {1: 1, 2: 2}}
    assert none == {}


def test_an_event_is_joined_with_the_team_of_its_place(engine: Engine) -> None:
    storage = Storage.on_postgres(engine, PUBLIC)
    first, second, third = filled(storage)
    interleaved = replace(page("anna", [third, first, second]), teams=[1, 0, -1])

    storage.impressions.save([interleaved, page("anna", [first], request="r2")])
    for post, request in (("first", "r1"), ("second", "r1"), ("third", "r1"), ("first", "r2")):
        event = replace(did("anna", post, "like", at=NOON), request_id=request)
        SqlInteractionRepository(engine, budget_seconds=20).record([event])

    with engine.connect() as connection:
        query = "SELECT place, team FROM interaction_impression ORDER BY request_id, place"
        assert connection.exec_driver_sql(query).all() == [(1, 1), (2, 0), (3, -1), (1, None)]


@pytest.mark.parametrize(("user", "request_id"), [("bert", "r1"), ("anna", "r2")])
def test_only_the_users_own_pages_can_be_reported(storage: Storage, user: str, request_id: str) -> None:
    first, *_ = filled(storage)
    storage.impressions.save([page("anna", [first])])

    assert not storage.impressions.report_seen(user_uuid(user), request_id, [post_uuid("first")])
    assert rows(storage.log.read_all().pages)[0][2] == [False]


def test_pages_of_users_who_were_deleted_since_are_not_stored(storage: Storage) -> None:
    first, *_ = filled(storage)

    storage.impressions.save([page("anna", [first]), page("carl", [first])])
    with pytest.raises(UnknownUser):
        storage.impressions.report_seen(user_uuid("carl"), "r1", [post_uuid("first")])
    with pytest.raises(UnknownUser):
        storage.impressions.reach(user_uuid("carl"))

    assert len(storage.log.read_all().pages) == 1


def test_pages_of_visitors_are_stored_and_can_be_reported(storage: Storage) -> None:
    first, *_ = filled(storage)
    storage.impressions.save([replace(page("visitor", [first]), known_user=False)])

    [reported] = storage.impressions.report_seen(user_uuid("visitor"), "r1", [post_uuid("first")])

    assert reported.seen.tolist() == [True]
    with pytest.raises(UnknownUser):
        storage.impressions.report_seen(user_uuid("visitor"), "r2", [post_uuid("first")])


def test_a_page_with_a_number_above_four_bytes_is_omitted_and_its_events_do_not_join(engine: Engine) -> None:
    storage = Storage.on_postgres(engine, PUBLIC)
    first, *_ = filled(storage)
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT setval(pg_get_serial_sequence('posts', 'seq'), 2147483647)")
    storage.tables.add_posts(a_post("large", "anna"))
    pages = [page("bert", [first, 2**31]), page("bert", [first], request="r2")]

    assert storage.impressions.save(pages) == 1

    events = [did("bert", post, "like") for post in ("first", "large")]
    SqlInteractionRepository(engine, budget_seconds=20).record(
        [type(one)(one.user_id, one.post_id, "like", NOON, uuid4(), "r2") for one in events]
    )
    with engine.connect() as connection:
        joined = connection.exec_driver_sql("SELECT post_id::text FROM interaction_impression").scalars()
        assert list(joined) == [str(post_uuid("first"))]


def test_the_pages_of_a_deleted_user_are_removed(storage: Storage) -> None:
    first, *_ = filled(storage)
    storage.impressions.save([page("anna", [first]), page("bert", [first])])

    storage.tables.remove_user(user_uuid("bert"))

    assert [one.user_id for one in storage.log.read_all().pages] == [user_uuid("anna")]


def test_the_reach_of_an_author_counts_pages_and_events_by_post(storage: Storage) -> None:
    first, second, _ = filled(storage)
    storage.tables.add_posts(a_post("hidden", "anna", visible=False), a_post("other", "bert"))
    storage.impressions.save([page("bert", [first, second]), page("anna", [second], request="r2")])
    storage.interactions.record([did("bert", "second", "like"), did("bert", "second", "view")])

    reach = storage.impressions.reach(user_uuid("anna"))

    assert [(one.external_id, one.shown) for one in reach] == [("third", 0), ("second", 2), ("first", 1)]
    assert {kind: count for kind, count in reach[1].interactions.items() if count} == {"like": 1, "view": 1}


def test_a_read_that_reaches_its_limit_continues_after_whole_transactions(engine: Engine) -> None:
    storage = Storage.on_postgres(engine, PUBLIC)
    first, *_ = filled(storage)
    log = SqlFeedLog(engine, max_rows_per_read=3)
    position = log.read_all().position
    for start in range(0, 6, 2):
        storage.impressions.save(
            [page("anna", [first], at=NOON + timedelta(seconds=start + one)) for one in range(2)]
        )

    sizes = []
    while not (changes := log.read_changes(position)).is_empty or changes.more:
        position = changes.position
        sizes.append(len(changes.pages))

    assert [size for size in sizes if size] == [4, 2]


def partitions(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(
            connection.exec_driver_sql(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'impression'::regclass"
            ).scalars()
        )


def name_of(day: datetime) -> str:
    return f"impression_{day:%Y%m%d}"


def test_days_are_prepared_ahead_and_dropped_when_they_are_old(engine: Engine) -> None:
    storage = Storage.on_postgres(engine, PUBLIC)
    first, *_ = filled(storage)
    now = datetime.now(UTC)
    storage.impressions.save([page("anna", [first], at=now - age * DAY) for age in (0, 30, 31)])

    with ThreadPoolExecutor(4) as replicas:
        dropped = list(replicas.map(lambda _: storage.impressions.maintain(30), range(4)))

    assert sum(dropped) == 1
    assert partitions(engine) == {name_of(now + days * DAY) for days in (-30, 0, 1, 2)}
    assert len(storage.log.read_all().pages) == 2


def test_a_page_is_stored_though_its_partition_is_missing(engine: Engine) -> None:
    storage = Storage.on_postgres(engine, PUBLIC)
    first, *_ = filled(storage)
    storage.impressions.save([page("anna", [first])])
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {name_of(NOON)}")

    storage.impressions.save([page("anna", [first], request="after")])

    assert len(storage.log.read_all().pages) == 1


def test_replicas_that_store_pages_of_a_new_day_at_the_same_time_lose_none(engine: Engine) -> None:
    first, *_ = filled(Storage.on_postgres(engine, PUBLIC))
    replicas = [SqlImpressionRepository(engine, budget_seconds=20) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda number: replicas[number].save(
                    [page("anna", [first], at=NOON + (day + number % 2) * DAY) for day in range(5)]
                ),
                range(4),
            )
        )

    assert len(SqlFeedLog(engine).read_all().pages) == 20


def test_events_with_a_request_id_join_their_place_on_the_page(engine: Engine) -> None:
    storage = Storage.on_postgres(engine, PUBLIC)
    first, second, third = filled(storage)
    storage.impressions.save([page("anna", [second, third]), page("bert", [first, second])])
    event = did("anna", "third", "like")
    SqlInteractionRepository(engine, budget_seconds=20).record(
        [
            type(event)(event.user_id, post_uuid(post), "like", NOON, uuid4(), request)
            for post, request in (("third", "r1"), ("first", "r1"), ("second", "other"))
        ]
    )

    with engine.connect() as connection:
        joined = connection.exec_driver_sql(
            "SELECT user_id::text, post_id::text, place, shown_at FROM interaction_impression"
        ).all()

    assert [tuple(row) for row in joined] == [
        (str(user_uuid("anna")), str(post_uuid("third")), 2, NOON),
    ]


def test_the_newest_pages_of_a_user_are_found_by_index(engine: Engine) -> None:
    storage = Storage.on_postgres(engine, PUBLIC)
    first, *_ = filled(storage)
    storage.impressions.save([page("anna", [first], at=NOON + days * DAY) for days in range(3)])

    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql(
            "EXPLAIN SELECT posts, time FROM impression WHERE user_id = %s ORDER BY time DESC LIMIT 25",
            (user_uuid("anna"),),
        ).scalars()

        assert "Sort" not in "\n".join(plan)


def test_a_truncated_table_of_users_has_no_pages(engine: Engine) -> None:
    storage = Storage.on_postgres(engine, PUBLIC)
    first, *_ = filled(storage)
    storage.impressions.save([page("anna", [first])])

    SqlTables(engine, PUBLIC).run("TRUNCATE {users} CASCADE")

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM impression").scalar_one() == 0
