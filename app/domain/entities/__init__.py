"""Frozen values with their invariants."""

from app.domain.entities.evidence import Evidence, EvidenceKind
from app.domain.entities.impression import Impression
from app.domain.entities.interaction import INTERACTION_TYPES, Interaction, InteractionType
from app.domain.entities.post import Post
from app.domain.entities.reason import Reason
from app.domain.entities.user import User

__all__ = [
    "INTERACTION_TYPES",
    "Evidence",
    "EvidenceKind",
    "Impression",
    "Interaction",
    "InteractionType",
    "Post",
    "Reason",
    "User",
]
