"""Processes of the service over one PostgreSQL, each behind its own port; a test decides when they read the log."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx

from app.domain.feed.live_posts import DEFAULT_LIMITS, LivePostLimits
from app.domain.ranking.model_interface import PublishedModel
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.storage import open_storage
from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions, Services
from app.shared.monitoring import Metrics
from tests.support.fake_use_cases import FixedClock
from tests.support.http_server import served
from tests.support.small_service import SmallService


class Replica:
    """One process. `restart` replaces it by a new one, which reads the database and ranks with `model`."""

    def __init__(self, url: str, clock: FixedClock, live_posts: LivePostLimits = DEFAULT_LIMITS) -> None:
        self._settings = Settings(database_url=url, _env_file=None)  # type: ignore[call-arg,arg-type]
        self._clock = clock
        self._live_posts = live_posts
        self._stack = ExitStack()
        self.service: SmallService
        self.client: httpx.Client
        self.restart(None)

    def restart(self, model: PublishedModel | None) -> None:
        self.close()
        storage = open_storage(self._settings, self._stack)
        self.service = SmallService(storage=storage, clock=self._clock, live_posts=self._live_posts)
        if model is not None:
            self.service.publish(model)
        self.service.catch_up()
        api = create_api(ApiOptions(), Metrics(), self._open, version="1")
        self.client = self._stack.enter_context(served(api))

    def close(self) -> None:
        self._stack.close()

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self.client.request(method, path, json=body)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Services]:
        yield self.service.use_cases
