"""DATABASE_URL as other programs write it."""

import pytest

from app.infrastructure.config.dsn import parse_dsn
from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.connection import create_feed_engine
from app.shared.exceptions import ConfigurationError

BASE = "postgresql://user:s3cret@host:5432/db"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("postgres://user:s3cret@host:5432/db", BASE),  # Heroku, Railway
        ("postgresql+asyncpg://user:s3cret@host:5432/db", BASE),
        (f"{BASE}?schema=public", BASE),
        (f"{BASE}?schema=public&connection_limit=1&pool_timeout=0", BASE),
        (f"{BASE}?pgbouncer=true&connection_limit=1", BASE),  # Supabase
        (f"{BASE}?sslmode=require&supa=base-pooler.x", f"{BASE}?sslmode=require"),
        (f"{BASE}?pgbouncer=true&statement_cache_size=0&sslaccept=accept_invalid_certs", BASE),
        (f"{BASE}?sslaccept=strict", f"{BASE}?sslmode=verify-full&sslrootcert=system"),
        (f"{BASE}?ssl=true", f"{BASE}?sslmode=require"),
        (f"{BASE}?ssl=false", f"{BASE}?sslmode=disable"),
        (f"{BASE}?sslmode=no-verify&uselibpqcompat=true", f"{BASE}?sslmode=require"),
        (
            f"{BASE}?sslmode=require&channel_binding=require",
            f"{BASE}?sslmode=require&channel_binding=require",
        ),  # Neon
        (f"{BASE}?options=endpoint%3Dep-1%20-c%20a%3Db", f"{BASE}?options=endpoint%3Dep-1%20-c%20a%3Db"),
        (f"{BASE}?target_session_attrs=read-write&connect_timeout=10", None),
        (f"{BASE}?encoding=utf8&prepared_statements=false&pool=5", f"{BASE}?client_encoding=utf8"),  # Rails
        (
            "postgresql://user:p\udcc3\udcbc@host/db",
            "postgresql://user:p\u00fc@host/db",
        ),  # as in the locale C
        ("postgresql://user:p%40%3F%23@host/db?schema=app", "postgresql://user:p%40%3F%23@host/db"),
    ],
)
def test_foreign_parameters_are_mapped_or_ignored(given: str, url: str | None) -> None:
    parsed = parse_dsn(given)
    engine = create_feed_engine(given, connect_seconds=1)
    driver_options = engine.dialect.create_connect_args(engine.url)[1]

    assert parsed.url == url or (url is None and parsed.url == given)
    assert not {"schema", "pgbouncer", "connection_limit", *parsed.ignored} & driver_options.keys()
    assert "s3cret" not in repr(parsed)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (f"{BASE}?sslmod=require", "has the parameter sslmod, which the driver does not know; remove it"),
        (f"{BASE}?search_path=app", "set DB_SCHEMA instead"),
        (f"{BASE}?sslidentity=client.p12", "set sslcert and sslkey"),
        (f"{BASE}?sslmode=on", "unknown value of sslmode; it must be one of disable, allow,"),
        (f"{BASE}?channel_binding=yes", "unknown value of channel_binding"),
        (f"{BASE}?target_session_attrs=master", "unknown value of target_session_attrs"),
        (f"{BASE}?connect_timeout=10s", "connect_timeout that is not a whole number of seconds"),
        ("postgresql://user:s3cret?x@host/db", "percent-encode all but letters and digits"),
        ("prisma+postgres://accelerate.example/?api_key=s3cret", "must be a DSN such as"),
        ("postgresql://user:s3cret@host:port/db", "must be a DSN such as"),
        ("postgresql://user:s3cret[@host/db", "must be a DSN such as"),
        ("mysql://user:s3cret@host/db", "must be a DSN such as"),
        ('"postgresql://user:s3cret@host/db"', "must be a DSN such as"),
    ],
)
def test_a_parameter_that_cannot_be_mapped_is_one_line_without_secrets(
    monkeypatch: pytest.MonkeyPatch, given: str, problem: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", given)

    with pytest.raises(ConfigurationError) as error:
        read_settings(_env_file=None)

    message = str(error.value)
    assert message.startswith("DATABASE_URL: ")
    assert problem in message
    assert "\n" not in message
    assert "s3cret" not in message


def test_the_schema_of_the_dsn_counts_unless_the_setting_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DB_SCHEMA", raising=False)
    monkeypatch.setenv("DATABASE_URL", f"{BASE}?schema=app")
    from_dsn = read_settings(_env_file=None).db_schema
    monkeypatch.setenv("DB_SCHEMA", "other")

    assert (from_dsn, read_settings(_env_file=None).db_schema) == ("app", "other")


def test_the_schema_public_of_the_dsn_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DB_SCHEMA", raising=False)
    default = read_settings(_env_file=None, database_url=BASE).db_schema

    assert read_settings(_env_file=None, database_url=f"{BASE}?schema=public").db_schema == default
