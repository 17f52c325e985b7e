"""Spans of requests, as a collector would get them."""

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions
from app.shared.api_keys import plain_keys
from app.shared.tracing import TracedMetrics, Traces, describe_request, open_traces
from tests.support.fake_use_cases import Running
from tests.support.http_server import served

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


class Collected:
    """A provider whose spans are kept."""

    def __init__(self, share: float = 1.0) -> None:
        self._kept = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)), shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))

    def spans(self) -> Sequence[ReadableSpan]:
        return self._kept.get_finished_spans()

    def requests(self) -> list[ReadableSpan]:
        return [span for span in self.spans() if span.kind is SpanKind.SERVER]


@pytest.fixture
def collected() -> Collected:
    return Collected()


@pytest.fixture
def running() -> Running:
    return Running()


@pytest.fixture
def api(collected: Collected, running: Running) -> Iterator[httpx.Client]:
    options = ApiOptions(find_key=plain_keys(["key"]).get)
    made = create_api(options, TracedMetrics(), running.open, version="1", traces=Traces(collected.provider))
    with served(made) as client:
        client.headers["X-API-Key"] = "key"
        yield client


def generate(api: httpx.Client, **headers: str) -> httpx.Response:
    return api.post("/recommendations/generate", json={"user_id": "alice"}, headers=headers)


def test_a_request_leaves_a_span_that_names_route_status_and_request(
    api: httpx.Client, collected: Collected
) -> None:
    generate(api, **{"X-Request-ID": "mine"})

    (span,) = collected.requests()
    assert span.name == "POST /recommendations/generate"
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/recommendations/generate",
        "http.response.status_code": 200,
        "feed.request_id": "mine",
    }


def test_a_request_goes_on_with_its_callers_trace(api: httpx.Client, collected: Collected) -> None:
    generate(api, **CALLER)

    (span,) = collected.requests()
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"


@pytest.mark.parametrize("header", ["", "00-zz-yy-01", f"00-{'0' * 32}-b7ad6b7169203331-01", "x" * 4000])
def test_a_traceparent_that_is_none_begins_a_new_trace(
    api: httpx.Client, collected: Collected, header: str
) -> None:
    answer = generate(api, traceparent=header)

    (span,) = collected.requests()
    assert answer.status_code == 200
    assert span.parent is None


def test_what_the_caller_does_not_trace_is_not_traced(api: httpx.Client, collected: Collected) -> None:
    generate(api, traceparent=CALLER["traceparent"][:-2] + "00")

    assert collected.spans() == ()


def test_probes_leave_no_spans(api: httpx.Client, collected: Collected) -> None:
    for path in ("/livez", "/readyz", "/health", "/metrics"):
        assert api.get(path).status_code == 200

    assert collected.spans() == ()


def test_a_rejected_request_is_no_error_of_the_service_and_a_failed_one_is(
    api: httpx.Client, collected: Collected, running: Running
) -> None:
    generate(api, **{"X-API-Key": "wrong"})
    running.recommend.fail_with = RuntimeError("broken")
    generate(api)

    rejected, failed = collected.requests()
    assert [span.attributes["http.response.status_code"] for span in (rejected, failed)] == [401, 500]
    assert rejected.status.status_code is StatusCode.UNSET
    assert failed.status.status_code is StatusCode.ERROR


def test_paths_that_nobody_serves_share_one_name(api: httpx.Client, collected: Collected) -> None:
    api.get("/wp-login.php")

    (span,) = collected.requests()
    assert span.name == "any unmatched"


def test_stages_lie_below_their_request_one_after_the_other(collected: Collected) -> None:
    metrics, traces = TracedMetrics(), Traces(collected.provider)

    with traces.request({}) as span:
        for stage in ("sources", "filter", "score"):  # reported together
            metrics.observe(stage, 0.010)
        metrics.observe("select", 0.0)
        metrics.observe("total", 0.5)
        describe_request(span, "POST", "/x", 200, "id")

    *stages, request = sorted(collected.spans(), key=lambda span: (span.parent is None, span.start_time))
    assert [span.name for span in stages] == ["sources", "filter", "score", "select"]
    assert {span.parent.span_id for span in stages if span.parent} == {request.context.span_id}
    assert [span.end_time - span.start_time for span in stages] == [10_000_000] * 3 + [0]
    assert all(before.end_time <= after.start_time for before, after in pairwise(stages))


def test_a_request_outside_the_sampled_share_creates_no_spans() -> None:
    collected = Collected(share=0.0)
    metrics, traces = TracedMetrics(), Traces(collected.provider)

    with traces.request({}) as span:
        metrics.observe("score", 0.01)
        describe_request(span, "POST", "/x", 200, "id")

    assert collected.spans() == ()
    assert 'ml_recommendation_latency_seconds_count{stage="score"} 1.0' in metrics.render().decode()


def test_without_a_collector_there_are_no_traces() -> None:
    assert open_traces(None, service="feed", version="1", share=1.0) is None


def test_without_the_packages_one_warning_says_so_and_there_are_no_traces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with capture_logs() as lines:
        traces = open_traces("http://127.0.0.1:4318", service="feed", version="1", share=1.0)

    assert traces is None
    assert [(line["log_level"], line["event"]) for line in lines] == [("warning", "traces.off")]
    assert "requirements-tracing.lock" in lines[0]["hint"]
