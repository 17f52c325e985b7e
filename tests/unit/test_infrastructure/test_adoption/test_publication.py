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


def test_a_publication_time_must_have_come() -> None:
    assert condition("published_at timestamptz") == 'coalesce(t."published_at" <= now(), false)'
    assert condition("expires_at timestamptz") == 'coalesce(t."expires_at" > now(), true)'
    assert condition("scheduled_for timestamptz") == 'coalesce(t."scheduled_for" <= now(), true)'
    assert condition("hidden_until timestamptz") == 'coalesce(t."hidden_until" <= now(), true)'
    assert condition("visible_until timestamptz") == 'coalesce(t."visible_until" > now(), true)'


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
     "pinned boolean", "draft_content text", "public_id text"],
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
