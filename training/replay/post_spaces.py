"""The spaces of the vectors of posts."""

from dataclasses import dataclass
from typing import Self

from app.domain.feed.timeline import FeedTimeline
from app.infrastructure.ml.content_scorer import TextSpace
from app.infrastructure.ml.embedding_projection import EmbeddingProjection


@dataclass(frozen=True, slots=True, eq=False)
class PostSpaces:
    """The space of texts, and the projection of embeddings; None if too few posts have one."""

    text: TextSpace
    projection: EmbeddingProjection | None

    @classmethod
    def fit(cls, timeline: FeedTimeline, count: int) -> Self:
        """Fit on the `count` first posts of a feed."""
        embeddings = timeline.first_embeddings(count)
        projection = None if embeddings is None else EmbeddingProjection.fit(embeddings)
        return cls(TextSpace.fit(timeline.first_texts(count)), projection)

    def apply(self, timeline: FeedTimeline, count: int) -> None:
        """Give the `count` first posts their vectors."""
        timeline.embed_texts(self.text, count)
        if self.projection is not None:
            timeline.project_embeddings(self.projection, count)
