"""What goes in and out of the use cases."""

from app.application.dto.recommendation_request import Mode, RecommendationRequest, Shown
from app.application.dto.recommendation_response import RecommendationResponse, Source
from app.domain.entities import Reason

__all__ = ["Mode", "Reason", "RecommendationRequest", "RecommendationResponse", "Shown", "Source"]
