"""Ids for events without an id: every read of the same file gives the same ids.

uuid5(NAMESPACE_URL, "event:USER|POST|TYPE|MICROSECONDS|NUMBER"): the UUIDs of user and post, the interaction
type, the original time as whole microseconds since the Unix epoch, and the event's number (from 0) among rows
that are equal in all of these, in the order of the file.
"""

from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import EventColumns, FeedDataset, uuid_keys


def event_ids(dataset: FeedDataset, events: EventColumns) -> NDArray[np.void]:
    """(n,) ``V16`` ids of `events`, some events of the dataset."""
    users = [str(UUID(bytes=key.tobytes())) for key in dataset.users.key]
    posts = [str(UUID(bytes=key.tobytes())) for key in dataset.posts.key]
    columns = {"user": events.user, "post": events.post, "kind": events.kind, "time_us": events.time_us}
    rows = pd.DataFrame(columns)
    rows["number"] = rows.groupby(list(columns), sort=False).cumcount()
    return uuid_keys(
        uuid5(
            NAMESPACE_URL, f"event:{users[user]}|{posts[post]}|{INTERACTION_TYPES[kind]}|{time_us}|{number}"
        )
        for user, post, kind, time_us, number in rows.itertuples(index=False)
    )
