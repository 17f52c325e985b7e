"""The spaces of the vectors of posts, as a replay fits them on the first posts of a feed."""

from dataclasses import dataclass
from typing import Protocol, Self

from app.domain.feed.timeline import Embed, FeedTimeline, Project
from app.infrastructure.ml.content_scorer import TextSpace
from app.infrastructure.ml.embedding_projection import EmbeddingProjection


class EmbeddedPosts(Protocol):
    """Posts that get vectors: a timeline, or the live posts beside one."""

    def embed_texts(self, embed: Embed, count: int) -> None:
        """As in FeedTimeline."""

    def project_embeddings(self, project: Project, count: int) -> None:
        """As in FeedTimeline."""


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

    def apply(self, posts: EmbeddedPosts, count: int) -> None:
        """Give the `count` first posts their vectors."""
        posts.embed_texts(self.text, count)
        if self.projection is not None:
            posts.project_embeddings(self.projection, count)
