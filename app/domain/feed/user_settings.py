"""The settings, audiences and interests of the users of a dataset."""

from collections import defaultdict
from collections.abc import Iterator
from uuid import UUID

import numpy as np

from app.domain.entities.user import User
from app.domain.feed.dataset import FeedDataset


def user_settings(dataset: FeedDataset) -> Iterator[User]:
    """The users of a dataset who have other settings than the default, are members of an audience, or have interests.

    Interests in unknown authors are omitted.
    """
    users = dataset.users
    audiences: defaultdict[int, list[str]] = defaultdict(list)
    for row, audience_id in zip(
        dataset.memberships.user.tolist(), dataset.memberships.audience_id, strict=True
    ):
        audiences[row].append(audience_id)
    tags, authors = defaultdict[int, list[str]](list), defaultdict[int, list[UUID]](list)
    interests = dataset.interests
    known = set(users.key.tolist()) if any(interests.author) else set()
    for row, tag, author in zip(interests.user.tolist(), interests.tag, interests.author, strict=True):
        if tag is not None:
            tags[row].append(tag)
        elif author is not None and author.bytes in known:
            authors[row].append(author)
    differs = np.zeros(len(users), np.bool_)
    differs[[*audiences, *tags, *authors]] = True
    if users.discoverable is not None:
        differs |= ~users.discoverable
    if users.personalised is not None:
        differs |= ~users.personalised
    if users.show_sensitive is not None:
        differs |= users.show_sensitive
    if users.languages is not None:
        differs |= np.array([bool(languages) for languages in users.languages], np.bool_)
    for row in differs.nonzero()[0].tolist():
        yield User(
            UUID(bytes=users.key[row].tobytes()),
            users.external_id[row],
            discoverable=users.discoverable is None or bool(users.discoverable[row]),
            personalised=users.personalised is None or bool(users.personalised[row]),
            show_sensitive=users.show_sensitive is not None and bool(users.show_sensitive[row]),
            languages=() if users.languages is None else users.languages[row],
            audiences=tuple(audiences[row]),
            tags=tuple(tags[row]),
            authors=tuple(authors[row]),
        )
