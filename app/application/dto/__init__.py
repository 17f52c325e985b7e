"""What goes in and out of the use cases."""

from app.application.dto.recommendation_request import Mode, RecommendationRequest
from app.application.dto.recommendation_response import RecommendationResponse, Source

__all__ = ["Mode", "RecommendationRequest", "RecommendationResponse", "Source"]
