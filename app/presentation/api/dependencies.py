"""What the API is made of: handed in by the composition root, found again by the endpoints."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from starlette.types import Scope

from app.application.dto.recommendation_request import RecommendationRequest
from app.application.dto.recommendation_response import RecommendationResponse
from app.application.use_cases.change_follow import Follow
from app.application.use_cases.change_membership import Membership
from app.application.use_cases.count_updates import Updates
from app.application.use_cases.explain_feed import ExplainFeed
from app.application.use_cases.get_health_status import HealthStatus
from app.application.use_cases.give_feedback import ActiveControl, Feedback
from app.application.use_cases.list_experiments import ExperimentOverview
from app.application.use_cases.rank_posts import RankPosts
from app.application.use_cases.report_seen import PostReach, SeenPosts
from app.application.use_cases.retract_interaction import Retraction
from app.application.use_cases.returning_user import ReturningUser
from app.application.use_cases.similar_posts import SimilarPosts
from app.application.use_cases.suggest_follows import SuggestFollows
from app.application.use_cases.track_interaction import TrackInteraction
from app.application.use_cases.unfinished_page import UnfinishedPage
from app.application.use_cases.user_data import UserData
from app.application.use_cases.write_entities import WriteEntities
from app.presentation.api.call_limits import CallLimits
from app.presentation.api.caller_address import Network
from app.presentation.api.server_guard import ServerLimits
from app.shared.api_keys import FindKey


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """How the API guards itself."""

    find_key: FindKey | None = None  # None: open to everyone
    metrics_need_key: bool = False
    limits: CallLimits = field(default_factory=CallLimits)
    trusted_proxies: Sequence[Network] = ()
    body_limit_bytes: int = 4 * 1024**2
    body_budget_seconds: float = 10.0
    track_concurrency: int = 8
    track_budget_seconds: float = 0.9
    retry_after_seconds: int = 5
    server: ServerLimits = field(default_factory=ServerLimits)
    max_wait_seconds: float = 0.25  # of feed requests for their turn; later ones are shed


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases. Those that rank answer from memory, in some milliseconds, as far as they can; the others wait."""

    recommend: Callable[[RecommendationRequest], RecommendationResponse | UnfinishedPage | ReturningUser]
    track: TrackInteraction
    retract: Callable[[Retraction], int]
    give_feedback: Callable[[Feedback], None]
    list_controls: Callable[[str], Sequence[ActiveControl]]
    change_follow: Callable[[Follow], None]
    change_membership: Callable[[Membership], None]
    entities: WriteEntities
    user_data: UserData
    explain: ExplainFeed
    list_experiments: Callable[[], Sequence[ExperimentOverview]]
    count_updates: Callable[[str, str], Updates]
    rank_posts: RankPosts
    similar_posts: SimilarPosts
    suggest_follows: SuggestFollows
    recommend_batch: Callable[
        [Sequence[str], int], Iterator[RecommendationResponse | UnfinishedPage | ReturningUser]
    ]
    report_seen: Callable[[SeenPosts], int]
    read_reach: Callable[[str], Sequence[PostReach]]
    health: Callable[[], HealthStatus]


def services_of(scope: Scope) -> Services:
    """The use cases of the running application."""
    services: Services = scope["app"].state.services
    return services
