"""GET /health, /livez and /readyz, as operators see them."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


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
                    "model_age_seconds": 3600.0,
                    "last_reload_error": None,
                    "database": "up",
                    "tail_lag_seconds": 0.2,
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
    model_age_seconds: float | None
    last_reload_error: str | None = Field(description="Why the newest model is not the one that serves")
    database: Literal["up", "read_only", "down", "none"]
    tail_lag_seconds: float | None = Field(description="Time since the log was last read to its end")
    warnings: list[str] = Field(
        description="Tables that have rows of which the feed shows nothing, and the remedy"
    )
    users: int
    posts: int
    interactions: int


class ProbeResponse(BaseModel):
    """The answer of a probe."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"status": "ready"}]})

    status: Literal["alive", "ready"]
