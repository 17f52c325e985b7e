"""The ASGI application: `uvicorn app.main:app`. Importing this module starts nothing."""

from fastapi import FastAPI

from app.bootstrap import create_server_app


def __getattr__(name: str) -> FastAPI:
    """Create `app` when the server reads it."""
    if name != "app":
        raise AttributeError(name)
    app = globals()["app"] = create_server_app()
    return app
