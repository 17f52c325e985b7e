"""Headers of every response that restrict what browsers and caches do with it.

No response has a CORS header: scripts of other origins cannot read it.
"""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""A header that a response has already is kept: /docs has its own policy, and its files may be cached."""


class SecurityHeadersMiddleware:
    """Adds SECURITY_HEADERS to every response, also to rejections of the other layers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                message["headers"].extend(header for header in SECURITY_HEADERS if header[0] not in names)
            await send(message)

        await self._app(scope, receive, send_with_headers)
