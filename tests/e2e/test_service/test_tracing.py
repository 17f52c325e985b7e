"""Traces of a real process, as they reach a collector."""

import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.service_process import free_port, running

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
ENDED = (0, -signal.SIGTERM)  # uvicorn raises the signal again once it has shut down
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector(ThreadingHTTPServer):
    """Takes spans by OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.taken: list[ExportTraceServiceRequest] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/traces":
            self.server.taken.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_feed_arrives_at_the_collector_with_its_stages_before_the_service_has_ended(
    tmp_path: Path, collector: Collector
) -> None:
    settings = {"DATABASE_URL": NOWHERE, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with running(tmp_path, **settings, OTEL_SERVICE_NAME="feed-of-the-test") as service:
        headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        service.client.post("/recommendations/generate", json={"user_id": "anyone"}, headers=headers)
        stopped = service.stop()

        resources = [group for request in collector.taken for group in request.resource_spans]
        spans = [span for group in resources for scope in group.scope_spans for span in scope.spans]
        (request,) = [span for span in spans if span.name == "POST /recommendations/generate"]
        assert stopped in ENDED
        assert {span.trace_id.hex() for span in spans} == {TRACE}
        assert {span.name for span in spans if span.parent_span_id == request.span_id} >= {
            "sources",
            "filter",
            "score",
            "encode",
        }
        names = {
            one.value.string_value for one in resources[0].resource.attributes if one.key == "service.name"
        }
        assert names == {"feed-of-the-test"}
        (line,) = [one for one in service.log_lines() if one.get("path") == "/recommendations/generate"]
        assert line["trace_id"] == TRACE


@pytest.mark.slow
def test_a_collector_that_is_away_holds_up_neither_requests_nor_the_end(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with running(tmp_path, DATABASE_URL=NOWHERE, OTEL_EXPORTER_OTLP_ENDPOINT=nobody) as service:
        service.generate("anyone")

        assert service.stop(seconds=15) in ENDED
