"""Generate the first pages of several users, such as for a digest by mail."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.application.dto import RecommendationRequest, RecommendationResponse
from app.application.use_cases.generate_recommendations import GenerateRecommendations
from app.application.use_cases.returning_user import ReturningUser
from app.application.use_cases.unfinished_page import UnfinishedPage


@dataclass(frozen=True, slots=True)
class RecommendBatch:
    """Pages of one time, which share the inputs of posts. They do not count as shown, and no page follows them."""

    recommend: GenerateRecommendations

    def __call__(
        self, user_ids: Sequence[str], limit: int
    ) -> Iterator[RecommendationResponse | UnfinishedPage | ReturningUser]:
        """One page for each user in order, which is made when it is asked for. Raises InvalidId."""
        for user_id in user_ids:
            self.recommend.feed.user_id(user_id)
        return self._pages(user_ids, limit)

    def _pages(
        self, user_ids: Sequence[str], limit: int
    ) -> Iterator[RecommendationResponse | UnfinishedPage | ReturningUser]:
        now = self.recommend.clock.now()
        for user_id in user_ids:
            request = RecommendationRequest(user_id, limit, record=False, single_page=True)
            yield self.recommend.at(request, now)
