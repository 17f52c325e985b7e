"""The scope that a key needs for each route, in one table."""

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from app.presentation.api.call_limits import count_user
from app.presentation.api.problems import MISSING_SCOPE, ProblemError
from app.shared.api_keys import ApiKey, Scope

ROUTE_SCOPES: Final[Mapping[str, Scope | None]] = {
    "/recommendations/generate": "feed",
    "/recommendations/updates": "feed",
    "/recommendations/rank": "feed",
    "/recommendations/batch": "feed",
    "/posts/{post_id}/similar": "feed",
    "/users/{user_id}/suggested-follows": "feed",
    "/interactions/track": "track",
    "/interactions/batch": "track",
    "/interactions/retract": "track",
    "/impressions": "track",
    "/feedback": "track",
    "/users/{user_id}/controls": "track",
    "/users/{user_id}/follows/{followee_id}": "track",
    "/users/{user_id}": "manage",
    "/users/{user_id}/export": "manage",
    "/users/{user_id}/reset": "manage",
    "/users/{user_id}/merge": "manage",
    "/posts/{post_id}": "manage",
    "/posts/batch": "manage",
    "/audiences/{audience_id}/members/{user_id}": "manage",
    "/authors/{author_id}/reach": "manage",
    "/admin/explain": "admin",
    "/admin/users/{user_id}": "admin",
    "/admin/experiments": "admin",
    "/health": None,
    "/livez": None,
    "/readyz": None,
    "/metrics": None,
    "/docs": None,
    "/docs/start.js": None,
    "/docs/{name}": None,
}
"""Scopes by the path of the route; None: every key, or no key at all, as ApiKeyMiddleware decides."""


def require_scope(connection: Connection, scope: Scope, use: str) -> None:
    """Raise ProblemError if the key of a request has not the scope that `use` needs. A service without keys is open."""
    key: ApiKey | None = connection.get("feed.key")
    if key is not None and scope not in key.scopes:
        raise ProblemError(MISSING_SCOPE, f"{use} needs a key with the scope {scope}")


class ScopeGuard:
    """A route for keys with one scope, with the limit of the user in its path."""

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self._app = app
        self._scope = scope

    async def __call__(self, connection: Connection, receive: Receive, send: Send) -> None:
        """One request. Raises ProblemError if its key has not the scope, or above the limit of the user in the path."""
        key: ApiKey = connection["feed.key"]
        if self._scope not in key.scopes:
            raise ProblemError(MISSING_SCOPE, f"The key needs the scope {self._scope}")
        if "user_id" in connection["path_params"]:
            count_user(connection, connection["path_params"]["user_id"])
        await self._app(connection, receive, send)
