"""Calls in a request wait for the database as rarely as possible, because it may be far away."""

import pytest

from app.domain.errors import UnknownPost
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from app.infrastructure.database.schema import SchemaName
from tests.support.counting_proxy import counting_proxy
from tests.support.storage_under_test import SqlTables, a_post, a_user, did


def test_an_event_is_committed_or_rejected_in_two_round_trips(own_database_url: str) -> None:
    direct = create_feed_engine(own_database_url, connect_seconds=10)
    tables = SqlTables(direct, SchemaName())
    tables.add_users(a_user("anna"))
    tables.add_posts(a_post("first"))
    with counting_proxy(own_database_url) as proxy:
        engine = create_feed_engine(proxy.url, pool_size=1, connect_seconds=10)
        interactions = SqlInteractionRepository(engine)
        interactions.record([did("anna", "first")])  # opens the connection
        before = proxy.round_trips
        interactions.record([did("anna", "first", "like")])
        of_known = proxy.round_trips - before
        with pytest.raises(UnknownPost):
            interactions.record([did("anna", "unknown")])
        of_unknown = proxy.round_trips - before - of_known
        engine.dispose()
    direct.dispose()

    assert (of_known, of_unknown) == (2, 2)
