"""Short-lived caches: lists, for paging by offset, and responses, for identical requests."""

from collections.abc import Callable, Hashable
from datetime import timedelta
from time import monotonic
from weakref import ReferenceType, ref

from app.application.dto import RecommendationResponse
from app.application.feed_list import TRUNCATED_LENGTH, FeedList
from app.application.feed_query import FeedQuery
from app.application.live_feed import LiveFeed
from app.application.ttl_cache import TtlCache
from app.domain.feed.state import FeedState

MAX_LISTED_POSTS = 6_000_000  # in all cached lists, 24 bytes each
MAX_RESPONSE_POSTS = 500_000  # in all cached responses, 100 bytes each
EXPLAINED_POST_WEIGHT = 40  # an explained post takes this many times the memory of another one


CachedResponse = tuple[RecommendationResponse, FeedList, Hashable]
"""A response, the list that it is a page of, and what it depends on."""


class ResponseCache:
    """Holds the last list of each user and options, and the responses that are pages of it. Not thread-safe."""

    def __init__(
        self,
        max_lists: int,
        list_ttl: timedelta,
        response_ttl: timedelta,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Create empty caches.

        max_lists     lists, and responses, that are cached
        list_ttl      time for which a list can be paged by offset
        response_ttl  time for which identical requests return the cached response, unless the user's events or
                      follows, any post, or the model changed. Events of other users are at most this old in a response.
        clock         seconds, which must not fall when the system clock is set back
        """
        self._clock = clock
        self._lists: TtlCache[FeedList] = TtlCache(list_ttl, max_lists, MAX_LISTED_POSTS)
        self._responses: TtlCache[CachedResponse] = TtlCache(response_ttl, max_lists, MAX_RESPONSE_POSTS)
        self._reuses = 0
        self._state: ReferenceType[FeedState] | None = None  # weak: a request must not free a large state

    def bind(self, state: FeedState) -> None:
        """Clear both caches if rows of posts mean others than at the last request: lists hold rows of one state."""
        known = None if self._state is None else self._state()
        if known is not state or self._reuses != state.reuses:
            self._lists.clear()
            self._responses.clear()
            self._state, self._reuses = ref(state), state.reuses

    def response(self, query: FeedQuery, validity: Hashable) -> RecommendationResponse | None:
        """Return the response to an identical request by offset, if its list and `validity` are unchanged."""
        if query.cursor is not None:
            return None
        now = self._clock()
        cached = self._responses.get(query.response_key, now)
        if cached is None:
            return None
        response, feed_list, validity_then = cached
        is_valid = validity_then == validity and self._lists.get(query.list_key, now) is feed_list
        return response if is_valid else None

    def feed_list(self, query: FeedQuery) -> FeedList | None:
        """Return the list that an offset continues; None for a first page and for a cursor."""
        if query.cursor is not None or not query.request.offset:
            return None
        return self._lists.get(query.list_key, self._clock())

    def put(
        self,
        query: FeedQuery,
        validity: Hashable,
        feed_list: FeedList,
        response: RecommendationResponse | None,
    ) -> None:
        """Cache the list, and the response if its list was ranked for it. A cursor's list is not cached.

        There is no response of a page with posts from storage, which may change there.
        """
        if query.cursor is not None:
            return
        now = self._clock()
        feed_list.truncate()
        weight = len(feed_list.listed.rows) + TRUNCATED_LENGTH
        self._lists.put(query.list_key, now, weight, feed_list)
        if response is not None and query.now == feed_list.started_at:
            weight = len(response.post_ids) * (EXPLAINED_POST_WEIGHT if query.request.explain else 1)
            self._responses.put(query.response_key, now, weight, (response, feed_list, validity))


def cache_validity(feed: LiveFeed, user: int, now: float) -> Hashable:
    """What a response to this user depends on, except for events of other users.

    `user` is a row of the state, -1 for an unknown user; `now` is in seconds. Equal values mean that a cached response
    is still valid.
    """
    state = feed.state
    posts = state.posts_version, state.published_count(now)  # a post is published when its time comes
    of_all = feed.ranker.model_version, feed.public_only, posts, state.retractions
    if user < 0:
        return of_all
    events, follows = state.event_count(user), state.follows.row(user)[0].tobytes()
    return of_all, user, events, follows, state.controls.changes[user], state.visibility.changes[user]
