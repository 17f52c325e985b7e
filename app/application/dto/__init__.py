"""What goes in and out of the use cases."""

from app.application.dto.recommendation_request import FeedRequest, Mode
from app.application.dto.recommendation_response import FeedAnswer, Source

__all__ = ["FeedAnswer", "FeedRequest", "Mode", "Source"]
