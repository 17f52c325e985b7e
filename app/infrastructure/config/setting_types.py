"""The types of settings: what their values may be."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from app.infrastructure.config.dsn import parse_dsn


def _split_at_commas(value: object) -> object:
    """Split a text at its commas into its non-empty parts; return any other value as it is.

    Commas without a part are rejected: an empty list of keys would mean that no key is needed.
    """
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if value and not parts:
        raise ValueError("contains no value; unset the variable if that is meant")
    return parts


def _check_dsn(dsn: SecretStr) -> SecretStr:
    """Return `dsn` if it is one of PostgreSQL. The ValueError of another one does not quote it."""
    parse_dsn(dsn.get_secret_value())
    return dsn


Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Hours = Annotated[float, Field(gt=0, le=24 * 3650, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
ClockSkew = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Milliseconds = Annotated[int, Field(ge=1, le=600_000)]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
CallLimit = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}/(second|minute|hour)$")]
Comma = NoDecode, BeforeValidator(_split_at_commas)
Dsn = Annotated[SecretStr, AfterValidator(_check_dsn)]
