"""Draws who may see the posts of a synthetic feed: a private group, followers, languages and sensitive posts.

No user has an event with a post that they may not see.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import (
    EventColumns,
    FollowColumns,
    MembershipColumns,
    PostColumns,
    UserColumns,
)
from data.synthetic.population import People, Posts
from data.synthetic.texts import LANGUAGES

GROUP: Final = "group_1"
"""The id of the private group, whose members are mostly users of one community."""
_GROUP_SHARE: Final = 0.05  # of the posts of the community
_FOLLOWERS_ONLY_SHARE: Final = 0.25  # of the posts that only followers have events with
_SENSITIVE_SHARE: Final = 0.04  # of the posts with few events
_SHOW_SENSITIVE_SHARE: Final = 0.15
_DECLARED_SHARE: Final = 0.85  # of the posts
_ONE_LANGUAGE_SHARE: Final = 0.4  # of the users without an event in another language
_TWO_LANGUAGES_SHARE: Final = 0.2  # of the other users
_NOT_DISCOVERABLE_SHARE: Final = 0.5  # of the authors whom only followers have events with
_NOT_PERSONALISED_SHARE: Final = 0.02

Mask = NDArray[np.bool_]


class Audiences:
    """Draws the settings of posts and users; the same state of `rng` gives the same ones."""

    def __init__(
        self,
        rng: np.random.Generator,
        people: People,
        posts: Posts,
        follows: FollowColumns,
        events: EventColumns,
        language_of: NDArray[np.int64],
    ) -> None:
        self._rng, self._people, self._posts, self._events = rng, people, posts, events
        self._language_of = language_of
        n = len(people.activity)
        pairs = follows.follower.astype(np.int64) * n + follows.followee
        author = posts.author[events.post]
        self._without_follow = ~np.isin(events.user.astype(np.int64) * n + author, pairs) & (
            author != events.user
        )

    def restrict(
        self, users: UserColumns, posts: PostColumns, alone: Mask
    ) -> tuple[UserColumns, PostColumns, MembershipColumns]:
        """Add the settings. Only posts that are `alone`, without a thread or a repost, are not public."""
        rng, n_users, n_posts = self._rng, len(users), len(posts)
        in_group, members = self._group(alone)
        for_followers = alone & ~in_group & ~self._any(self._events.post, self._without_follow, n_posts)
        for_followers &= rng.random(n_posts) < _FOLLOWERS_ONLY_SHARE
        count = np.bincount(self._events.post, minlength=n_posts)
        sensitive = (count <= np.quantile(count, 0.25)) & (rng.random(n_posts) < _SENSITIVE_SHARE)
        declared = rng.random(n_posts) < _DECLARED_SHARE
        language = self._language_of[self._posts.author]
        author_of_event = self._posts.author[self._events.post]
        known_to_followers = ~self._any(author_of_event, self._without_follow, n_users)
        known_to_followers &= np.bincount(self._posts.author, minlength=n_users) > 0
        saw_sensitive = self._any(self._events.user, sensitive[self._events.post], n_users)
        return (
            replace(
                users,
                discoverable=~(known_to_followers & (rng.random(n_users) < _NOT_DISCOVERABLE_SHARE)),
                personalised=rng.random(n_users) >= _NOT_PERSONALISED_SHARE,
                show_sensitive=saw_sensitive | (rng.random(n_users) < _SHOW_SENSITIVE_SHARE),
                languages=self._languages(np.where(declared, language, -1)),
            ),
            replace(
                posts,
                visibility=np.select([in_group, for_followers], ["members", "followers"], "public").tolist(),
                audience_id=[GROUP if one else None for one in in_group.tolist()],
                language=[
                    LANGUAGES[code] if given else None
                    for code, given in zip(language.tolist(), declared.tolist(), strict=True)
                ],
                sensitive=sensitive,
            ),
            MembershipColumns(members.astype(np.int32), [GROUP] * len(members)),
        )

    def _group(self, alone: Mask) -> tuple[Mask, NDArray[np.intp]]:
        """(n_posts,) the posts of the group, those with the fewest events of others, and the rows of its members."""
        communities, home, events = self._posts.community, self._people.communities[:, 0], self._events
        community = np.bincount(communities).argmax()
        candidates = np.flatnonzero(alone & (communities == community))
        by_others = np.bincount(events.post[home[events.user] != community], minlength=len(alone))
        order = np.argsort(by_others[candidates], kind="stable")
        in_group = np.zeros(len(alone), np.bool_)
        in_group[candidates[order[: round(_GROUP_SHARE * len(candidates))]]] = True
        active = events.user[in_group[events.post]]
        return in_group, np.unique(
            np.concatenate([np.flatnonzero(home == community), active, self._posts.author[in_group]])
        )

    def _languages(self, language: NDArray[np.int64]) -> list[tuple[str, ...]]:
        """The languages that each user reads, () for all, for (n_posts,) languages of posts, -1 undeclared."""
        n = len(self._language_of)
        of_event, own = language[self._events.post], self._language_of[self._events.user]
        reads_others = self._any(self._events.user, (of_event >= 0) & (of_event != own), n)
        draws = self._rng.random(n)
        one = ~reads_others & (draws < _ONE_LANGUAGE_SHARE)
        two = ~one & (draws > 1 - _TWO_LANGUAGES_SHARE)
        number = np.select([one, two], [1, 2], 0)
        return [
            (LANGUAGES[code], *LANGUAGES[:code], *LANGUAGES[code + 1 :])[:length]
            for code, length in zip(self._language_of.tolist(), number.tolist(), strict=True)
        ]

    @staticmethod
    def _any(rows: NDArray[np.integer], mask: Mask, n: int) -> Mask:
        """(n,) true for the rows of at least one event of `mask`."""
        return np.bincount(rows[mask], minlength=n) > 0
