"""A request body, read within its limits and decoded strictly."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope

from app.presentation.api.asgi import header, next_chunk
from app.presentation.api.problems import (
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    INVALID_REQUEST,
    MALFORMED_JSON,
    ProblemError,
)

Model = TypeVar("Model", bound=BaseModel)
_MAX_NAMED_FIELDS = 10
_HEARD_OUT = 64 * 2**20  # bytes: who is still sending when the connection closes never reads why


async def read_body(scope: Scope, receive: Receive, *, limit: int, seconds: float) -> bytes:
    """The whole body. Raises ProblemError beyond `limit` bytes or `seconds`, ClientDisconnect."""
    announced = header(scope, b"content-length")
    large = announced.isdigit() and (len(announced) > len(str(limit)) or int(announced) > limit)
    if large and (header(scope, b"expect") or len(announced) > len(str(_HEARD_OUT))):
        raise _too_large(limit)
    body, size, more = bytearray(), 0, True
    try:
        async with asyncio.timeout(seconds):
            while more:
                chunk, more = await next_chunk(receive)
                size += len(chunk)
                if size > _HEARD_OUT:
                    break
                if size <= limit and not large:
                    body += chunk
    except TimeoutError:
        if not large and size <= limit:
            raise ProblemError(BODY_TIMEOUT, headers={"connection": "close"}) from None
    if large or size > limit:
        raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> ProblemError:
    return ProblemError(BODY_TOO_LARGE, f"The limit is {limit} bytes", headers={"connection": "close"})


def decode(body: bytes, model: type[Model]) -> Model:
    """The body as a `model`. Raises ProblemError naming what is wrong and where."""
    try:
        return model.model_validate(_strict_json(body))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        fields = [
            {"pointer": _pointer(one["loc"]), "detail": one["msg"].removeprefix("Value error, ")}
            for one in found[:_MAX_NAMED_FIELDS]
        ]
        detail = f"{fields[0]['pointer'] or 'body'}: {fields[0]['detail']}"
        raise ProblemError(INVALID_REQUEST, detail, fields=fields) from None


def _pointer(location: Sequence[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _strict_json(body: bytes) -> Any:
    # orjson refuses NaN, infinities, lone surrogates, bad UTF-8 and depth; the standard library sees double
    # keys, of which parsers take now the first and now the last
    try:
        orjson.loads(body)
        return _UNIQUE_KEYS.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise ProblemError(MALFORMED_JSON, str(error)[:200]) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        double = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {double[:40]!r} occurs twice")
    return unique


_UNIQUE_KEYS = json.JSONDecoder(object_pairs_hook=_unique)
