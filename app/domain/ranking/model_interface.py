"""Port: a trained model as the running service uses it, and where published models come from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.state import FeedState
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.repositories.feed_log import LogPosition
from app.domain.repositories.model_registry import ModelRecord
from app.domain.services.stage_observer import StageObserver


class RankingModel(Protocol):
    """A trained model: its options, the feed it was trained on, its text space and the pipeline it ranks with."""

    @property
    def options(self) -> RankingOptions:
        """The options it was evaluated with."""
        ...

    @property
    def snapshot(self) -> dict[str, Any]:
        """The feed at the end of training, for `FeedState.restored`."""
        ...

    @property
    def position(self) -> LogPosition | None:
        """Where the log continues after `snapshot`; None for a feed that was read from files."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) float32 unit vectors, zero for a text without a known word."""
        ...

    def pipeline(self, state: FeedState, observer: StageObserver) -> FeedPipeline:
        """The pipeline that ranks `state`. Raises InvalidArtifact if this version lacks one of the model's features."""
        ...


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A verified model and its record in the registry."""

    record: ModelRecord
    model: RankingModel


class ModelSource:
    """Provides the published model: a cheap check whether it changed, and a way to load it."""

    def __init__(
        self,
        fingerprint: Callable[[], object],
        fetch: Callable[[], PublishedModel | None],
    ) -> None:
        """`fetch` raises InvalidArtifact or ModelUnavailable; None: nothing is published."""
        self.fingerprint = fingerprint
        self.fetch = fetch
