"""Reads the body of a request within limits and decodes it strictly."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.presentation.api.body_limits import BODY_LIMITS
from app.presentation.api.dependencies import ApiOptions
from app.presentation.api.problems import (
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    INVALID_REQUEST,
    MALFORMED_JSON,
    ProblemError,
)

Model = TypeVar("Model", bound=BaseModel)
_MAX_NAMED_FIELDS = 10
_MAX_DISCARDED_BYTES = 64 * 2**20
BODY_PROBLEMS = (MALFORMED_JSON, BODY_TIMEOUT, BODY_TOO_LARGE, INVALID_REQUEST)
"""What `read_body` and `decode` raise."""


async def read_body(request: Request, options: ApiOptions) -> bytes:
    """Read the whole body of a request of a route in BODY_LIMITS.

    Raises ProblemError if the body is larger or takes longer than allowed, and ClientDisconnect. A body that
    is too large is read to its end and discarded, up to a bound: a client that still sends when the connection closes
    cannot read the response.
    """
    max_bytes = min(BODY_LIMITS[request.scope["route"].path_format], options.body_limit_bytes)
    announced = request.headers.get("content-length", "")
    too_large = announced.isdecimal() and (len(announced) > len(str(max_bytes)) or int(announced) > max_bytes)
    if too_large and ("expect" in request.headers or len(announced) > len(str(_MAX_DISCARDED_BYTES))):
        raise _too_large(max_bytes)
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(options.body_budget_seconds):
            async for chunk in request.stream():
                size += len(chunk)
                too_large = too_large or size > max_bytes
                if size > _MAX_DISCARDED_BYTES:
                    break
                if not too_large:
                    body += chunk
    except TimeoutError:
        if not too_large:
            raise ProblemError(BODY_TIMEOUT, headers={"connection": "close"}) from None
    if too_large:
        raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> ProblemError:
    return ProblemError(BODY_TOO_LARGE, f"The limit is {max_bytes} bytes", headers={"connection": "close"})


def decode(body: bytes, model: type[Model]) -> Model:
    """The body as a `model`. Raises ProblemError with the place and the problem of each invalid field."""
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


def decode_each(
    body: bytes, name: str, model: type[Model], max_items: int
) -> tuple[dict[int, Model], dict[int, ProblemError]]:
    """The items of the list `name` in the body by their places, and the problem of each invalid one.

    Raises ProblemError if the body is no object with a list of 1 to `max_items` items.
    """
    given = _strict_json(body)
    items = given.get(name) if isinstance(given, dict) else None
    if not isinstance(items, list) or not 0 < len(items) <= max_items:
        raise ProblemError(INVALID_REQUEST, f"/{name}: must be a list of 1 to {max_items} items")
    valid: dict[int, Model] = {}
    invalid: dict[int, ProblemError] = {}
    for place, item in enumerate(items):
        try:
            valid[place] = model.model_validate(item)
        except ValidationError as error:
            invalid[place] = ProblemError(INVALID_REQUEST, str(error))
    return valid, invalid


def is_partial(request: Request) -> bool:
    """The query parameter `partial`. Raises ProblemError unless it is `true` or `false`."""
    given = request.query_params.get("partial", "false")
    if given not in {"true", "false"}:
        raise ProblemError(INVALID_REQUEST, f"partial: must be true or false, got {given[:40]!r}")
    return given == "true"


def _pointer(location: Sequence[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _strict_json(body: bytes) -> Any:
    """The decoded body. Raises ProblemError for JSON that parsers could read differently."""
    # orjson rejects NaN, infinities, lone surrogates, bad UTF-8 and deep nesting. The hook of the standard decoder
    # rejects duplicate keys: some parsers use the first value of such a key, others the last.
    try:
        orjson.loads(body)
        return _DECODER_WITHOUT_DUPLICATES.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise ProblemError(MALFORMED_JSON, str(error)[:200]) from None


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """One JSON object from its (key, value) pairs. Raises ValueError for a duplicate key."""
    unique = dict(pairs)
    if len(unique) != len(pairs):
        duplicate = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {duplicate[:40]!r} occurs twice")
    return unique


_DECODER_WITHOUT_DUPLICATES = json.JSONDecoder(object_pairs_hook=_object_without_duplicates)
