"""What goes in and out of the use cases."""

from app.application.dto.recommendation_request import Mode, RecommendationRequest, Shown
from app.application.dto.recommendation_response import RecommendationResponse, Source
from app.application.dto.scored_posts import ScoredPosts
from app.domain.entities import Evidence, EvidenceKind, Reason
from app.domain.ranking.post_trace import PageRule

__all__ = [
    "Evidence",
    "EvidenceKind",
    "Mode",
    "PageRule",
    "Reason",
    "RecommendationRequest",
    "RecommendationResponse",
    "ScoredPosts",
    "Shown",
    "Source",
]
