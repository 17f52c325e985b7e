"""The ASGI application: `uvicorn app.main:app`. Importing this module starts nothing."""

import multiprocessing
import os
import signal
import sys
from functools import partial

from fastapi import FastAPI

from app.bootstrap import api_options, cursor_codec, open_observability, open_services, service_version
from app.infrastructure.config.server_processes import require_single_process
from app.infrastructure.config.settings import Settings, read_settings
from app.infrastructure.ml.registry.signing import model_keys
from app.presentation.api.application import create_api
from app.shared.exceptions import ConfigurationError
from app.shared.logging import configure_logging


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the API. Its services open when the server starts. Raises ConfigurationError."""
    settings = settings or read_settings()
    configure_logging(settings.log_level)
    require_single_process()
    keys = model_keys(None, settings.model_trusted_keys, settings.keys_dir, signs=False)
    cursors = cursor_codec(settings)
    metrics, traces = open_observability(settings)
    services = partial(open_services, settings, keys, cursors, metrics, traces)
    return create_api(api_options(settings), metrics, services, version=service_version(), traces=traces)


def __getattr__(name: str) -> FastAPI:
    """Create `app` when the server reads it. A configuration error prints one line and exits with code 2."""
    if name != "app":
        raise AttributeError(name)
    try:
        app = create_app()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        if multiprocessing.parent_process() is not None:
            os.kill(os.getppid(), signal.SIGTERM)  # --workers and --reload would restart this process forever
        raise SystemExit(2) from None
    globals()["app"] = app
    return app
