"""The feed that is being served: the state, what ranks it, and turns at both."""

from dataclasses import dataclass
from threading import Lock

from app.domain.feed.state import FeedState
from app.domain.ranking.pipeline import FeedPipeline


@dataclass(frozen=True, slots=True)
class ActiveRanker:
    """What ranks. `model_version` is None for the ranking that needs no model."""

    pipeline: FeedPipeline
    model_version: str | None


class LiveFeed:
    """Shared by requests, which read, and by whoever keeps it current, who writes; each for the length of a `lock`.

    A turn is short: writers apply what they fetched beforehand, in portions.
    """

    def __init__(self, state: FeedState, ranker: ActiveRanker) -> None:
        self.lock = Lock()
        self.state = state
        self.ranker = ranker
        self.database_ok = False

    @property
    def degraded(self) -> bool:
        """Whether a part (model, database) is missing."""
        return self.ranker.model_version is None or not self.database_ok
