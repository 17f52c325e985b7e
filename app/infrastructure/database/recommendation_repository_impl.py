"""RecommendationRepository over PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine

from app.domain.repositories.recommendation_repository import SavedRecommendations
from app.infrastructure.database.connection import transaction
from app.infrastructure.database.schema import SchemaName

# The views are asked what still exists; FOR KEY SHARE on our tables is what the foreign keys do by themselves. Rows go
# in by their key, so that two savers lock in one order.
SAVE = """
INSERT INTO {user_recommendation} AS kept (user_id, post_id, score, generated_at, expires_at)
SELECT u.id, p.id, g.score, a.generated_at, a.expires_at
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS a (user_id, posts, scores, generated_at, expires_at)
CROSS JOIN LATERAL unnest(a.posts::uuid[], a.scores::float8[]) AS g (post_id, score)
JOIN {feed_posts} p ON p.id = g.post_id
JOIN {feed_users} u ON u.id = a.user_id
ORDER BY u.id, p.id
ON CONFLICT (user_id, post_id) DO UPDATE
SET score = excluded.score, generated_at = excluded.generated_at, expires_at = excluded.expires_at
WHERE kept.generated_at <= excluded.generated_at
"""


class SqlRecommendationRepository:
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

    def save(self, recommendations: Sequence[SavedRecommendations]) -> None:
        """One row per user and post, the newest answer wins; one statement."""
        rows = [_row(answer) for answer in {one.user_id: one for one in recommendations}.values()]
        if not rows:
            return
        with transaction(self._engine, self._budget) as connection:
            connection.exec_driver_sql(self._save, tuple(list(column) for column in zip(*rows, strict=True)))

    def remove_expired(self, now: datetime) -> int:
        """Rows whose expires_at lies before `now`."""
        with transaction(self._engine, self._budget) as connection:
            return connection.exec_driver_sql(
                f"DELETE FROM {self._table} WHERE expires_at < %s", (now,)
            ).rowcount


def _row(answer: SavedRecommendations) -> tuple[str, str, str, datetime, datetime]:
    """User, posts and scores as arrays in PostgreSQL's spelling: a driver that looks at each value by itself takes
    most of the time of a save, and of the process's."""
    # a post twice: its last score
    scores = {str(one.post_id): repr(one.score) for one in answer.recommendations}
    posts, values = (",".join(column) for column in (scores, scores.values()))
    return str(answer.user_id), f"{{{posts}}}", f"{{{values}}}", answer.generated_at, answer.expires_at
