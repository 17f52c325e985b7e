"""Everything that can be set from the environment, with its unit, its bounds and its meaning.

The environment variable of a setting is its name in capitals; empty means unset. `.env.example` is made
from here: `python -m app.infrastructure.config.settings > .env.example`; with names (`… HOST PORT`) their values
are printed.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.domain.entities import InteractionType
from app.shared.exceptions import ConfigurationError

_DSN_SCHEMES = frozenset({"postgres", "postgresql", "postgresql+psycopg2"})


def _parts(given: object) -> object:
    """Lists are written with commas."""
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Hours = Annotated[float, Field(gt=0, le=24 * 3650, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Milliseconds = Annotated[int, Field(ge=1, le=600_000)]
NeighbourCount = Annotated[int, Field(ge=1, le=1000)]
CandidateCount = Annotated[int, Field(ge=20, le=10_000)]
CatalogueSize = Annotated[int, Field(ge=0, le=1_000_000)]
ExplorationShare = Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)]
Comma = NoDecode, BeforeValidator(_parts)


class Settings(BaseSettings):
    """The service's settings; also read by data and training, which use fewer of them."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    SECTIONS: ClassVar[Mapping[str, str]] = {
        "database_url": "Database",
        "models_dir": "Models",
        "host": "Server",
        "otel_exporter_otlp_endpoint": "Traces (packages: requirements-tracing.lock)",
        "api_keys": "Keys",
        "interaction_weight_view": "What an interaction is worth",
        "weight_collaborative": "Ranking",
        "cursor_life_hours": "Paging",
        "pool_size": "Budgets towards the database (client 3 s > server 0.8 s > pool 0.2 s)",
        "tail_poll_ms": "Keeping up",
        "body_limit_bytes": "Limits of a request",
        "training_workers": "Training",
    }

    # Database
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL DSN; unset: the embedded PostgreSQL under .local/postgres, else no database",
    )
    db_schema: str = Field(
        "public",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="Schema of tables and views; migrations fill it",
    )

    # Models
    models_dir: Path = Field(Path("models"), description="Folder of the registry and the artefacts")
    model_path: Path | None = Field(
        None, description="One artefact that overrides the registry and switches hot reload off"
    )
    model_size_limit_bytes: int = Field(
        2 * 1024**3, ge=1024, description="A larger artefact is refused before it is read"
    )
    model_signing_key: SecretStr | None = Field(
        None, description="Private Ed25519 key of training; unset: made once under .local/keys"
    )
    model_trusted_keys: Annotated[list[str], *Comma] = Field(
        [],
        description="Public keys, comma-separated, whose artefacts are loaded; unset: the one in .local/keys",
    )

    # Server
    host: str = Field("127.0.0.1", min_length=1, description="Address that is listened on")
    port: int = Field(8000, ge=0, le=65535, description="Port that is listened on")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="Least level that is logged"
    )
    feed_now: AwareDatetime | None = Field(
        None, description="Fixes the clock for tests and replays (ISO 8601 with zone); refused with API_KEYS"
    )
    shutdown_grace_seconds: int = Field(
        10, ge=0, le=600, description="How long running requests may take to end after SIGTERM"
    )

    # Traces
    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="OTLP collector that traces are sent to by HTTP; unset: no traces",
    )
    otel_service_name: str = Field(
        "feed-recommendations", min_length=1, description="Name of the service in its traces"
    )
    otel_traces_sampler_arg: Fraction = Field(
        1.0, description="Share of the requests that is traced where the caller has not decided"
    )

    # Keys
    api_keys: Annotated[list[SecretStr], *Comma] = Field(
        [], description="Keys of callers, comma-separated; unset: open to everyone, for development"
    )
    metrics_need_key: bool = Field(False, description="Ask for an API key at /metrics as well")
    cursor_secret: Annotated[list[SecretStr], *Comma] = Field(
        [],
        description="Comma-separated: the first signs cursors, all verify; replicas share it",
    )
    keys_dir: Path = Field(Path(".local/keys"), description="Where keys that are unset are made once (0600)")

    # What an interaction is worth
    interaction_weight_view: Weight = Field(1, description="Weight of a view")
    interaction_weight_click: Weight = Field(2, description="Weight of a click")
    interaction_weight_like: Weight = Field(5, description="Weight of a like")
    interaction_weight_comment: Weight = Field(7, description="Weight of a comment")
    interaction_weight_share: Weight = Field(10, description="Weight of a share")

    # Ranking
    weight_collaborative: Fraction = Field(0.7, description="Share of the neighbours' taste in a score")
    weight_content: Fraction = Field(0.2, description="Share of content similarity in a score")
    weight_recency: Fraction = Field(0.1, description="Share of recency in a score")
    recency_tau_hours: Hours = Field(24, description="Age at which recency is 1/e")
    neighbours: NeighbourCount = Field(10, description="Most similar users that are asked")
    trending_half_life_hours: Hours = Field(
        24, description="Age at which an interaction counts half in trending"
    )
    author_repeat_factor: Fraction = Field(
        0.5, description="Each further post of one author on a page multiplies its score by this"
    )
    author_repeat_floor: Fraction = Field(0.25, description="Least factor for further posts of one author")
    exploration_share: ExplorationShare = Field(
        0.04, description="Share of a page given to posts that few have engaged with"
    )
    ranked_limit: CatalogueSize = Field(1000, description="Catalogues up to this many posts are scored whole")
    candidates: CandidateCount = Field(100, description="Posts that each of the larger sources may nominate")

    # Paging
    cursor_life_hours: Hours = Field(24, description="Age after which a cursor is refused with 410")
    offset_list_life_minutes: Annotated[float, Field(gt=0, le=1440, allow_inf_nan=False)] = Field(
        10, description="How long a list is kept for paging by offset"
    )
    offset_lists_limit: int = Field(
        10_000,
        ge=0,
        le=1_000_000,
        description="Lists kept, for paging by offset and for who asks again",
    )
    answer_stands_seconds: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = Field(
        10,
        description="How long an answer stands for who asks the same again and did nothing since; 0: never",
    )

    # Budgets towards the database
    pool_size: int = Field(5, ge=1, le=100, description="Connections of a process")
    pool_wait_ms: Milliseconds = Field(200, description="Wait for a free connection")
    connect_budget_ms: Milliseconds = Field(500, description="Budget for making a connection")
    command_connect_seconds: Seconds = Field(
        10, description="How long migrations, data and training commands try to connect"
    )
    statement_budget_ms: Milliseconds = Field(800, description="Budget of a statement inside a request")
    load_budget_seconds: Seconds = Field(300, description="Budget of reading the whole feed at start")
    track_concurrency: int = Field(
        8, ge=1, le=200, description="Tracking calls that write at the same time; more wait"
    )
    retry_after_seconds: int = Field(
        5, ge=1, le=3600, description="What a caller is told to wait while the database is away"
    )

    # Keeping up
    tail_poll_ms: Milliseconds = Field(250, description="How often the log is asked for what is new")
    ranking_tick_ms: Milliseconds = Field(
        250, description="Step of the clock that ranks: what is the same for everybody is found once a step"
    )
    newest_poll_seconds: Seconds = Field(
        2, description="How often tables without our triggers are asked for new posts"
    )
    reconcile_seconds: Seconds = Field(
        60, description="How often tables without our triggers are compared with memory"
    )
    outbox_days: Annotated[float, Field(ge=1, le=3650, allow_inf_nan=False)] = Field(
        7, description="How long changes of users, posts and follows are kept for a service that fell behind"
    )
    registry_poll_seconds: Seconds = Field(2, description="How often the registry is asked for another model")
    recommendation_ttl_hours: Hours = Field(24, description="Life of a row of user_recommendation")
    write_behind_limit: int = Field(
        1000,
        ge=0,
        le=1_000_000,
        description="Answers waiting to be copied to user_recommendation; 0: none are",
    )

    # Limits of a request
    body_limit_bytes: int = Field(
        1024**2, ge=1024, le=64 * 1024**2, description="A larger request body is refused with 413"
    )
    body_budget_seconds: Seconds = Field(10, description="A body that takes longer is refused with 408")
    track_budget_ms: Milliseconds = Field(
        900, description="A tracking call that is not committed by then is answered with 503"
    )
    track_back_days: Annotated[float, Field(gt=0, le=3650, allow_inf_nan=False)] = Field(
        7, description="How far back an event's occurred_at may lie"
    )
    track_ahead_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = Field(
        5, description="How far a caller's clock may run ahead in occurred_at"
    )

    # Training
    training_workers: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        description="Processes of a replay; unset: as many as cores and half of the free memory allow, at most 4",
    )

    @field_validator("database_url")
    @classmethod
    def _a_dsn(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None:
            try:
                parts = urlsplit(given.get_secret_value())
                readable = parts.scheme in _DSN_SCHEMES and (parts.port is None or parts.port > 0)
            except ValueError:  # its message may quote the password
                readable = False
            if not readable:
                raise ValueError("must be a DSN such as postgresql://user:password@host:5432/database")
        return given

    @field_validator("log_level", mode="before")
    @classmethod
    def _capitals(cls, given: object) -> object:
        return given.upper() if isinstance(given, str) else given

    @model_validator(mode="after")
    def _clock_is_real_in_production(self) -> Self:
        if self.feed_now is not None and self.api_keys:
            raise ValueError("FEED_NOW: must be unset where API_KEYS is set")
        return self

    @property
    def interaction_weights(self) -> Mapping[InteractionType, float]:
        """The weight of each interaction type."""
        return {
            "view": self.interaction_weight_view,
            "click": self.interaction_weight_click,
            "like": self.interaction_weight_like,
            "comment": self.interaction_weight_comment,
            "share": self.interaction_weight_share,
        }

    @property
    def cursor_life(self) -> timedelta:
        """`cursor_life_hours` as a duration."""
        return timedelta(hours=self.cursor_life_hours)


def read_settings(**overrides: Any) -> Settings:
    """The settings of this process. Raises ConfigurationError naming the first variable that is wrong."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = str(first["loc"][0]).upper() + ": " if first["loc"] else ""
        raise ConfigurationError(place + first["msg"].removeprefix("Value error, ")) from None


def _example_value(value: Any) -> str:
    if value is None or value == []:
        return ""
    if isinstance(value, list):
        return ",".join(_example_value(one) for one in value)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def env_example() -> str:
    """The text of `.env.example`: every variable with its meaning and its default."""
    lines = ["# Copy to .env and change what you need. Empty means unset; what stands here are the defaults."]
    for name, field in Settings.model_fields.items():
        if name in Settings.SECTIONS:
            lines += ["", f"# --- {Settings.SECTIONS[name]} ---"]
        lines += [f"# {field.description}", f"{name.upper()}={_example_value(field.default)}"]
    return "\n".join(lines) + "\n"


def main(names: Sequence[str]) -> int:
    """Write the values of the settings named, in a line; without a name, the text of `.env.example`."""
    if not names:
        sys.stdout.write(env_example())
        return 0
    unknown = [name for name in names if name.lower() not in Settings.model_fields]
    try:
        if unknown:
            raise ConfigurationError(f"{unknown[0]} is no setting; .env.example lists them all")
        settings = read_settings()
    except ConfigurationError as error:
        print(f"settings: {error}", file=sys.stderr)
        return 2
    print(*(_example_value(getattr(settings, name.lower())) for name in names))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
