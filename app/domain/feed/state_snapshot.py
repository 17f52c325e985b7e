"""The snapshot of a feed state: plain data that the artefact of a model stores."""

from dataclasses import asdict
from typing import Any

from app.domain.feed.controls import FeedControls
from app.domain.feed.decayed_counters import DecayedCounters
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.external_ids import ExternalIds
from app.domain.feed.impressions import FeedImpressions
from app.domain.feed.ragged import RaggedArray
from app.domain.feed.row_checksums import RowChecksums
from app.domain.feed.state import FeedState
from app.domain.feed.visibility import FeedVisibility

_POST_COLUMNS = (
    "created",
    "author",
    "topic",
    "visible",
    "seq",
    "text",
    "engagements",
    "last_engaged",
)
# key in the artefact -> attribute
_COUNTERS = {"heat": "post_counters", "strong_heat": "strong_counters", "author_heat": "author_counters"}
_RAGGED = {
    "histories": "events_by_user",
    "audiences": "users_by_post",
    "authored": "posts_by_author",
    "follows": "follows",
}


def to_snapshot(state: FeedState) -> dict[str, Any]:
    """The state as dicts, lists and arrays, which the artefact of a model stores (see `from_snapshot`)."""
    posts = state.n_posts
    return {
        "counting": None if state.counting is None else asdict(state.counting),
        "user_keys": list(state.user_rows.items()),
        "post_keys": list(state.post_rows.items()),
        "n_users": state.n_users,
        "n_events": state.n_events,
        "post_ids": list(state.post_ids),
        "external_ids": list(state.external_ids),
        "users_by_external_id": state.users_by_external_id.items(),
        "posts_by_external_id": state.posts_by_external_id.items(),
        "topic_ids": dict(state.topic_ids),
        "columns": {name: getattr(state, name)[:posts].copy() for name in _POST_COLUMNS}
        | {"by_created": state.by_created.copy()},
        "followers": state.followers[: state.n_users].copy(),
        "accounts_created": state.accounts_created[: state.n_users].copy(),
        "controls": state.controls.snapshot(),
        "post_words": state.post_words.words.to_arrays(),
        "post_tags": state.post_words.tags.to_arrays(),
        "impressions": state.impressions.snapshot(),
        "visibility": state.visibility.snapshot(state.n_users, posts),
        "heat": {key: getattr(state, name).to_arrays() for key, name in _COUNTERS.items()},
        "rows": {key: getattr(state, name).to_arrays() for key, name in _RAGGED.items()},
        "row_checksums": None if state.checksums is None else state.checksums.snapshot(),
    }


def from_snapshot(saved: dict[str, Any]) -> FeedState:
    """The inverse of `to_snapshot`."""
    state = FeedState(None if saved["counting"] is None else CountingRule(**saved["counting"]))
    state.user_rows, state.post_rows = dict(saved["user_keys"]), dict(saved["post_keys"])
    state.n_users, state.n_posts = saved["n_users"], len(saved["post_ids"])
    state.n_events = saved["n_events"]
    state.post_ids, state.external_ids = list(saved["post_ids"]), list(saved["external_ids"])
    state.knows_external_ids = "users_by_external_id" in saved  # false for a snapshot of an earlier version
    state.users_by_external_id = ExternalIds.from_items("user", saved.get("users_by_external_id", ()))
    state.posts_by_external_id = ExternalIds.from_items("post", saved.get("posts_by_external_id", ()))
    state.topic_ids = dict(saved["topic_ids"])
    for name in _POST_COLUMNS:
        setattr(state, name, saved["columns"][name].copy())
    state.sort_posts(saved["columns"]["by_created"])
    state.largest_engagement = int(state.engagements.max(initial=0))
    state.followers = saved["followers"].copy()
    state.accounts_created = saved["accounts_created"].copy()
    state.controls = FeedControls.from_snapshot(saved["controls"])
    state.post_words.words = RaggedArray.from_arrays(saved["post_words"])
    state.post_words.tags = RaggedArray.from_arrays(saved["post_tags"])
    state.impressions = FeedImpressions.from_snapshot(saved["impressions"])
    state.visibility = FeedVisibility.from_snapshot(saved["visibility"])
    for key, name in _COUNTERS.items():
        setattr(state, name, DecayedCounters.from_arrays(saved["heat"][key]))
    for key, name in _RAGGED.items():
        setattr(state, name, RaggedArray.from_arrays(saved["rows"][key]))
    if (checksums := saved.get("row_checksums")) is not None:  # earlier versions stored none
        state.checksums = RowChecksums.from_snapshot(checksums)
    return state
