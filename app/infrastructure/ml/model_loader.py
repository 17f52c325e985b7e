"""The served model: the content of an artefact as objects."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.errors import InvalidArtifact
from app.domain.feed.array_tree import key_array
from app.domain.feed.embeddings import with_length
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.list_limits import ListLimits
from app.domain.feed.state import FeedState
from app.domain.feed.trending_posts import TrendingPosts
from app.domain.ranking.assembly import ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.input_stability import InputDistribution, InputStability
from app.domain.ranking.model_interface import NO_CHANGES
from app.domain.ranking.options import FormulaWeights, RankingOptions
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.ranking.simple_rankings import FORMULA, LEARNED
from app.domain.repositories.feed_log import LogPosition
from app.domain.services.stage_observer import StageObserver
from app.infrastructure.ml.artefact_structure import check_structure, check_weights
from app.infrastructure.ml.collaborative_filter import (
    MAX_COMPARED_EVENTS,
    CollaborativeFilter,
    NeighbourRecommender,
)
from app.infrastructure.ml.content_scorer import TextSpace
from app.infrastructure.ml.earlier_format import in_present_format
from app.infrastructure.ml.embedding_projection import EmbeddingProjection

FORMAT = 7
_EARLIER_FORMAT = 6  # with the whole feed in place of the trending posts


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """A trained model. Its size does not depend on the length of the log.

    user_keys, post_keys  UUIDs (16 bytes) of the rows and columns of the filter's matrix, in order
    choice_model          None if a simple ranking serves
    trending              the feed of a service that has neither a database nor a snapshot
    sizes                 numbers of `users`, `posts` and counted `interactions` of the feed that it was trained on
    position              position in the log after this feed; None for a feed that was read from files
    figures               results of the evaluation
    embedding_projection  None for a model of a feed without embeddings
    inputs                distribution of the choice model's inputs in training; None in models of earlier versions
    simple_ranking        a name of SIMPLE_RANKINGS; it serves without a `choice_model`
    """

    options: RankingOptions
    user_keys: list[bytes]
    post_keys: list[bytes]
    collaborative_filter: CollaborativeFilter
    text_space: TextSpace
    choice_model: ChoiceModel | None
    trending: TrendingPosts
    sizes: dict[str, int]
    position: LogPosition | None
    figures: dict[str, Any]
    simple_ranking: str = FORMULA
    inputs: InputDistribution | None = None
    embedding_projection: EmbeddingProjection | None = None

    def to_artifact(self) -> dict[str, Any]:
        """The content of the artefact: dicts, lists, arrays, one CSR matrix and one scikit-learn estimator."""
        artifact = {
            "format": FORMAT,
            "options": asdict(self.options),
            "user_keys": self.user_keys,
            "post_keys": self.post_keys,
            "matrix": self.collaborative_filter.matrix,
            "neighbours": self.collaborative_filter.model,
            "text": asdict(self.text_space),
            "choice": None if self.choice_model is None else asdict(self.choice_model),
            "trending": asdict(self.trending),
            "sizes": self.sizes,
            "position": None if self.position is None else asdict(self.position),
            "figures": self.figures,
            "simple_ranking": self.simple_ranking,
            "inputs": None if self.inputs is None else asdict(self.inputs),
        }
        if self.embedding_projection is not None:
            artifact["embedding"] = asdict(self.embedding_projection)
        return artifact

    @classmethod
    def from_artifact(cls, artifact: Mapping[str, Any]) -> "ServedModel":
        """The model of an artefact. Raises InvalidArtifact if this version cannot serve its content."""
        try:
            if artifact["format"] == _EARLIER_FORMAT:
                artifact = in_present_format(artifact)
            elif artifact["format"] != FORMAT:
                raise InvalidArtifact(
                    f"the artefact has another format than {FORMAT}, which this service reads: train again"
                )
            check_structure(artifact)
            options = dict(artifact["options"])
            options["counting"] = CountingRule(**options["counting"])
            options["lists"] = ListLimits(**options.get("lists", {}))  # an earlier version wrote none
            options["formula"] = FormulaWeights(**options["formula"])
            return cls(
                options=RankingOptions(**options),
                user_keys=artifact["user_keys"],
                post_keys=artifact["post_keys"],
                collaborative_filter=CollaborativeFilter(artifact["matrix"], artifact["neighbours"]),
                text_space=TextSpace(**artifact["text"]),
                choice_model=ChoiceModel(**artifact["choice"]) if artifact["choice"] else None,
                trending=TrendingPosts(**artifact["trending"]),
                sizes=dict(artifact["sizes"]),
                position=LogPosition(**artifact["position"]) if artifact["position"] else None,
                figures=artifact["figures"],
                simple_ranking=artifact.get("simple_ranking", FORMULA),  # earlier versions wrote none
                inputs=InputDistribution(**inputs)
                if (inputs := artifact.get("inputs"))
                else None,  # nor these
                embedding_projection=EmbeddingProjection(**artifact["embedding"])
                if "embedding" in artifact
                else None,
            )
        except (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError) as error:
            raise InvalidArtifact(
                "the artefact lacks a part or has one of another shape; train again"
            ) from error

    def with_weights(self, artifact: Mapping[str, Any]) -> "ServedModel":
        """This model with the weights of an artefact that holds nothing else.

        Raises InvalidArtifact if they are those of other inputs, or of a model that has no weights.
        """
        check_weights(artifact)
        weights = ChoiceModel(**artifact["choice"])
        if self.choice_model is None or self.choice_model.names != weights.names:
            raise InvalidArtifact("the weights are not of the inputs of their base; train again")
        return replace(self, choice_model=weights)

    @property
    def ranking(self) -> str:
        return self.simple_ranking if self.choice_model is None else LEARNED

    @property
    def text_space_id(self) -> str:
        text = self.text_space.digest()
        return text if self.embedding_projection is None else text + self.embedding_projection.digest()

    def trending_state(self) -> FeedState:
        try:
            return self.trending.to_state(self.options.counting, self.options.lists)
        except (ValueError, IndexError, TypeError) as error:
            raise InvalidArtifact("the artefact's trending posts do not fit together; train again") from error

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) float32 text vectors of length 1, or 0 for a text without a known word."""
        return self.text_space(texts)

    def project(self, embeddings: Sequence[NDArray[np.float16] | None]) -> NDArray[np.float16]:
        """As in RankingModel."""
        projection = self.embedding_projection
        if projection is None:
            return np.zeros((len(embeddings), 0), np.float16)
        return projection(with_length(embeddings, len(projection.mean)))

    def pipeline(
        self, state: FeedState, observer: StageObserver, changes: Mapping[str, Any] = NO_CHANGES
    ) -> FeedPipeline:
        """As in RankingModel."""
        options = replace(self.options, **changes) if changes else self.options
        users = state.user_rows.rows(key_array(self.user_keys)).astype(np.intp)
        recommender = NeighbourRecommender(
            self.collaborative_filter.without_users(np.flatnonzero(users < 0)),  # they were erased since
            users,
            state.post_rows.rows(key_array(self.post_keys)).astype(np.intp),
            self.options.kind_weights(),
            max_events=MAX_COMPARED_EVENTS,
        )
        try:
            pipeline = ranking_pipeline(
                options, recommender, self.choice_model, observer, self.simple_ranking
            )
        except ValueError as error:
            raise InvalidArtifact(str(error)) from error
        if self.choice_model is None or self.inputs is None:
            return pipeline
        return replace(pipeline, stability=InputStability(self.choice_model.names, self.inputs))
