"""A feed in which the user anna has rows in every table that holds some."""

from datetime import UTC, datetime, timedelta

from app.domain.entities import Impression, Reason
from app.domain.ids import post_uuid, user_uuid
from app.domain.repositories.recommendation_repository import SavedRecommendations
from app.infrastructure.database.impression_repository_impl import SqlImpressionRepository
from app.infrastructure.database.recommendation_repository_impl import SqlRecommendationRepository
from tests.support.storage_under_test import SqlTables, a_post, a_user

ANNA = str(user_uuid("anna"))


def add_rows_of_anna(tables: SqlTables) -> None:
    """Anna, Bert and Carl follow, like, mute and see each other's posts; anna-1 and anna-2 are Anna's."""
    tables.add_users(*(a_user(name) for name in ("anna", "bert", "carl")))
    tables.add_posts(
        *(a_post(f"{name}-{number}", name) for name in ("anna", "bert", "carl") for number in (1, 2))
    )
    tables.run("UPDATE {users} SET username = 'Anna A.' WHERE external_id = 'anna'")
    tables.run("INSERT INTO {memberships} VALUES (%s, 'club')", ANNA)
    tables.run("INSERT INTO {user_interest} (user_id, tag) VALUES (%s, 'sport')", ANNA)
    interest = "INSERT INTO {user_interest} (user_id, author_id) VALUES (%s, %s)"
    tables.run(interest, str(user_uuid("bert")), ANNA)
    for follower, followee in (("anna", "bert"), ("carl", "anna"), ("carl", "bert")):
        tables.add_follow(user_uuid(follower), user_uuid(followee))
    for user, post in (
        ("anna", "bert-1"), ("anna", "carl-1"), ("anna", "anna-2"), ("bert", "anna-1"), ("carl", "bert-1"),
    ):  # fmt: skip
        tables.run(
            "INSERT INTO {user_interaction} (user_id, post_id, interaction_type, metadata, request_id) "
            "VALUES (%s, %s, 'like', '{{\"place\": 3}}', 'a request')",
            str(user_uuid(user)),
            str(post_uuid(post)),
        )
    control = "INSERT INTO {{user_feedback}} (user_id, action, {}) VALUES (%s, %s, %s)"
    tables.run(control.format("word"), ANNA, "mute_word", "rain")
    tables.run(control.format("post_id"), ANNA, "hide_post", str(post_uuid("carl-2")))
    tables.run(control.format("author_id"), str(user_uuid("bert")), "mute_author", ANNA)
    tables.run(control.format("post_id"), str(user_uuid("bert")), "not_interested", str(post_uuid("anna-2")))
    tables.run(control.format("tag"), str(user_uuid("bert")), "mute_tag", "sport")
    show_pages(tables)
    now = datetime.now(UTC)
    SqlRecommendationRepository(tables.engine, tables.schema, budget_seconds=20).save(
        [
            SavedRecommendations(user_uuid(user), [str(post_uuid(post))], [0.5], now, now + timedelta(days=1))
            for user, post in (("anna", "bert-2"), ("bert", "anna-1"), ("carl", "bert-2"))
        ]
    )


def show_pages(tables: SqlTables) -> None:
    """Show bert-2 and carl-2 to Anna, who sees bert-2, and anna-1 and carl-2 to Bert."""
    with tables.engine.connect() as connection:
        query = f"SELECT external_id, seq FROM {tables.schema['posts']}"
        seqs = {row.external_id: row.seq for row in connection.exec_driver_sql(query)}
    impressions = SqlImpressionRepository(tables.engine, tables.schema, budget_seconds=20)
    impressions.save(
        [
            Impression(
                f"page of {user}", user_uuid(user), datetime.now(UTC), "ranked", None,
                [seqs[post] for post in posts], [Reason.RECENT] * 2, variants={"order": "other"},
            )
            for user, posts in (("anna", ("bert-2", "carl-2")), ("bert", ("anna-1", "carl-2")))
        ]
    )  # fmt: skip
    impressions.report_seen(user_uuid("anna"), "page of anna", [post_uuid("bert-2")])
