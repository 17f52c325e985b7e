"""The HTTP application around the use cases."""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import request_response

from app.domain.errors import ClockAhead, DomainError
from app.presentation.api.admission import AdmissionControl, AdmissionMiddleware, FeedTurns
from app.presentation.api.caller_address import CallerAddress
from app.presentation.api.dependencies import ApiOptions, Services
from app.presentation.api.middleware import (
    AccessLogMiddleware,
    AccessMiddleware,
    HeadMiddleware,
    PathSegmentsMiddleware,
)
from app.presentation.api.problems import (
    INVALID_REQUEST,
    MEDIA_TYPE,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    Problem,
    ProblemError,
    problem_of,
    render,
)
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.route_scopes import ROUTE_SCOPES, ScopeGuard
from app.presentation.api.routers.admin import admin_router
from app.presentation.api.routers.audiences import audiences_router
from app.presentation.api.routers.discovery import discovery_router
from app.presentation.api.routers.docs import docs_router
from app.presentation.api.routers.entities import entities_router
from app.presentation.api.routers.feedback import feedback_router
from app.presentation.api.routers.follows import follows_router
from app.presentation.api.routers.health import StateCollector, health_router
from app.presentation.api.routers.impressions import impressions_router
from app.presentation.api.routers.interactions import interactions_router
from app.presentation.api.routers.pages import pages_router
from app.presentation.api.routers.recommendations import recommendations_router
from app.presentation.api.routers.user_data import user_data_router
from app.presentation.api.security_headers import SecurityHeadersMiddleware
from app.presentation.api.server_guard import ServerGuard
from app.presentation.schemas.discovery_schema import RankRequest
from app.presentation.schemas.entity_schema import PostBatchRequest, PostBody, UserBody
from app.presentation.schemas.feedback_schema import FeedbackRequest
from app.presentation.schemas.impression_schema import ImpressionsRequest
from app.presentation.schemas.interaction_schema import BatchRequest, RetractRequest, TrackRequest
from app.presentation.schemas.recommendation_schema import GenerateRequest, PagesRequest, UpdatesRequest
from app.presentation.schemas.user_data_schema import MergeRequest
from app.shared.monitoring import Metrics
from app.shared.tracing import Traces

PROBES = frozenset({"/health", "/livez", "/readyz"})
_BODIES: list[type[BaseModel]] = [
    GenerateRequest,
    UpdatesRequest,
    RankRequest,
    PagesRequest,
    TrackRequest,
    BatchRequest,
    RetractRequest,
    FeedbackRequest,
    ImpressionsRequest,
    UserBody,
    MergeRequest,
    PostBody,
    PostBatchRequest,
]

OpenServices = Callable[[], AbstractAsyncContextManager[Services]]


def create_api(
    options: ApiOptions,
    metrics: Metrics,
    open_services: OpenServices,
    *,
    version: str,
    traces: Traces | None = None,
) -> FastAPI:
    """The application; `open_services` is entered when it starts and left when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state.services = services
            state = StateCollector(services.health)
            metrics.states.register(state)
            metrics.states.register(admission)
            metrics.states.register(options.limits)
            metrics.states.register(guard)
            admission.start()
            guard.start()
            try:
                yield
            finally:
                guard.stop()
                admission.stop()
                metrics.states.unregister(guard)
                metrics.states.unregister(options.limits)
                metrics.states.unregister(admission)
                metrics.states.unregister(state)

    admission, guard = AdmissionControl(), ServerGuard(options.server)
    turns = FeedTurns(options.max_wait_seconds, lambda: admission.received + guard.connections)
    middleware = [
        Middleware(SecurityHeadersMiddleware),
        Middleware(AdmissionMiddleware, control=admission, guard=guard, turns=turns),
        Middleware(AccessLogMiddleware, observe=metrics.request, traces=traces),
        Middleware(
            AccessMiddleware,
            find_key=options.find_key,
            open_paths=PROBES if options.metrics_need_key else PROBES | {"/metrics"},
            limits=options.limits,
            address_of=CallerAddress(options.trusted_proxies),
        ),
        Middleware(HeadMiddleware),
        Middleware(PathSegmentsMiddleware),
    ]
    app = FastAPI(
        title="Feed recommendation service",
        description="Personalised feeds, and the events that shape them. Errors are RFC 9457 problem+json.",
        version=version,
        lifespan=lifespan,
        middleware=middleware,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # `Traces` and `Metrics` are ours
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    threads = RequestThreads(options.track_concurrency, options.track_budget_seconds)
    routers = (
        recommendations_router(options, metrics),
        discovery_router(options),
        pages_router(options),
        interactions_router(options, metrics, threads),
        feedback_router(options, threads),
        follows_router(threads),
        audiences_router(threads),
        entities_router(options, threads),
        user_data_router(options),
        impressions_router(options, threads),
        admin_router(threads),
        health_router(metrics, guard),
        docs_router(),
    )
    for router in routers:  # not `include_router`, which matches the path of each request twice, in 40 µs
        for route in cast(list[APIRoute], router.routes):
            if inspect.get_annotations(route.endpoint) == {"request": Request, "return": Response}:
                route.app = request_response(route.endpoint)  # FastAPI's takes 100 µs more, for dependencies
            scope = ROUTE_SCOPES[route.path_format]
            if options.find_key is not None and scope is not None:
                route.app = ScopeGuard(route.app, scope)
        app.router.routes.extend(router.routes)
    _answer_errors(app, options)
    app.openapi = lambda: _openapi(app, locked=options.find_key is not None)  # type: ignore[method-assign]
    return app


def _answer_errors(app: FastAPI, options: ApiOptions) -> None:
    @app.exception_handler(ProblemError)
    async def problem(request: Request, error: ProblemError) -> Response:
        if error.problem.status == 503:
            error.headers["retry-after"] = str(options.retry_after_seconds)
        return render(request.scope, error)

    @app.exception_handler(DomainError)
    async def domain_error(request: Request, error: DomainError) -> Response:
        headers = {}
        if isinstance(error, ClockAhead):
            headers["retry-after"] = str(error.retry_after_seconds)
        return await problem(request, ProblemError(problem_of(error), str(error), headers=headers))

    @app.exception_handler(RequestValidationError)
    async def invalid_parameter(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]  # of the parameters of the path and the query; bodies are decoded elsewhere
        return await problem(request, ProblemError(INVALID_REQUEST, f"{first['loc'][-1]}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def framework_error(request: Request, error: HTTPException) -> Response:
        known = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}.get(error.status_code)
        kind = known or Problem(error.status_code, f"http_{error.status_code}", "The request was refused")
        return render(request.scope, ProblemError(kind, str(error.detail), headers=error.headers))


def _openapi(app: FastAPI, *, locked: bool) -> dict[str, Any]:
    """The document, with the bodies that endpoints decode themselves and problems under their media type."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = FastAPI.openapi(app)
    _, bodies = models_json_schema(
        [(body, "validation") for body in _BODIES], ref_template="#/components/schemas/{model}"
    )
    document["components"]["schemas"].update(bodies["$defs"])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if not locked or path in PROBES:
                for status in ("401", "403"):
                    operation["responses"].pop(status, None)
            for response in operation["responses"].values():
                content = response.get("content", {})
                if MEDIA_TYPE in content:
                    content[MEDIA_TYPE]["schema"] = {"$ref": "#/components/schemas/ProblemResponse"}
                    content.pop("application/json", None)
    if locked:
        document["components"]["securitySchemes"] = {
            "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "Bearer": {"type": "http", "scheme": "bearer"},
        }
        document["security"] = [{"ApiKey": []}, {"Bearer": []}]
        for path in PROBES:
            document["paths"][path]["get"]["security"] = []
    return document
