"""The Prometheus metrics of the service. Each process has one `Metrics` with its own registry."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from app.shared.exceptions import ConfigurationError

STAGES = ("sources", "filter", "score", "select", "encode", "total")
_BUCKETS = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip
_LOCK_BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 1.0)
_HTTP_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_SHARED = "PROMETHEUS_MULTIPROC_DIR"  # the library reads it too, when it is imported
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counters and histograms; also the StageObserver of the ranking pipeline.

    registry  the counters and histograms
    states    collectors that are read at each scrape; of several worker processes, only those of the scraped one

    With PROMETHEUS_MULTIPROC_DIR every worker process counts in files of that folder, and each of them returns the
    sums. Raises ConfigurationError if this folder cannot be written.
    """

    def __init__(self) -> None:
        shared = os.environ.get(_SHARED)
        if shared is not None and not (Path(shared).is_dir() and os.access(shared, os.W_OK)):
            raise ConfigurationError(f"{_SHARED}: {shared!r} is not a folder that can be written to")
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the number of series
        self.states = CollectorRegistry()
        self.registry = CollectorRegistry()

        # `labels` costs more than the count that follows it; there are few label values
        def counter(name: str, meaning: str, labels: Sequence[str]) -> Callable[..., Counter]:
            return cache(Counter(name, meaning, labels, registry=self.registry).labels)

        def histogram(
            name: str, meaning: str, labels: Sequence[str], buckets: Sequence[float]
        ) -> Callable[..., Histogram]:
            return cache(Histogram(name, meaning, labels, buckets=buckets, registry=self.registry).labels)

        self._responses = counter(
            "ml_recommendation_requests",
            "Responses of POST /recommendations/generate",
            ["source", "status", "mode"],
        )
        self._latency = histogram(
            "ml_recommendation_latency_seconds",
            "Time of a response by stage; `total` is all stages from the decoded request on",
            ["stage"],
            buckets=_BUCKETS,
        )
        self._requests = counter("ml_http_requests", "Requests by route", ["method", "route", "status"])
        self._durations = histogram(
            "ml_http_request_duration_seconds",
            "Time from the start of a request to the end of its response",
            ["route"],
            buckets=_HTTP_BUCKETS,
        )
        self._lock_held = histogram(
            "ml_feed_lock_held_seconds",
            "Thread CPU time (not elapsed time) for which a step of a change held the lock of the feed, by writer",
            ["writer"],
            buckets=_LOCK_BUCKETS,
        )
        self._tracked = counter("ml_tracked_events", "Interactions received, by outcome", ["outcome"])
        self._fallbacks = counter(
            "ml_experiment_fallbacks",
            "Pages that the served ranking ranked because a variant failed",
            ["experiment", "variant"],
        )
        for stage in STAGES:
            self._latency(stage)
        for outcome in ("stored", "duplicate", "refused", "unavailable"):
            self._tracked(outcome)

    def observe(self, stage: str, seconds: float) -> None:
        """Record that `stage` of a response took `seconds`."""
        self._latency(stage).observe(seconds)

    def observe_lock(self, writer: str, seconds: float) -> None:
        """Record that a writer held the lock of the feed for `seconds` of its thread's CPU time."""
        self._lock_held(writer).observe(seconds)

    def count_response(self, source: str, status: int, mode: str) -> None:
        """Count one response of POST /recommendations/generate; a missing value is "none"."""
        self._responses(source, status, mode).inc()

    def count_fallback(self, experiment: str, variant: str) -> None:
        """Count a page of a variant that failed."""
        self._fallbacks(experiment, variant).inc()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one HTTP request; `route` is the path's template, so that there are few."""
        self._requests(method, route, status).inc()
        self._durations(route).observe(seconds)

    def count_events(self, outcomes: Mapping[str, int]) -> None:
        """Count events that were `stored`, `duplicate`, `refused` or lost to an `unavailable` database."""
        for outcome, count in outcomes.items():
            self._tracked(outcome).inc(count)

    def render(self) -> bytes:
        """All metrics in the text format of Prometheus; counters and histograms are sums over all worker processes."""
        counted = self.registry
        if _SHARED in os.environ:
            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        return generate_latest(counted) + generate_latest(self.states)
