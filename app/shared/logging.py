"""Structured logs: one JSON object a line on standard output, also for libraries that use `logging`.

Every line has `timestamp`, `level`, `event` and, inside a request, `request_id`.
"""

import codecs
import logging
from collections.abc import Sequence
from typing import Any, BinaryIO, cast

import orjson
import structlog
from structlog.typing import Processor

from app.shared.log_output import LogOutput, standard_output


def _json(event: Any, **_: Any) -> bytes:
    try:
        return orjson.dumps(event, default=str)
    except TypeError:  # orjson.JSONEncodeError: a lone surrogate or a key that is not a string
        return orjson.dumps({str(key): ascii(value) for key, value in event.items()})


def configure_logging(level: str) -> LogOutput:
    """Send everything at `level` (a name of `logging`) or above to standard output. May be called again."""
    output = standard_output()
    shared: Sequence[Processor] = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    )
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_json)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, output)),
        cache_logger_on_first_use=False,  # tests and a second call configure logging again
    )
    handler = logging.StreamHandler(codecs.getwriter("ascii")(cast(BinaryIO, output)))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # ASCII, which fits every locale
                structlog.processors.JSONRenderer(default=str, separators=(",", ":")),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error"):  # drop the handlers that uvicorn set up first
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    access = logging.getLogger("uvicorn.access")  # our access log has the request id and the route
    access.handlers.clear()
    access.propagate = False
    return output
