"""GET /health, /livez and /readyz, as operators see them."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class ReconciliationResponse(BaseModel):
    """The last comparison of memory with the database."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    complete_change_capture: bool = Field(
        description="Triggers capture every change of the tables behind the views: it holds within a second"
    )
    age_seconds: float = Field(description="Time since the comparison")
    interval_seconds: float = Field(
        description="Time between the starts of two comparisons: RECONCILE_SECONDS, or 20 times the last duration"
    )
    differences: dict[str, int] = Field(
        description="Rows that differed: users (with their audiences), users whose follows or controls differed, "
        "posts, interactions"
    )


class HealthResponse(BaseModel):
    """How the service is."""

    model_config = ConfigDict(
        extra="forbid",
        from_attributes=True,
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "status": "healthy",
                    "timestamp": "2025-01-13T12:00:00Z",
                    "model_version": "v1",
                    "model_loaded": True,
                    "ranking": "learned",
                    "model_age_seconds": 3600.0,
                    "last_reload_error": None,
                    "database": "up",
                    "tail_lag_seconds": 0.2,
                    "reconciliation": {
                        "complete_change_capture": True,
                        "age_seconds": 12.5,
                        "interval_seconds": 60.0,
                        "differences": {
                            "users": 0,
                            "follows": 0,
                            "controls": 0,
                            "posts": 0,
                            "interactions": 0,
                        },
                    },
                    "warnings": [],
                    "users": 300,
                    "posts": 1500,
                    "interactions": 20000,
                }
            ]
        },
    )

    status: Literal["healthy", "degraded"]
    timestamp: AwareDatetime
    model_version: str | None
    model_loaded: bool
    ranking: str | None = Field(
        description="The ranking of the model: learned, formula, newest, popular or a trending one"
    )
    model_age_seconds: float | None
    last_reload_error: str | None = Field(description="Why the newest model is not the one that serves")
    database: Literal["up", "read_only", "down", "none"]
    tail_lag_seconds: float | None = Field(description="Time since the log was last read to its end")
    reconciliation: ReconciliationResponse | None = Field(
        description="The last comparison of memory with the database"
    )
    warnings: list[str] = Field(
        description="Tables of which the feed shows nothing, workers that stopped, and the remedy"
    )
    users: int
    posts: int
    interactions: int


class ProbeResponse(BaseModel):
    """The answer of a probe."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"status": "ready"}]})

    status: Literal["alive", "ready"]
