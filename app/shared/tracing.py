"""Traces by OpenTelemetry: a span for each request, with a child span for each stage of its response.

Off unless an endpoint is configured: then no request has a span, and the packages (extra `tracing`) are not imported.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Thread
from time import time_ns
from typing import TYPE_CHECKING

import structlog

from app.shared.monitoring import Metrics

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

log = structlog.get_logger()
_CLOSE_SECONDS = 3.0  # time to send the remaining spans when the service stops

# stage, duration in ns, end of its measurement in ns since the Unix epoch
_Stages = list[tuple[str, int, int]]
_stages: ContextVar[_Stages | None] = ContextVar("stages of the traced request", default=None)


class TracedMetrics(Metrics):
    """Metrics that also record the stages of a traced request."""

    def observe(self, stage: str, seconds: float) -> None:
        """Record that `stage` of a response took `seconds`."""
        super().observe(stage, seconds)
        stages = _stages.get()
        if stages is not None and stage != "total":  # the span of the request covers the total
            stages.append((stage, int(seconds * 1e9), time_ns()))


class Traces:
    """Opens spans; the exporter of the provider sends them in its own thread."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("app")
        self._caller = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator["Span"]:
        """A span around the code inside; part of the caller's trace if the header `traceparent` is given."""
        from opentelemetry.trace import SpanKind

        span = self._tracer.start_span("request", self._caller.extract(headers), SpanKind.SERVER)
        stages: _Stages = []
        token = _stages.set(stages if span.is_recording() else None)
        try:
            yield span
        finally:
            _stages.reset(token)
            self._add_stages(span, stages)
            span.end()

    def _add_stages(self, parent: "Span", stages: _Stages) -> None:
        # Some stages are reported together after the last one: a stage ends at its report or at the start of the next.
        from opentelemetry.trace import set_span_in_context

        context, latest = set_span_in_context(parent), time_ns()
        for stage, nanoseconds, at in reversed(stages):
            end = min(at, latest)
            latest = end - nanoseconds
            self._tracer.start_span(stage, context, start_time=latest).end(end)

    def close(self) -> None:
        """Send the remaining spans, for at most 3 s, even if the collector does not respond."""
        sender = Thread(target=self._provider.shutdown, daemon=True)
        sender.start()
        sender.join(_CLOSE_SECONDS)


def describe_request(span: "Span", method: str, route: str, status: int, request_id: str) -> None:
    """Set the name and the attributes of the span of a request; `route` is the path's template."""
    from opentelemetry.trace import StatusCode

    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "feed.request_id": request_id,
        }
    )
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def open_traces(endpoint: str | None, *, service: str, version: str, share: float) -> Traces | None:
    """Traces sent to the collector at `endpoint` by OTLP over HTTP; None without one, or without the packages.

    `share` of the requests, in [0, 1], is traced where the caller has not decided. The exporter reads the other
    OTEL_EXPORTER_OTLP_* variables (headers, timeout, certificate) itself.
    """
    if endpoint is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        log.warning("traces.off", cause=str(error), hint="install requirements-tracing.lock")
        return None
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(share)),
        resource=Resource.create({"service.name": service, "service.version": version}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider)
