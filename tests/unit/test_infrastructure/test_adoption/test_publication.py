"""Columns of soft deletes, drafts and moderation, in the words of many teams."""

import pytest

from app.infrastructure.database.adoption.publication import publication, user_publication
from tests.support.team_schemas import table


def condition(column: str) -> str:
    return publication(table("posts", column).columns).condition


@pytest.mark.parametrize(
    "column",
    [
        "deleted_at timestamptz", "deletedAt timestamp", "archived_at date", "discarded_at timestamp",
        "removed_on timestamptz", "deleted_by uuid", "hidden_by_id integer", "removal_reason text",
    ],
)  # fmt: skip
def test_a_row_is_published_while_such_a_column_is_null(column: str) -> None:
    assert condition(column) == f't."{column.split()[0]}" IS NULL'


@pytest.mark.parametrize(
    "name",
    [
        "is_deleted",
        "deleted",
        "isHidden",
        "removed",
        "banned",
        "draft",
        "is_draft",
        "private",
        "spam",
        "hidden_from_feed",
    ],
)
def test_a_row_is_published_unless_such_a_flag_is_set(name: str) -> None:
    assert condition(f"{name} boolean") == f'NOT coalesce(t."{name}", false)'
    assert condition(f"{name} smallint") == f'coalesce(t."{name}", 0) = 0'


@pytest.mark.parametrize(
    "name", ["published", "isPublished", "is_active", "approved", "visible", "public", "live"]
)
def test_a_row_is_published_only_if_such_a_flag_is_set(name: str) -> None:
    assert condition(f"{name} boolean") == f'coalesce(t."{name}", false)'


MOMENT = """
    published_at pub_date publish_date publishAt publishedOn date_published publication_date publishedat pubdate
    release_date launched_at approved_at live_at first_published_at posted_at
"""
START = """
    go_live_at goLiveDate visible_from available_from valid_from scheduled_for scheduled_at schedule_date embargo_until
    embargoed_to hidden_until display_start_date show_after publish_scheduled_at not_before
"""
END = """
    expires_at expiry_date expiration expired_at unpublish_at unpublishOn visible_until valid_to publish_down
    publication_end_date delete_at archive_on hide_after deletion_scheduled_at display_end_date
"""


@pytest.mark.parametrize(
    ("names", "expected"),
    [(MOMENT, "<= now(), false)"), (START, "<= now(), true)"), (END, "> now(), true)")],
    ids=["published", "hidden before", "hidden after"],
)
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date", "bigint"])
def test_times_from_or_until_which_a_row_is_shown(names: str, expected: str, kind: str) -> None:
    found = {name: condition(f"{name} {kind}") for name in names.split() if kind != "bigint" or "_at" in name}

    assert {name: sql for name, sql in found.items() if not sql.endswith(expected)} == {}


def test_without_a_time_a_row_is_published_at_once_if_its_state_says_so() -> None:
    with_state = publication(table("posts", "status text,publish_at timestamptz").columns).condition

    assert condition("publish_at timestamptz") == 'coalesce(t."publish_at" <= now(), false)'
    assert with_state.endswith('coalesce(t."publish_at" <= now(), true)')


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("needs_review boolean", 'NOT coalesce(t."needs_review", false)'),
        ("members_only boolean", 'NOT coalesce(t."members_only", false)'),
        ("is_internal boolean", 'NOT coalesce(t."is_internal", false)'),
        ("is_scheduled boolean", 'NOT coalesce(t."is_scheduled", false)'),
        ("not_published boolean", 'NOT coalesce(t."not_published", false)'),
        ("isdeleted boolean", 'NOT coalesce(t."isdeleted", false)'),
        ("deletedat timestamp", 't."deletedat" IS NULL'),
        ("deleted_at bigint", 'coalesce(t."deleted_at", 0) = 0'),
    ],
)
def test_flags_of_rows_that_wait_or_are_deleted(column: str, expected: str) -> None:
    assert condition(column) == expected


@pytest.mark.parametrize(
    "name",
    [
        "status",
        "post_status",
        "state",
        "aasm_state",
        "visibility",
        "privacy",
        "moderation_status",
        "visibility_level",
    ],
)
def test_a_state_shows_only_values_that_are_known_to_be_public(name: str) -> None:
    assert "'published'" in condition(f"{name} text")
    assert "'draft'" not in condition(f"{name} text")
    assert (
        condition(f"{name} DRAFT|PUBLISHED")
        == f"coalesce(lower(btrim(t.\"{name}\"::text)) IN ('published'), false)"
    )


@pytest.mark.parametrize(
    "column",
    [
        "status integer",
        "state a|b",
        "visibility smallint",
        "moderation jsonb",
        "audience text[]",
        "status_id integer",
        "moderated_at timestamp",
        "starts_at timestamptz",
        "published_at text",
        "auto_publish boolean",
        "can_be_deleted boolean",
        "privacy boolean",
        "validity tstzrange",
        "expires_in interval",
        "ttl_seconds integer",
        "delete_after integer",
    ],
)
def test_no_row_is_published_while_the_meaning_of_a_column_is_unknown(column: str) -> None:
    found = publication(table("posts", f"{column},content text").columns)

    assert found.condition == "false"
    assert [one.name for one in found.unknown] == [column.split()[0]]


@pytest.mark.parametrize(
    "column",
    ["id integer", "content text", "title text", "created_at timestamp", "likes_count integer",
     "comments_enabled boolean", "public_url text", "status_changed_at timestamp", "author_id integer",
     "pinned boolean", "draft_content text", "public_id text", "last_active_at timestamptz",
     "visibility_changed_at timestamptz", "updated_at timestamptz"],
)  # fmt: skip
def test_other_columns_hide_nothing(column: str) -> None:
    assert publication(table("posts", column).columns).columns == ()


def test_posts_for_followers_are_published_only_where_the_view_restricts_them() -> None:
    columns = table("posts", "visibility public|followers|private").columns

    assert "followers" not in publication(columns).condition
    assert "followers" in publication(columns, followers=True).condition
    assert "private" not in publication(columns, followers=True).condition


def test_users_are_hidden_if_deleted_banned_or_inactive_and_not_for_their_presence() -> None:
    columns = table(
        "users", "deleted_at timestamp,is_active boolean,status online|away|banned,published boolean"
    ).columns

    found = user_publication(columns)

    assert found.columns == ("deleted_at", "is_active", "status")
    assert "'banned'" in found.condition
    assert "online" not in found.condition
