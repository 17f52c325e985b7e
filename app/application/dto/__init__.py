"""What goes in and out of the use cases."""

from app.application.dto.feed import FeedAnswer, FeedRequest, Mode, Source

__all__ = ["FeedAnswer", "FeedRequest", "Mode", "Source"]
