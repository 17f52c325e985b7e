"""A small feed to load."""

from dataclasses import replace
from typing import Any

import numpy as np

from app.domain.feed.dataset import uuid_keys
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.bulk_load import FeedTables, FollowRows, InteractionRows, PostRows, UserRows
from tests.support.storage_under_test import NOON

ODD = 'tab\t newline\n return\r backslash \\ \\N quote " {brace, comma} \U0001f600'


def small_feed(**interactions: Any) -> FeedTables:
    """Three users, two posts, two follows and four events, a second apart; `interactions` replaces columns."""
    users, posts = ["anna", "bert", "zoë"], ["first", ODD]
    noon = NOON.timestamp()
    events = InteractionRows(
        user=np.array([0, 1, 2, 1], np.int32),
        post=np.array([0, 0, 1, 1], np.int32),
        kind=np.array([0, 2, 4, 3], np.uint8),
        occurred=noon + np.arange(4.0),
        event_id=np.frombuffer(bytes(range(64)), "V16"),
        metadata={2: '{"source": "back\\\\slash\\ttab"}'},
    )
    return FeedTables(
        UserRows(
            key=uuid_keys(map(user_uuid, users)),
            external_id=users,
            created=np.array([noon, np.nan, noon]),
            username=["Anna", None, ODD],
            follower_count=[3, None, 0],
        ),
        PostRows(
            key=uuid_keys([post_uuid("first"), post_uuid("odd")]),
            external_id=posts,
            author=np.array([0, -1], np.int32),
            created=np.array([noon, noon + 0.25]),
            content=[None, ODD],
            tags=[(), ("plain", ODD, "")],
            visible=np.array([True, False]),
            like_count=[1, None],
            comment_count=[None, 2],
        ),
        FollowRows(
            follower=np.array([0, 1], np.int32),
            followee=np.array([1, 0], np.int32),
            since=np.array([np.nan, noon]),
        ),
        replace(events, **interactions),
    )
