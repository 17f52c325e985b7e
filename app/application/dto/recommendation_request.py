"""One request for recommendations, as the use case reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Mode = Literal["ranked", "following", "newest"]
"""The kind of feed: ranked by the active ranker, or in order of time, of followed authors or of all."""

Shown = Literal["sink", "exclude", "ignore"]
"""What happens to posts that were shown before without any engagement: they rank lower, are excluded, or neither."""


@dataclass(frozen=True, slots=True)
class RecommendationRequest:
    """Ids are as the caller gave them (see app.domain.ids). `request_id` identifies the response in impressions.

    Without `record`, nothing is stored of the page, and it does not count as shown. With `single_page`, no page follows
    it: it has no cursor, and its list is not kept for offsets. `variants` of experiments replace those of the user, and
    the page does not count in these experiments.
    """

    user_id: str
    limit: int = 50
    offset: int = 0
    cursor: str | None = None
    exclude_ids: Sequence[str] = ()
    exclude_seen: bool = True
    mode: Mode = "ranked"
    explain: bool = False
    shown: Shown = "sink"
    record: bool = True
    request_id: str = ""
    single_page: bool = False
    variants: Mapping[str, str] | None = None
