"""Draws which tags and words the users of a synthetic feed mute.

A user does so just after a visit in which they only viewed a post, and has no later event with the tag or word.
"""

from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.control import Control
from app.domain.feed.dataset import EventColumns, PostColumns, UserColumns, time_of
from app.domain.words import normal_tag, split_words
from data.synthetic.controls import MAX_DELAY_MS, last_rows, only_viewed

_TAG_SHARE: Final = 0.03  # of the last visits to posts with a tag
_WORD_SHARE: Final = 0.01  # of the last visits to a post
_MAX_MUTES: Final = 500  # muted tags of a feed, and muted words
_MIN_LETTERS: Final = 7  # of a muted word: most words about a topic are long

Targets = list[tuple[int, dict[str, str]]]
"""Rows of events, each with the field and value of the control that follows it."""


def make_mutes(
    rng: np.random.Generator, users: UserColumns, posts: PostColumns, events: EventColumns
) -> list[Control]:
    """The muted tags and words of all users; the same state of `rng` gives the same ones."""
    author = posts.author[events.post]
    controls = []
    for row, target in _tags(rng, posts, events, author) + _words(rng, posts, events, author):
        delay_us = int(rng.integers(1_000, MAX_DELAY_MS)) * 1000
        time_us = min(int(events.time_us[row]) + delay_us, int(events.time_us[-1]))
        user = UUID(bytes=users.key[events.user[row]].tobytes())
        action = "mute_tag" if "tag" in target else "mute_word"
        controls.append(Control(user, action, created_at=time_of(time_us), **target))  # type: ignore[arg-type]
    return controls


def _tags(
    rng: np.random.Generator, posts: PostColumns, events: EventColumns, author: NDArray[np.int32]
) -> Targets:
    """Tags after whose mute the user has no event with a post that has the tag."""
    of_post = [tuple(map(normal_tag, tags)) for tags in posts.tags]
    names = sorted({name for tags in of_post for name in tags})
    numbers = {name: number for number, name in enumerate(names)}
    tags_of_post = [[numbers[name] for name in tags] for tags in of_post]
    count = np.array(list(map(len, tags_of_post)), np.int64)
    first = np.cumsum(count) - count
    tags = np.array([number for one in tags_of_post for number in one], np.int64)
    # one entry for each event and tag of its post
    event = np.arange(len(events)).repeat(count[events.post])
    place = np.arange(len(event)) - (np.cumsum(count[events.post]) - count[events.post])[event]
    tag = tags[first[events.post[event]] + place]
    last = last_rows(events.user[event].astype(np.int64) * len(names) + tag)
    last = last[np.isin(event[last], only_viewed(event[last], events, author))]
    last = _some(rng, last, _TAG_SHARE)
    return [(int(event[entry]), {"tag": names[tag[entry]]}) for entry in last.tolist()]


def _words(
    rng: np.random.Generator, posts: PostColumns, events: EventColumns, author: NDArray[np.int32]
) -> Targets:
    """Words after whose mute the user has no event with a post whose text has the word."""
    visits = only_viewed(last_rows(events.user.astype(np.int64) * len(posts) + events.post), events, author)
    visits = _some(rng, visits, _WORD_SHARE)
    by_user = np.argsort(events.user, kind="stable")
    users = events.user[by_user]
    targets: Targets = []
    for row in visits.tolist():
        of_user = by_user[slice(*np.searchsorted(users, [events.user[row], events.user[row] + 1]))]
        later = np.unique(events.post[of_user[of_user > row]]).tolist()
        kept = {word for post in later for word in split_words(posts.text[post])}
        words = [word for word in split_words(posts.text[events.post[row]]) if len(word) >= _MIN_LETTERS]
        if words := sorted(set(words) - kept):
            targets.append((row, {"word": words[rng.integers(len(words))]}))
    return targets


def _some(rng: np.random.Generator, rows: NDArray[np.intp], share: float) -> NDArray[np.intp]:
    """A share of the rows, at most _MAX_MUTES."""
    return rng.permutation(rows)[: min(round(share * len(rows)), _MAX_MUTES)]
