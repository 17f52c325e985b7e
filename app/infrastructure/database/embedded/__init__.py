"""The PostgreSQL of a checkout, used if `DATABASE_URL` is unset."""

from app.infrastructure.database.embedded.launcher import EmbeddedUnavailable
from app.infrastructure.database.embedded.server import CHECKOUT, EmbeddedPostgres

__all__ = ["CHECKOUT", "EmbeddedPostgres", "EmbeddedUnavailable"]
