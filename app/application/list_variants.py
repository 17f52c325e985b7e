"""The variants of experiments that rank a list."""

from app.application.feed_list import FeedList
from app.application.feed_query import FeedQuery
from app.application.live_feed import LiveFeed
from app.application.running_experiments import NO_VARIANTS, Variants


def variants_of(query: FeedQuery, feed: LiveFeed, user: int, kept_list: FeedList | None = None) -> Variants:
    """The variants of the list that a request begins or continues.

    A list keeps those that it began with: they are in the cursor, or in `kept_list`, which an offset continues. A new
    list has those that the request forces, or those of the user. A user without personalised ranking (`user` is a row)
    takes no part. The caller holds the lock of the feed. Raises UnknownVariant.
    """
    running, request = feed.ranker.experiments, query.request
    if request.variants is not None:
        forced = running.checked(request.variants)
        return forced if request.mode == "ranked" else NO_VARIANTS
    if not running.experiments or request.mode != "ranked":
        return NO_VARIANTS
    if user >= 0 and not feed.state.visibility.is_personalised(user):
        return NO_VARIANTS
    if query.cursor is not None:
        return running.of_ids(query.cursor.variant_ids)
    if kept_list is not None:
        return running.still_running(kept_list.variants)
    return running.assigned(query.user_id, query.now.timestamp())
