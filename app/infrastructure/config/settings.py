"""All settings of the environment, with their units, bounds, defaults and meanings.

The environment variable of a setting is its name in capitals; an empty variable is unset. This module writes
`.env.example`: `python -m app.infrastructure.config.settings > .env.example`. With names (`... HOST PORT`) it prints
their values. The defaults of the ranking come from `app.domain.ranking.options`.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.domain.feed.away_users import DEFAULT_USER_LIVE_DAYS
from app.domain.feed.embeddings import MAX_DIMENSIONS
from app.domain.feed.feed_window import DEFAULT_WINDOW_DAYS
from app.domain.feed.live_posts import DEFAULT_LIMITS
from app.domain.ranking.options import RankingOptions
from app.infrastructure.config.dsn import parse_dsn
from app.infrastructure.config.setting_types import (
    CallLimit,
    ClockSkew,
    Comma,
    Dsn,
    Fraction,
    Hours,
    LogLevel,
    Milliseconds,
    Seconds,
    Weight,
)
from app.shared.exceptions import ConfigurationError

_RANKING = RankingOptions()
_FORMULA, _WEIGHTS = _RANKING.formula, _RANKING.interaction_weights


class Settings(BaseSettings):
    """The settings of the service; data and training commands read them too and use fewer."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,  # the text below a setting is its meaning in `.env.example`
    )

    SECTIONS: ClassVar[Mapping[str, str]] = {
        "database_url": "Database",
        "models_dir": "Models",
        "host": "Server",
        "otel_exporter_otlp_endpoint": "Traces (packages: requirements-tracing.lock)",
        "api_keys": "Keys",
        "interaction_weight_view": "Interaction weights",
        "count_window_minutes": "Counting people",
        "weight_collaborative": "Ranking",
        "experiments_file": "Experiments",
        "live_posts": "Posts in memory",
        "cursor_life_hours": "Paging",
        "pool_size": "Time budgets of the database (client 3 s > server 0.8 s > pool 0.2 s)",
        "tail_poll_ms": "Background work",
        "body_limit_bytes": "Limits of a request",
        "training_engine": "Training",
    }
    """The title in `.env.example` above the first setting of each section."""

    database_url: Dsn | None = None
    """PostgreSQL DSN. Unset: the embedded PostgreSQL in .local/postgres, if its package is installed."""
    db_schema: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")] | None = None
    """Schema of the service. Unset: `public` where it is empty or holds our tables, else `feed`."""

    models_dir: Path = Path("models")
    """Folder of the model registry and its artefacts."""
    model_path: Path | None = None
    """Artefact to serve instead of the registry's active model; switches hot reload off."""
    model_size_limit_bytes: int = Field(2 * 1024**3, ge=1024)
    """Size limit of an artefact; a larger one is rejected before it is read."""
    model_signing_key: SecretStr | None = None
    """Private Ed25519 key that signs trained models. Unset: created once in KEYS_DIR."""
    model_trusted_keys: Annotated[list[str], *Comma] = []
    """Public keys (comma-separated) whose models are loaded. Unset: the one in KEYS_DIR."""

    host: str = Field("127.0.0.1", min_length=1)
    """Address that the service listens on."""
    port: int = Field(8000, ge=0, le=65535)
    """Port that the service listens on."""
    log_level: Annotated[LogLevel, BeforeValidator(str.upper)] = "INFO"
    """Lowest level that is logged."""
    feed_now: AwareDatetime | None = None
    """Fixed time for tests and replays (ISO 8601 with zone); rejected if there are API keys."""
    max_connections: int = Field(1000, ge=1, le=100_000)
    """Number of open connections, above which those are closed that have waited longest for a request."""
    header_timeout_seconds: Seconds = 10
    """Time to send the head of a request; a slower connection is closed."""
    drain_seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 1
    """Time after SIGTERM in which /readyz is 503 and new connections are still accepted."""
    shutdown_grace_seconds: int = Field(10, ge=0, le=600)
    """Time that running requests have to end after SIGTERM."""

    otel_exporter_otlp_endpoint: str | None = Field(None, pattern=r"^https?://\S+$")
    """OTLP collector that receives traces over HTTP. Unset: no traces."""
    otel_service_name: str = Field("feed-recommendations", min_length=1)
    """Name of the service in its traces."""
    otel_traces_sampler_arg: Fraction = 1.0
    """Fraction of the requests to trace, where the caller has not decided."""

    api_keys: Annotated[list[SecretStr], *Comma] = []
    """API keys (comma-separated) of callers, with every scope but admin."""
    api_keys_file: Path | None = None
    """File of further keys with scopes. If neither this nor API_KEYS is set, the service is open to everyone."""
    trusted_proxies: Annotated[list[IPvAnyNetwork], *Comma] = []
    """Addresses and networks (comma-separated) of proxies whose X-Forwarded-For is used. Unset: none."""
    limit_per_key: CallLimit | None = None
    """Calls with one API key, such as 6000/minute. Unset: no limit. The limits hold for each process."""
    limit_per_user: CallLimit | None = None
    """Calls about one user with a valid API key, such as 300/minute. Unset: no limit."""
    limit_per_address: CallLimit | None = None
    """Calls from one address without a valid API key. Unset: 600/minute if there are API keys, else no limit."""
    metrics_need_key: bool = False
    """Whether /metrics requires an API key."""
    cursor_secret: Annotated[list[SecretStr], *Comma] = []
    """Secrets (comma-separated) of all replicas: the first signs cursors, all verify them. Unset: one in KEYS_DIR."""
    erasure_secret: Annotated[list[SecretStr], *Comma] = []
    """Secrets (comma-separated) that hash the ids of erased users: the first for new hashes. Unset: one in KEYS_DIR."""
    erasure_days: int = Field(7, ge=2, le=365)
    """Days after an erasure in which versions of models that may hold the user are deleted; training deletes them."""
    keys_dir: Path = Path(".local/keys")
    """Folder of created keys, which only their owner can read."""

    interaction_weight_view: Weight = _WEIGHTS["view"]
    """Weight of a view."""
    interaction_weight_click: Weight = _WEIGHTS["click"]
    """Weight of a click."""
    interaction_weight_like: Weight = _WEIGHTS["like"]
    """Weight of a like."""
    interaction_weight_comment: Weight = _WEIGHTS["comment"]
    """Weight of a comment."""
    interaction_weight_share: Weight = _WEIGHTS["share"]
    """Weight of a share."""

    count_window_minutes: Annotated[float, Field(ge=0, le=525_600, allow_inf_nan=False)] = (
        _RANKING.counting.window_minutes
    )
    """Time from receipt in which events of one user, post and type count once for others."""
    count_limit: Annotated[int, Field(ge=1, le=1000)] = _RANKING.counting.limit
    """Number of times that events of one user, post and type count for others in all."""
    new_account_weight: Fraction = _RANKING.counting.new_account_weight
    """Factor on the weight of events in the first NEW_ACCOUNT_HOURS of an account; needs times of sign-up."""
    new_account_hours: Annotated[float, Field(ge=0, le=8760, allow_inf_nan=False)] = (
        _RANKING.counting.new_account_hours
    )
    """Time after sign-up in which an account is new. Accounts without a time of sign-up are not new."""

    weight_collaborative: Fraction = _FORMULA.collaborative
    """Weight of similar users' interactions in the formula's score."""
    weight_content: Fraction = _FORMULA.content
    """Weight of content similarity in the formula's score."""
    weight_recency: Fraction = _FORMULA.recency
    """Weight of recency in the formula's score."""
    recency_tau_hours: Hours = _FORMULA.recency_tau_hours
    """Age at which the recency of a post has fallen to 1/e."""
    embedding_dimensions: Annotated[int, Field(ge=0, le=MAX_DIMENSIONS)] = 0
    """Numbers in the embedding of a post, a vector of a model of your own; 0: posts may have none."""
    neighbours: Annotated[int, Field(ge=1, le=1000)] = _RANKING.neighbours
    """Number of similar users whose interactions are used."""
    trending_half_life_hours: Hours = _RANKING.trending_half_life_hours
    """Age at which an interaction has half its weight in trending."""
    author_repeat_factor: Fraction = _RANKING.author_repeat_factor
    """Factor on the score of each further post of one author on a page."""
    author_repeat_floor: Fraction = _RANKING.author_repeat_floor
    """Smallest factor on further posts of one author."""
    exploration_share: Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)] = _RANKING.exploration_share
    """Fraction of a page for posts with little engagement."""
    not_interested_factor: Fraction = _RANKING.not_interested_factor
    """Factor on the scores of the author and first tag of a post in which the user was not interested."""
    not_interested_days: Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)] = (
        _RANKING.not_interested_days
    )
    """Time in which this factor rises to 1 in a straight line."""
    impression_sink_factor: Fraction = _RANKING.impression_sink_factor
    """Factor on the score of a post for each time that it was shown to the user without any engagement."""
    impression_sink_hours: Hours = _RANKING.impression_sink_hours
    """Time in which the effect of showing a post falls to a half."""
    interest_factor: Fraction = _RANKING.interest_factor
    """Factor on the scores of posts outside of the declared interests of a user without events."""
    ranked_limit: Annotated[int, Field(ge=0, le=1_000_000)] = _RANKING.whole_catalogue
    """Number of posts up to which every post is a candidate."""
    candidates: Annotated[int, Field(ge=20, le=10_000)] = _RANKING.candidates
    """Number of posts from each of the larger candidate sources."""

    experiments_file: Path | None = None
    """File (TOML) of experiments with the ranking, read again while the service runs. Unset: there are none."""
    experiment_read_minutes: Annotated[float, Field(ge=1, le=1440, allow_inf_nan=False)] = 60
    """Interval between two read-outs of an experiment, in which guardrails stop variants that are clearly worse."""
    probation_minutes: Annotated[float, Field(ge=0, le=10_080, allow_inf_nan=False)] = 240
    """Time after a promotion by training.follow in which 10 % of the users keep the weights of before; 0: none do."""
    slow_page_ms: Milliseconds = 50
    """Time to make a page above which it counts as slow in experiments."""
    randomised_share: Fraction = 0.0
    """Fraction of the ranked lists whose first page is drawn at random from the first two, for off-policy estimates."""
    randomised_temperature: Annotated[float, Field(ge=0.05, le=20, allow_inf_nan=False)] = 1.0
    """How random these pages are: worths of posts are their scores to the power of 1 / temperature."""

    live_posts: Annotated[int, Field(ge=1, le=100_000_000)] = DEFAULT_LIMITS.newest
    """Number of newest posts in memory: about 0.6 KiB each, and 62 bytes for each of its interactions."""
    live_hot_posts: Annotated[int, Field(ge=0, le=100_000_000)] = DEFAULT_LIMITS.strongest
    """Number of older posts that stay in memory because their engagement is the largest at one of the half-lives."""
    live_engaged_days: Annotated[float, Field(ge=0, le=36_500, allow_inf_nan=False)] = (
        DEFAULT_LIMITS.engaged_days
    )
    """Older posts stay in memory if their last interaction is at most this much older than that of the feed."""
    events_per_user: Annotated[int, Field(ge=1, le=256)] = _RANKING.lists.events_per_user
    """Number of newest interactions of each user in memory; of older ones, only the posts and types are."""
    users_per_post: Annotated[int, Field(ge=1, le=80)] = _RANKING.lists.users_per_post
    """Number of newest interactions with each post in memory."""
    user_live_days: Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)] = DEFAULT_USER_LIVE_DAYS
    """Interactions of a user leave memory if the user did nothing for this long; the next request reads them."""

    cursor_life_hours: Hours = 24
    """Lifetime of a cursor; an older one is rejected with 410."""
    offset_list_life_minutes: Annotated[float, Field(gt=0, le=1440, allow_inf_nan=False)] = 10
    """How long a ranked list is cached for paging by offset."""
    offset_lists_limit: int = Field(10_000, ge=0, le=1_000_000)
    """Number of cached lists, for paging by offset and for repeated requests."""
    answer_stands_seconds: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 10
    """How long identical requests get the cached response, unless an event changes it; 0: never."""

    pool_size: int = Field(8, ge=1, le=100)
    """Number of database connections of a process. With one, no comparison with the database ends on a feed in use."""
    pool_wait_ms: Milliseconds = 200
    """Time to wait for a free connection."""
    connect_budget_ms: Milliseconds = 1500
    """Time to open a connection, which takes about five round trips."""
    command_connect_seconds: Seconds = 10
    """Time to open a connection in migrations, data and training commands."""
    statement_budget_ms: Milliseconds = 800
    """Time for a statement within a request."""
    load_budget_seconds: Seconds = 300
    """Time to read the whole feed at the start."""
    track_concurrency: int = Field(8, ge=1, le=200)
    """Number of tracking calls that write at the same time; more wait."""
    retry_after_seconds: int = Field(5, ge=1, le=3600)
    """Retry-After of responses while the database is unavailable."""

    tail_poll_ms: Milliseconds = 250
    """Interval between reads of new log entries."""
    ranking_tick_ms: Milliseconds = 250
    """Step of the ranking clock; requests within a step share what is equal for all users."""
    newest_poll_seconds: Seconds = 2
    """Interval between reads of new posts from tables without the service's triggers."""
    reconcile_seconds: Seconds = 60
    """Interval between comparisons of the database with the feed in memory."""
    serve_without_controls: bool = False
    """Be ready without a model and a database, though nobody knows yet what users hid."""
    outbox_days: Annotated[float, Field(ge=1, le=3650, allow_inf_nan=False)] = 7
    """How long the outbox keeps changes of users, posts and follows, for a late replica."""
    snapshot_dir: Path = Path(".local/snapshots")
    """Folder of snapshots of the feed in memory, from which a start continues."""
    snapshot_interval_seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 300
    """Interval between snapshots; one more is stored at shutdown. 0: none is stored or read."""
    registry_poll_seconds: Seconds = 2
    """Interval between checks of the registry for a new model."""
    recommendation_ttl_hours: Hours = 24
    """Lifetime of a row of user_recommendation."""
    write_behind_limit: int = Field(1000, ge=0, le=1_000_000)
    """Number of responses that wait to be copied to user_recommendation; 0: no copies."""

    impression_days: int = Field(30, ge=1, le=3650)
    """How long the pages that were shown to users are kept."""
    impression_queue_limit: int = Field(2000, ge=0, le=1_000_000)
    """Number of pages that wait to be stored as impressions; more are dropped. 0: none is stored."""

    body_limit_bytes: int = Field(4 * 1024**2, ge=1024, le=64 * 1024**2)
    """Largest size limit of a request body; most routes have a lower one. A larger body is rejected with 413."""
    body_budget_seconds: Seconds = 10
    """Time to receive a request body; a slower one is rejected with 408."""
    shed_after_ms: Milliseconds = 250
    """Wait of a feed request for its turn, above which it is rejected with 503: the process is overloaded."""
    track_budget_ms: Milliseconds = 900
    """Time to commit a tracking call; a slower one is answered with 503."""
    track_back_days: Annotated[float, Field(gt=0, le=3650, allow_inf_nan=False)] = 7
    """Largest age of an event's occurred_at."""
    clock_skew_seconds: ClockSkew = 300
    """How far an event's occurred_at may be ahead of the service's clock. It is stored as now, with the difference."""
    track_ahead_seconds: ClockSkew | None = None
    """Deprecated name of CLOCK_SKEW_SECONDS, which wins."""

    training_engine: Literal["local", "spark"] = "local"
    """What replays a feed in training: processes of this machine, or Spark (packages: requirements-spark.lock)."""
    spark_master: Annotated[str, Field(min_length=1)] = "local[2]"
    """Master URL of Spark. Default: Spark inside the command, with two threads. `spark-submit --master` wins."""
    training_workers: Annotated[int, Field(ge=1, le=64)] | None = None
    """Worker processes of a replay. Unset: as cores and half of the free memory allow, at most 4."""
    training_window_days: Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)] = DEFAULT_WINDOW_DAYS
    """Age of the oldest event that training reads, counted from the newest. Default: 12 x the longest half-life."""

    @model_validator(mode="before")
    @classmethod
    def _read_schema(cls, given: dict[str, Any]) -> dict[str, Any]:
        """DB_SCHEMA from DATABASE_URL, if it is unset and a parameter of the DSN names it."""
        url = given.get("database_url")
        with suppress(ValueError):  # the field's own check reports it
            if isinstance(url, str) and (schema := parse_dsn(url).schema) is not None:
                return {"db_schema": schema, **given}
        return given

    @model_validator(mode="before")
    @classmethod
    def _read_deprecated_names(cls, given: dict[str, Any]) -> dict[str, Any]:
        ahead = given.get("track_ahead_seconds")
        return given if ahead is None else {"clock_skew_seconds": ahead, **given}

    @model_validator(mode="after")
    def _check_feed_now(self) -> Self:
        if self.feed_now is not None and (self.api_keys or self.api_keys_file):
            raise ValueError(
                "FEED_NOW: must be unset if API_KEYS or API_KEYS_FILE is set, because it fixes the clock for tests"
            )
        return self


def read_settings(**overrides: Any) -> Settings:
    """Read the settings from `.env` and the environment.

    Raises ConfigurationError with one line that names the first invalid variable.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        variable = str(first["loc"][0]).upper() + ": " if first["loc"] else ""
        raise ConfigurationError(variable + first["msg"].removeprefix("Value error, ")) from None


def env_example() -> str:
    """Return the text of `.env.example`: every variable with its meaning and its default."""
    lines = [
        "# Copy this file to .env and change what you need. The values are the defaults; empty means unset."
    ]
    for name, field in Settings.model_fields.items():
        if name in Settings.SECTIONS:
            lines += ["", f"# --- {Settings.SECTIONS[name]} ---"]
        lines += [f"# {field.description}", f"{name.upper()}={_env_value(field.default)}"]
    return "\n".join(lines) + "\n"


def _env_value(value: Any) -> str:
    """Write a value as it is spelled in `.env`; a secret is masked."""
    if value is None or value == []:
        return ""
    if isinstance(value, list):
        return ",".join(map(_env_value, value))
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def main(names: Sequence[str]) -> int:
    """Print the values of the named settings on one line, or `.env.example` if there are no names."""
    if not names:
        sys.stdout.write(env_example())
        return 0
    unknown = [name for name in names if name.lower() not in Settings.model_fields]
    try:
        if unknown:
            raise ConfigurationError(f"{unknown[0]} is not a setting; .env.example lists all settings")
        settings = read_settings()
    except ConfigurationError as error:
        print(f"settings: {error}", file=sys.stderr)
        return 2
    print(*(_env_value(getattr(settings, name.lower())) for name in names))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
