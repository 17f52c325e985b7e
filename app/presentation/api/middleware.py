"""What happens around every request, as plain ASGI: no task and no stream for each layer."""

import os
import re
from collections.abc import Callable
from random import Random
from time import perf_counter
from urllib.parse import quote, unquote

import structlog
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from app.presentation.api.call_limits import CallLimits
from app.presentation.api.problems import INTERNAL_ERROR, UNAUTHORIZED, ProblemError, render
from app.shared.api_keys import ApiKey, FindKey, sha256
from app.shared.tracing import Traces, describe_request

log = structlog.get_logger("access")
_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_random = Random()  # noqa: S311  an id names a request and keeps no secret: no system call for each
os.register_at_fork(after_in_child=_random.seed)  # processes of a server that forks have other ids
_CLIENT_CLOSED = 499
_PROBES = frozenset({"/livez", "/readyz", "/health", "/metrics"})  # requested every few seconds

ENCODED_SLASH = "\udc2f"
"""Half of a surrogate pair, which no decoded path contains."""

RequestObserver = Callable[[str, str, int, float], None]  # method, route, status, seconds


class AccessLogMiddleware:
    """Sets the id of each request, turns exceptions into problem responses, and writes log line, metrics and span."""

    def __init__(self, app: ASGIApp, observe: RequestObserver, traces: Traces | None) -> None:
        """Probes are not traced; without `traces` no request is."""
        self._app = app
        self._observe = observe
        self._traces = traces
        self._log = log.bind()  # `log` looks up the configuration again for each line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = scope.get("feed.began") or perf_counter()
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _VALID_REQUEST_ID.fullmatch(given) else f"{_random.getrandbits(128):032x}"
        scope["feed.request_id"], scope["feed.status"] = request_id, 0
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        try:
            if self._traces is None or route_path(scope) in _PROBES:
                await self._respond(scope, receive, send)
            else:
                with self._traces.request(headers) as span:
                    trace_id = f"{span.get_span_context().trace_id:032x}"
                    bind_contextvars(trace_id=trace_id)
                    await self._respond(scope, receive, send)
                    describe_request(span, *_method_and_route(scope), scope["feed.status"], request_id)
        finally:
            self._record(scope, perf_counter() - began)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and store the status of its response in the scope; 499 if the client disconnected."""

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["feed.status"] = message["status"]
                message["headers"].append((b"x-request-id", scope["feed.request_id"].encode()))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            scope["feed.status"] = _CLIENT_CLOSED
        except Exception:
            log.exception("request.failed", path=_method_and_route(scope)[1])
            if scope["feed.status"] == 0:
                await render(scope, ProblemError(INTERNAL_ERROR))(scope, receive, send_with_id)

    def _record(self, scope: Scope, seconds: float) -> None:
        (method, route), status = _method_and_route(scope), scope["feed.status"]
        self._observe(method, route, status, seconds)
        write_line = self._log.debug if route in _PROBES else self._log.info
        write_line(
            "request",
            method=scope["method"],
            path=route,  # the path itself may contain the id of a user
            status=status,
            duration_ms=round(seconds * 1000, 2),
            **({"code": scope["feed.problem"]} if "feed.problem" in scope else {}),
            **({"key": scope["feed.key"].name} if "feed.key" in scope else {}),
        )


class PathSegmentsMiddleware:
    """Keeps an encoded slash inside a segment of the path apart from the slashes between segments.

    Servers decode the path before the router divides it, but ids such as `at://…` contain slashes. While the router
    runs, such a slash is the character ENCODED_SLASH, which the convertor `id` of path parameters turns back.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        raw_path = scope.get("raw_path") or b""
        if b"%2f" not in raw_path.lower():
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        segments = map(unquote, raw_path.decode("latin-1").split("/"))
        scope["path"] = "/".join(segment.replace("/", ENCODED_SLASH) for segment in segments)
        try:
            await self._app(scope, receive, send)
        finally:
            scope["path"] = path  # for the access log


class HeadMiddleware:
    """Answers HEAD where there is a GET, because many balancers probe with it. The server sends no body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get = {**scope, "method": "GET"}
        try:
            await self._app(as_get, receive, send)
        finally:
            scope.update(as_get, method="HEAD")  # the route, for the access log


class _IdConvertor(Convertor[str]):
    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value.replace(ENCODED_SLASH, "/")

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


register_url_convertor("id", _IdConvertor())


class AccessMiddleware:
    """Requires a valid key, as `X-API-Key` or `Authorization: Bearer`, and stores it in the scope; limits calls.

    Calls with a valid key are counted by key, others by address: also those with a wrong key.
    """

    def __init__(
        self,
        app: ASGIApp,
        find_key: FindKey | None,
        open_paths: frozenset[str],
        limits: CallLimits,
        address_of: Callable[[Scope], str],
    ) -> None:
        """Without `find_key`, no call needs a key. Calls of `open_paths` need none and have no limit."""
        self._app = app
        self._find_key = find_key
        self._open_paths = open_paths
        self._limits = limits
        self._address_of = address_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and route_path(scope) not in self._open_paths:
            try:
                self._admit(scope)
            except ProblemError as error:
                await render(scope, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        """Store the key in the scope. Raises ProblemError without a valid key, and above a limit."""
        key = self._key_of(scope)
        if key is None:
            if self._limits.has("address"):
                self._limits.count("address", self._address_of(scope))
            if self._find_key is not None:
                raise ProblemError(UNAUTHORIZED, headers={"www-authenticate": "Bearer"})
        else:
            self._limits.count("key", key.name)
            scope["feed.key"], scope["feed.limits"] = key, self._limits

    def _key_of(self, scope: Scope) -> ApiKey | None:
        """The valid key of the request."""
        if self._find_key is None:
            return None
        headers = Headers(scope=scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")
        # The time of a look-up by the digest reveals nothing: callers cannot choose a digest that is nearly right.
        return self._find_key(sha256(key.encode("latin-1"))) if key else None


def _method_and_route(scope: Scope) -> tuple[str, str]:
    """The method and the path's template, of which there are few; `any` and `unmatched` if no route matches."""
    route = getattr(scope.get("route"), "path_format", None)
    if route is None:  # a route of Starlette, such as /docs, sets only its endpoint; these paths are constant
        route = route_path(scope) if "endpoint" in scope else "unmatched"
    return scope["method"] if route != "unmatched" else "any", route


def route_path(scope: Scope) -> str:
    """The path without the prefix of a proxy (`--root-path`), as the routes have it."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))
