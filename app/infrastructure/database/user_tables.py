"""Which tables of the service hold rows about users, and which of these rows an export contains.

A migration that adds a table adds it here: to USER_TABLES, or to OTHER_TABLES with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.infrastructure.database.schema import SchemaName


@dataclass(frozen=True, slots=True)
class UserTable:
    """A table with rows about users. The conditions are SQL over its columns, with the parameter `user` (a UUID).

    name      the table
    field     its field in an export
    exported  condition of the rows in an export
    order     columns that order the rows of an export
    view      the view through which the feed reads the rows; a team may point it at a table of its own
    columns   columns of an export whose values are not those of the table: name -> SQL of a JSON value for the row `t`
    """

    name: str
    field: str
    exported: str
    order: str
    view: str | None = None
    columns: Mapping[str, str] | None = None

    def of_schema(self, sql: str, schema: SchemaName) -> str:
        """`sql` of this table with the names of the views in `schema`."""
        return sql.format(feed_posts=schema["feed_posts"])


USER_TABLES: Final = (
    UserTable("users", "users", "id = %(user)s", "id", "feed_users"),
    UserTable("feed_user_key", "keys", "id = %(user)s", "id"),
    UserTable("posts", "posts", "author_id = %(user)s", "created_at, id", "feed_posts"),
    UserTable("user_interaction", "interactions", "user_id = %(user)s", "occurred_at, seq"),
    UserTable(
        "follows",
        "follows",
        "follower_id = %(user)s OR followee_id = %(user)s",
        "follower_id, followee_id",
        "feed_follows",
    ),
    UserTable("user_feedback", "controls", "user_id = %(user)s", "seq", "feed_controls"),
    UserTable("memberships", "memberships", "user_id = %(user)s", "audience_id", "feed_memberships"),
    UserTable("user_interest", "interests", "user_id = %(user)s", "tag, author_id"),
    UserTable(
        "impression",
        "impressions",
        "user_id = %(user)s",
        "time, request_id",
        columns={
            "posts": "(SELECT jsonb_agg(p.id ORDER BY place) "
            "FROM unnest(t.posts) WITH ORDINALITY AS shown (post, place) "
            "LEFT JOIN {feed_posts} p ON p.seq = shown.post)"
        },
    ),
    UserTable(
        "experiment_user_day",
        "experiments",
        "user_id = %(user)s",
        "experiment, day, metric",
    ),
    UserTable("user_recommendation", "recommendations", "user_id = %(user)s", "generated_at, score DESC"),
)
OTHER_TABLES: Final[Mapping[str, str]] = {
    "ended_session": "keyed hashes of the ids of users of the web application who deleted their data",
    "erased_user": "keyed hashes of the ids of erased users",
    "experiment_report": "the last read-out of each experiment: figures over many users",
    "experiment_stop": "variants of experiments that were stopped",
    "feed_alembic_version": "the version of the schema",
    "feed_change": "the outbox: keys of changed rows, which are purged",
    "feed_change_swept": "one transaction number",
    "feed_engagement": "likes, comments and shares by user, which triggers count and remove with user_interaction",
    "feed_engagement_backfill": "two numbers of events",
    "feed_engagement_late": "events that were not counted yet, because another transaction had the row",
    "feed_engagement_count": "how many users like, comment and share each post",
    "feed_dropped_view": "definitions of views",
    "feed_import": "time shifts of data sets",
    "feed_post_key": "ids of posts of a team",
    "feed_post_number": "numbers of posts of a team",
    "impression_count": "how often each post was shown",
    "post_media": "pictures of posts, files of the web application, which are deleted with their post",
}
"""Tables without rows about users, or with rows that follow from another table, and what they hold."""
INTERNAL_COLUMNS: Final = ("seq", "xid")
"""Columns that are not exported: their values mean nothing outside of the database."""
