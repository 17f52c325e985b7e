"""What operators ask: /health, /livez, /readyz, /metrics."""

from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import Any, Final

import orjson
from fastapi import APIRouter
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from app.application.use_cases.get_health_status import HealthStatus
from app.presentation.api.dependencies import services_of
from app.presentation.api.problems import NOT_READY, STOPPING, ProblemError, error_responses
from app.presentation.api.server_guard import ServerGuard
from app.presentation.schemas.health_schema import HealthResponse, ProbeResponse
from app.shared.monitoring import CONTENT_TYPE, Metrics

_RANK_BOUNDS: Final = (1, 2, 3, 5, 10, 20, 50)
_METRICS_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/plain": {
                "schema": {"type": "string"},
                "example": 'ml_recommendation_latency_seconds_count{stage="total"} 7.0',
            }
        }
    }
}


def health_router(metrics: Metrics, guard: ServerGuard) -> APIRouter:
    """The probes and the figures."""
    router = APIRouter(tags=["operation"])
    not_ready: dict[int | str, dict[str, Any]] = {503: error_responses(NOT_READY)[503]}
    not_for_requests: dict[int | str, dict[str, Any]] = {503: error_responses(NOT_READY, STOPPING)[503]}

    @router.get(
        "/health", response_model=HealthResponse, summary="How the service is", responses={**not_ready}
    )
    async def health(request: Request) -> Response:
        """200 while a feed can be answered at all; `degraded` when a part (model, database) is missing."""
        status = services_of(request.scope).health()
        if not status.ready:
            raise ProblemError(NOT_READY)
        return Response(
            orjson.dumps(HealthResponse.model_validate(status).model_dump(), option=orjson.OPT_UTC_Z),
            media_type="application/json",
        )

    @router.get("/livez", response_model=ProbeResponse, summary="Does the process answer")
    async def livez() -> Response:
        """Always 200: restart the process when it is not."""
        return Response(b'{"status":"alive"}', media_type="application/json")

    @router.get(
        "/readyz",
        response_model=ProbeResponse,
        summary="May it be sent requests",
        responses={**not_for_requests},
    )
    async def readyz(request: Request) -> Response:
        """503 until the process can show posts, and while it stops; otherwise it does not depend on the database."""
        if guard.is_stopping:
            raise ProblemError(STOPPING)
        status = services_of(request.scope).health()
        if not (status.ready and status.has_controls):
            raise ProblemError(NOT_READY)
        return Response(b'{"status":"ready"}', media_type="application/json")

    @router.get(
        "/metrics", summary="Figures for Prometheus", response_class=Response, responses=_METRICS_RESPONSES
    )
    async def figures() -> Response:
        """Prometheus text format."""
        return Response(metrics.render(), headers={"content-type": CONTENT_TYPE})

    return router


class StateCollector(Collector):
    """The present state as gauges, read at each scrape."""

    def __init__(self, health: Callable[[], HealthStatus]) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """One family for each figure; unknown figures are omitted."""
        health = self._health()
        reconciliation = health.reconciliation
        model = GaugeMetricFamily("ml_model_info", "The model that serves, as a label", labels=["version"])
        if health.model_version is not None:
            model.add_metric([health.model_version], 1)
        yield model
        gauges: list[tuple[str, str, float | None]] = [
            ("ml_model_loaded", "1 while a model serves", health.model_loaded),
            (
                "ml_model_reload_failing",
                "1 while the newest model could not be loaded and an older one serves, or none",
                health.last_reload_error is not None,
            ),
            ("ml_model_age_seconds", "Time since the model was made", health.model_age_seconds),
            ("ml_degraded", "1 while a part (model, database) is missing", health.status == "degraded"),
            ("ml_ready", "1 once a feed can be answered", health.ready),
            ("ml_database_up", "1 while the database answers", health.database in {"up", "read_only"}),
            (
                "ml_feed_tail_lag_seconds",
                "Time since the log was last read to its end",
                health.tail_lag_seconds,
            ),
            (
                "ml_reconcile_age_seconds",
                "Time since memory was compared with the database",
                reconciliation.age_seconds if reconciliation else None,
            ),
            ("ml_workers_stopped", "Background threads that ended", len(health.stopped_workers)),
            ("ml_feed_users", "Users in memory", health.users),
            ("ml_feed_posts", "Posts in memory", health.posts),
            ("ml_feed_interactions", "Interactions in memory", health.interactions),
            (
                "ml_experiments_file_failing",
                "1 while EXPERIMENTS_FILE cannot be used and the experiments of before run",
                health.experiments_failing,
            ),
            (
                "ml_promotions_rolled_back",
                "Promotions of weights over the served full training that were rolled back",
                health.promotions_rolled_back,
            ),
            ("ml_write_behind_waiting", "Answers waiting to be copied", health.write_behind_pending),
            (
                "ml_impressions_waiting",
                "Pages waiting to be stored as impressions",
                health.impressions_pending,
            ),
            (
                "ml_snapshot_age_seconds",
                "Time since this process stored a snapshot of the state",
                health.snapshot_age_seconds,
            ),
            ("ml_snapshot_seconds", "Time that the last snapshot took", health.snapshot_seconds),
            ("ml_snapshot_bytes", "Size of the last snapshot", health.snapshot_bytes),
        ]
        for name, meaning, value in gauges:
            if value is not None:
                yield GaugeMetricFamily(name, meaning, value=value)
        for metric, meaning, of_inputs in (
            (
                "ml_input_stability_index",
                "Population stability index of an input of the model: how far candidates are from training",
                health.input_stability,
            ),
            (
                "ml_input_stability_usual",
                "The largest index of the input in a tenth of the training",
                health.usual_stability,
            ),
        ):
            indices = GaugeMetricFamily(metric, meaning, labels=["input"])
            for name, index in of_inputs.items():
                indices.add_metric([name], index)
            yield indices
        ranks = HistogramMetricFamily(
            "ml_chosen_rank",
            "Place on a ranked page of a post that a user chose, by the version of the model that ranked it",
            labels=["version"],
        )
        for version, by_place in health.chosen_places.items():
            ranks.add_metric([version], *_histogram(by_place))
        yield ranks
        stopped = GaugeMetricFamily(
            "ml_experiment_variant_stopped",
            "1 for a variant that a guardrail stopped",
            labels=["experiment", "variant"],
        )
        for names in health.stopped_variants:
            stopped.add_metric(names, 1)
        yield stopped
        if reconciliation is not None:
            differences = GaugeMetricFamily(
                "ml_reconcile_differences",
                "Rows that differed when memory was compared with the database",
                labels=["kind"],
            )
            for kind, count in reconciliation.differences.items():
                differences.add_metric([kind], count)
            yield differences
        yield CounterMetricFamily(
            "ml_model_reload_failures", "Models that were not loaded", health.reload_failures
        )
        yield CounterMetricFamily(
            "ml_write_behind_dropped", "Answers that were not copied", health.write_behind_dropped
        )
        yield CounterMetricFamily(
            "ml_impressions_dropped", "Pages that were not stored as impressions", health.impressions_dropped
        )
        yield CounterMetricFamily(
            "ml_snapshot_failures", "Snapshots that could not be stored", health.snapshot_failures
        )


def _histogram(counts: Mapping[int, int]) -> tuple[list[tuple[str, float]], float]:
    """The cumulated buckets and the sum of a histogram of places."""
    bounds = [*map(str, _RANK_BOUNDS), "+Inf"]
    within = [sum(n for place, n in counts.items() if place <= bound) for bound in (*_RANK_BOUNDS, inf)]
    return list(zip(bounds, within, strict=True)), sum(place * n for place, n in counts.items())
