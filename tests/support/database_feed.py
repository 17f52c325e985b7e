"""A small feed to load."""

from dataclasses import replace
from typing import Any

import numpy as np

from app.domain.feed.dataset import (
    NO_TIME,
    EventColumns,
    FeedDataset,
    FollowColumns,
    PostColumns,
    UserColumns,
    microseconds,
    uuid_keys,
)
from app.domain.ids import post_uuid, user_uuid
from tests.support.storage_under_test import NOON

ODD = 'tab\t newline\n return\r backslash \\ \\N quote " {brace, comma} \U0001f600'


def small_feed(**events: Any) -> FeedDataset:
    """Three users, two posts, two follows and four events, a second apart; `events` replaces columns of the events."""
    users, posts = ["anna", "bert", "zoë"], ["first", ODD]
    noon = microseconds(NOON)
    return FeedDataset(
        UserColumns(
            key=uuid_keys(map(user_uuid, users)),
            external_id=users,
            username=["Anna", None, ODD],
            follower_count=np.array([3, -1, 0]),
            created_us=np.array([noon, NO_TIME, noon]),
        ),
        PostColumns(
            key=uuid_keys([post_uuid("first"), post_uuid("odd")]),
            external_id=posts,
            author=np.array([0, -1], np.int32),
            created_us=np.array([noon, noon + 250_000]),
            visible=np.array([True, False]),
            seq=np.arange(2),
            text=["", ODD],
            tags=[(), ("plain", ODD, "")],
            like_count=np.array([1, -1]),
            comment_count=np.array([-1, 2]),
        ),
        FollowColumns(
            follower=np.array([0, 1], np.int32),
            followee=np.array([1, 0], np.int32),
            since_us=np.array([NO_TIME, noon]),
        ),
        replace(
            EventColumns(
                user=np.array([0, 1, 2, 1], np.int32),
                post=np.array([0, 0, 1, 1], np.int32),
                kind=np.array([0, 2, 4, 3], np.uint8),
                time_us=noon + np.arange(4) * 1_000_000,
                seq=np.zeros(4, np.int64),
                event_id=np.frombuffer(bytes(range(64)), "V16"),
                metadata=np.array(["{}", "{}", '{"source": "back\\\\slash\\ttab"}', "{}"], np.object_),
            ),
            **events,
        ),
    )
