"""DATABASE_URL as other programs write it.

Prisma, node-postgres, SQLAlchemy, Rails and hosts of PostgreSQL add parameters that the driver rejects.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg2
from psycopg2 import extensions

_START: Final = re.compile(r"postgres(ql)?(\+\w+)?://")  # SQLAlchemy puts the driver into the scheme
_FORM: Final = (
    "must be a DSN such as postgresql://user:password@host:5432/database (in the password, percent-encode all but "
    "letters and digits)"
)
_NAME: Final = re.compile(r"[A-Za-z_]\w{0,40}", re.ASCII)
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_VALUES: Final = {
    "sslmode": _SSL_MODES,
    "channel_binding": ("disable", "prefer", "require"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}
_SSL_MODE_OF: Final = {
    **{mode: mode for mode in _SSL_MODES},
    **dict.fromkeys(("true", "1", "no-verify"), "require"),
    **dict.fromkeys(("false", "0"), "disable"),
}
"""Value of `ssl` or `sslmode` in other programs -> sslmode."""
_IGNORED: Final = frozenset(
    {
        # sizes and times of the pools of others: POOL_SIZE, POOL_WAIT_MS and STATEMENT_BUDGET_MS are ours
        *(
            "connection_limit",
            "pool",
            "pool_size",
            "max_overflow",
            "pool_timeout",
            "pool_recycle",
            "pool_mode",
        ),
        *("checkout_timeout", "idle_timeout", "reaping_frequency", "socket_timeout", "timeout"),
        *("statement_timeout", "command_timeout", "query_timeout", "single_use_connections"),
        # prepared statements: the service uses none, so it works behind every proxy
        *("pgbouncer", "statement_cache_size", "prepared_statement_cache_size", "prepared_statements"),
        *("prepare", "prepareThreshold", "prepare_threshold", "default_query_exec_mode"),
        # of a host or a driver alone
        *("supa", "workaround", "uselibpqcompat", "schemaCacheSize"),
    }
)
_REMEDIES: Final = {
    "sslidentity": "set sslcert and sslkey instead of a PKCS 12 file",
    "search_path": "set DB_SCHEMA instead",
}


@dataclass(frozen=True, slots=True)
class DatabaseDsn:
    """A DSN for the driver.

    schema   DB_SCHEMA as the DSN has it; None for none, or for `public`, which Prisma writes into every DSN
    ignored  names of the parameters that have no effect
    """

    url: str = field(repr=False)
    schema: str | None
    ignored: tuple[str, ...]


def parse_dsn(text: str) -> DatabaseDsn:
    """Read a DSN. Raises ValueError in one sentence that quotes no value, because values may be secret."""
    # Python decodes the environment as ASCII in the locale C, and keeps other bytes as surrogates
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    base, _, query = text.partition("?")
    start = _START.match(base)
    try:
        is_valid = start is not None and urlsplit(base).port != 0
    except ValueError:  # its message may quote the password
        is_valid = False
    if start is None or not is_valid:
        raise ValueError(_FORM)
    parameters: dict[str, list[str]] = {}
    ignored: list[str] = []
    schema = None
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in {"schema", "currentSchema"}:
            schema = None if value in {"", "public"} else value
        elif name in _IGNORED:
            ignored.append(name)
        else:
            for driver_name, driver_value in _driver_parameters(name, value).items():
                several = parameters.get(driver_name, []) if driver_name == "host" else []  # of a cluster
                parameters[driver_name] = [*several, driver_value]
    url = "postgresql://" + base[start.end() :]
    if parameters:
        url += "?" + urlencode(parameters, doseq=True, quote_via=quote)
    return DatabaseDsn(url, schema, tuple(ignored))


def _driver_parameters(name: str, value: str) -> dict[str, str]:
    """The parameters of the driver for one parameter of a DSN. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(_FORM)
    if name in _REMEDIES:
        raise ValueError(f"has the parameter {name}, which the driver does not know; {_REMEDIES[name]}")
    if name in {"ssl", "sslmode"}:
        name, value = "sslmode", _SSL_MODE_OF.get(value, value)
    elif name == "sslaccept" and value == "strict":
        return {"sslmode": "verify-full", "sslrootcert": "system"}
    elif (
        name == "sslaccept"
    ):  # accept_invalid_certs: the driver checks certificates in the modes verify-… only
        return {}
    elif name == "encoding":
        name = "client_encoding"
    if value not in _VALUES.get(name, (value,)):
        raise ValueError(f"has an unknown value of {name}; it must be one of {', '.join(_VALUES[name])}")
    if name == "connect_timeout" and not re.fullmatch(r"[0-9]{1,6}", value):
        raise ValueError("has a connect_timeout that is not a whole number of seconds")
    try:
        extensions.parse_dsn(f"postgresql:///?{name}={quote(value, safe='')}")
    except psycopg2.Error:
        raise ValueError(f"has the parameter {name}, which the driver does not know; remove it") from None
    return {name: value}
