"""One page of a feed that was shown to a user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.domain.entities.reason import Reason


@dataclass(frozen=True, slots=True)
class Impression:
    """A page: `posts` and `reasons` have one entry for each place.

    request_id     of the response; a client may use one id for several
    shown_at       aware time at which the page was made
    model_version  None without a model
    posts          numbers of the posts (`Post.seq`)
    variants       of the experiments in which the page counts, by experiment
    teams          the team of each place of an interleaved page (see `team_draft`), else empty
    degraded       a part (model, database) was missing
    slow           it took longer than SLOW_PAGE_MS
    failed_variants  of experiments, by experiment: the page counts for them, but the served ranking ranked it
    probabilities  of each place given those above, if the page was drawn at random, else empty
    known_user     false for new visitors, whom the service knows from their first event on
    """

    request_id: str
    user_id: UUID
    shown_at: datetime
    mode: str
    model_version: str | None
    posts: Sequence[int]
    reasons: Sequence[Reason]
    known_user: bool = True
    variants: Mapping[str, str] = field(default_factory=dict)
    teams: Sequence[int] = ()
    degraded: bool = False
    slow: bool = False
    failed_variants: Mapping[str, str] = field(default_factory=dict)
    probabilities: Sequence[float] = ()
