"""The PostgreSQL of a checkout, used if `DATABASE_URL` is unset."""

from app.infrastructure.database.embedded.cluster import CHECKOUT, EmbeddedPostgres
from app.infrastructure.database.embedded.launcher import EmbeddedUnavailable

__all__ = ["CHECKOUT", "EmbeddedPostgres", "EmbeddedUnavailable"]
