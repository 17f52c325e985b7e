"""Ports of the running service: a trained model, and the source of published models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.model_record import Channel, ModelRecord
from app.domain.feed.state import FeedState
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.repositories.feed_log import LogPosition
from app.domain.services.stage_observer import StageObserver

NO_CHANGES: Final[Mapping[str, Any]] = MappingProxyType({})


class RankingModel(Protocol):
    """A trained model: its options, trending posts, text space and ranking pipeline."""

    @property
    def options(self) -> RankingOptions:
        """The options of its evaluation."""

    @property
    def ranking(self) -> str:
        """The ranking that serves: "learned", or a name of SIMPLE_RANKINGS."""

    @property
    def text_space_id(self) -> str:
        """Equal for models that give posts the same vectors: one can rank the state of the other."""

    def trending_state(self) -> FeedState:
        """A feed of the posts that were trending at the end of training. Raises InvalidArtifact."""

    @property
    def position(self) -> LogPosition | None:
        """The position in the log after the feed of training; None for a feed that was read from files."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) float32 text vectors of length 1, or 0 for a text without a known word."""

    def project(self, embeddings: Sequence[NDArray[np.float16] | None]) -> NDArray[np.float16]:
        """(n, k) float16 projected embeddings of length 1; 0 for none, or one of another length than in training.

        k is 0 for a model of a feed without embeddings.
        """

    def pipeline(
        self, state: FeedState, observer: StageObserver, changes: Mapping[str, Any] = NO_CHANGES
    ) -> FeedPipeline:
        """The pipeline that ranks `state`, with `changes` of the options.

        Raises InvalidArtifact if the model has other inputs than this version.
        """


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A verified model and its record in the registry."""

    record: ModelRecord
    model: RankingModel


class ModelSource(Protocol):
    """Port: the published models."""

    def fingerprint(self) -> object:
        """Return a value that changes when another model is published; cheap enough to poll."""

    def candidates(self) -> Sequence[ModelRecord]:
        """The published model, then those that serve if it cannot be loaded, best first. Empty if there is none.

        Raises InvalidArtifact, ModelUnavailable.
        """

    def rolled_back(self) -> Sequence[ModelRecord]:
        """The versions that a rollback replaced, and that were not active since. Raises as `candidates` does."""

    def fetch(self, candidate: ModelRecord) -> PublishedModel:
        """Load one of `candidates`. Raises InvalidArtifact, ModelUnavailable, UnknownVersion if it was removed."""

    def channel_record(self, channel: Channel, served: ModelRecord) -> ModelRecord:
        """The version that a channel ranks with beside a served one.

        full        the full training that is served, or whose weights are
        continuous  the newest weights over this one that no rollback replaced; without any, this one

        Raises InvalidArtifact, UnknownVersion if the source has no channels.
        """

    def fetch_version(self, version: str) -> PublishedModel:
        """Load a version that does not serve and was not rejected. Raises as `fetch` does."""
