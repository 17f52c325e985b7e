"""The tags of posts, which simulated people like."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from data.simulate_visits import read_tags
from tests.support.storage_under_test import SqlTables, a_post, a_user


def test_the_tags_of_posts_are_read_by_uuid(
    engine: Engine, tables: SqlTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.add_users(a_user("anna"))
    post = replace(a_post("tagged", "anna"), tags=("red", "blue"))
    tables.add_posts(post)
    monkeypatch.setenv(
        "DATABASE_URL", engine.url.render_as_string(hide_password=False).replace("+psycopg2", "")
    )
    monkeypatch.setenv("DB_SCHEMA", tables.schema.plain)

    assert read_tags()[str(post.id)] == ["red", "blue"]
