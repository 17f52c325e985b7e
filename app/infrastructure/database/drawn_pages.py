"""Reads the pages that were drawn at random, and what users did with their posts, from the database."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.infrastructure.database.sql_repository import SqlRepository

# A page that the response cache served again is one page. An event names the request of one of its rows.
_PAGES = """
WITH page AS (
    SELECT user_id, time, array_agg(request_id) AS requests, min(posts) AS posts, min(probability) AS probability
    FROM {impression} WHERE probability IS NOT NULL AND time < %(until)s GROUP BY user_id, time
)
SELECT user_id, time, posts, probability, ARRAY(
    SELECT (SELECT count(*) FROM {user_interaction} e JOIN {feed_posts} p ON p.id = e.post_id
        WHERE e.user_id = page.user_id AND e.request_id = ANY (page.requests) AND p.seq = place.post
        AND e.interaction_type = ANY (%(metrics)s))
    FROM unnest(posts) WITH ORDINALITY AS place (post, number) ORDER BY number
)
FROM page ORDER BY time, user_id
"""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPage:
    """A page of n places that was drawn at random.

    posts          (n,) numbers of the posts
    probabilities  (n,) of each place given those above
    events         (n,) number of events of some types, of the user with the post, that name a request of the page
    """

    user_id: UUID
    shown_at: datetime
    posts: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    events: NDArray[np.float64]


class SqlDrawnPages(SqlRepository):
    """The rows of `impression` with probabilities."""

    def read(self, metrics: Collection[str], until: datetime) -> list[DrawnPage]:
        """The pages before a time, oldest first; `metrics` are types of events. Raises StorageUnavailable."""
        parameters = {"metrics": list(metrics), "until": until}
        with self.transaction(snapshot=True) as connection:
            rows = connection.exec_driver_sql(_PAGES.format_map(self.schema), parameters).all()
        return [
            DrawnPage(
                user, at, np.array(posts, np.int64), np.array(drawn, np.float64), np.array(events, np.float64)
            )
            for user, at, posts, drawn, events in rows
        ]
