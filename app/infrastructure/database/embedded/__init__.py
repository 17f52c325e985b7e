"""A PostgreSQL of this checkout's own, for where no `DATABASE_URL` is given."""

from app.infrastructure.database.embedded.cluster import CHECKOUT, EmbeddedPostgres
from app.infrastructure.database.embedded.launcher import EmbeddedUnavailable

__all__ = ["CHECKOUT", "EmbeddedPostgres", "EmbeddedUnavailable"]
