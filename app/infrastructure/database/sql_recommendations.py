"""RecommendationRepository over PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine

from app.domain.entities import Recommendation
from app.infrastructure.database.connection import transaction
from app.infrastructure.database.schema import SchemaName

# The views are asked what still exists; FOR KEY SHARE on our tables is what the foreign keys do by themselves. Rows go
# in by post id, so that two savers of one user lock in one order.
SAVE = """
INSERT INTO {user_recommendation} AS kept (user_id, post_id, score, generated_at, expires_at)
SELECT u.id, p.id, g.score, %s, %s
FROM unnest(%s::uuid[], %s::float8[]) AS g (post_id, score)
JOIN {feed_posts} p ON p.id = g.post_id
JOIN {feed_users} u ON u.id = %s::uuid
ORDER BY p.id
ON CONFLICT (user_id, post_id) DO UPDATE
SET score = excluded.score, generated_at = excluded.generated_at, expires_at = excluded.expires_at
WHERE kept.generated_at <= excluded.generated_at
"""


class SqlRecommendations:
    """RecommendationRepository over user_recommendation; clean-up served by idx_user_reco_cleanup."""

    def __init__(
        self, engine: Engine, schema: SchemaName | None = None, *, budget_seconds: float = 2.0
    ) -> None:
        self._engine = engine
        schema = schema or SchemaName()
        self._table = schema["user_recommendation"]
        names = {name: schema[name] for name in ("feed_users", "feed_posts", "user_recommendation")}
        self._save = SAVE.format(**names)
        self._budget = budget_seconds

    def save(
        self,
        user_id: UUID,
        recommendations: Sequence[Recommendation],
        generated_at: datetime,
        expires_at: datetime,
    ) -> None:
        """One row per post, the newest answer wins; one statement."""
        score = {str(one.post_id): one.score for one in recommendations}  # a post twice: its last score
        if not score:
            return
        values = (generated_at, expires_at, list(score), list(score.values()), str(user_id))
        with transaction(self._engine, self._budget) as connection:
            connection.exec_driver_sql(self._save, values)

    def remove_expired(self, now: datetime) -> int:
        """Rows whose expires_at lies before `now`."""
        with transaction(self._engine, self._budget) as connection:
            return connection.exec_driver_sql(
                f"DELETE FROM {self._table} WHERE expires_at < %s", (now,)
            ).rowcount
