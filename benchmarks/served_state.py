"""The feed in memory, as a service with a model has it."""

from app.domain.feed.state import FeedState
from app.domain.feed.timeline import FeedTimeline
from app.domain.repositories.feed_log import FeedSnapshot
from app.infrastructure.ml.model_loader import ServedModel


def served_state(feed: FeedSnapshot, model: ServedModel) -> FeedState:
    """The state of a full read, with text vectors of the model."""
    timeline = FeedTimeline(
        feed.dataset, replay=False, counting=model.options.counting, limits=model.options.lists
    )
    timeline.embed_texts(model.embed)
    return feed.to_state(timeline)
