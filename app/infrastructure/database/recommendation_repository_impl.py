"""RecommendationRepository over PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.repositories.recommendation_repository import SavedRecommendations
from app.infrastructure.database.sql_repository import SqlRepository

# The joins with the views skip users and posts that no longer exist. Rows are inserted in the order of their key, so
# that concurrent statements lock them in the same order and cannot deadlock.
SAVE_STATEMENT = """
INSERT INTO {user_recommendation} AS stored (user_id, post_id, score, generated_at, expires_at)
SELECT u.id, p.id, scored.score, given.generated_at, given.expires_at
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS given (user_id, posts, scores, generated_at, expires_at)
CROSS JOIN LATERAL unnest(given.posts::uuid[], given.scores::float8[]) AS scored (post_id, score)
JOIN {feed_posts} p ON p.id = scored.post_id
JOIN {feed_users} u ON u.id = given.user_id
ORDER BY u.id, p.id
ON CONFLICT (user_id, post_id) DO UPDATE
SET score = excluded.score, generated_at = excluded.generated_at, expires_at = excluded.expires_at
WHERE stored.generated_at <= excluded.generated_at
"""


@dataclass(frozen=True, slots=True)
class SqlRecommendationRepository(SqlRepository):
    """RecommendationRepository over the table user_recommendation."""

    budget_seconds: float = 2.0

    def save(self, recommendations: Sequence[SavedRecommendations]) -> None:
        """Save one row for each user and post, in one statement; newer recommendations replace older ones."""
        newest_by_user = {saved.user_id: saved for saved in recommendations}
        if not newest_by_user:
            return
        columns = zip(*map(_parameters, newest_by_user.values()), strict=True)
        with self.transaction() as connection:
            statement = SAVE_STATEMENT.format_map(self.schema)
            connection.exec_driver_sql(statement, tuple(map(list, columns)))

    def remove_expired(self, now: datetime) -> int:
        """Delete the rows that expired before `now`, through idx_user_reco_cleanup; return their number."""
        statement = f"DELETE FROM {self.schema['user_recommendation']} WHERE expires_at < %s"
        with self.transaction() as connection:
            return connection.exec_driver_sql(statement, (now,)).rowcount


def _parameters(saved: SavedRecommendations) -> tuple[str, str, str, datetime, datetime]:
    """Return user, posts, scores and times of one user's recommendations; posts and scores as PostgreSQL arrays.

    The arrays are written here because the driver is slow: it inspects each value.
    """
    posts, scores = ",".join(saved.post_ids), ",".join(map(repr, saved.scores))
    return str(saved.user_id), f"{{{posts}}}", f"{{{scores}}}", saved.generated_at, saved.expires_at
