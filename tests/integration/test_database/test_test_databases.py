"""What the tests themselves stand on."""

import psycopg2
import pytest

from tests.support.postgres import TestServer


def tables(url: str) -> set[str]:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            return {name for (name,) in cursor.fetchall()}
    finally:
        connection.close()


def test_a_fresh_database_has_our_tables(database_url: str) -> None:
    assert {"users", "posts", "follows", "user_interaction", "user_recommendation"} <= tables(database_url)


def test_an_empty_database_has_none(empty_database_url: str) -> None:
    assert tables(empty_database_url) == set()


def test_what_one_database_holds_another_does_not(own_database_url: str, postgres: TestServer) -> None:
    connection = psycopg2.connect(own_database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE mine (n int)")
    connection.close()

    with postgres.database() as other:
        assert "mine" not in tables(other)


def test_a_database_is_gone_after_its_test_even_with_a_connection_left_open(postgres: TestServer) -> None:
    with postgres.database() as url:
        left_open = psycopg2.connect(url)

    left_open.close()
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(url)
