"""The interests that users declared, for their feeds while they have few events."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.array_tree import ArrayTree, array_of, check, check_range, number_array
from app.domain.feed.post_words import PostWords
from app.domain.words import tag_codes

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Interests:
    """What one user declared: tags, as codes (see `app.domain.words`), and authors, as user rows."""

    tags: NDArray[np.uint32]
    authors: NDArray[np.int32]

    def match(self, words: PostWords, rows: Rows, authors: NDArray[np.int32]) -> NDArray[np.bool_]:
        """(n,) true for the posts `rows` with one of the tags, or by one of the authors; `authors` (n,) are theirs."""
        matches: NDArray[np.bool_] = np.isin(authors, self.authors)
        if len(self.tags):
            matches |= words.with_any_tag(rows, self.tags)
        return matches


NO_INTERESTS = Interests(np.empty(0, np.uint32), np.empty(0, np.int32))


class FeedInterests:
    """The interests by user row, of the users who declared some."""

    def __init__(self) -> None:
        self._by_user: dict[int, Interests] = {}

    def __len__(self) -> int:
        return len(self._by_user)

    def set_user(self, user: int, tags: Sequence[str], authors: Sequence[int]) -> None:
        """Make these the interests of a user row."""
        self._by_user.pop(user, None)
        if tags or authors:
            self._by_user[user] = Interests(tag_codes(tuple(tags)), np.array(authors, np.int32))

    def of(self, user: int) -> Interests:
        """The interests of a user row; none of an unknown user (-1)."""
        return self._by_user.get(user, NO_INTERESTS)

    def array_tree(self) -> ArrayTree:
        """The users, how many tags and authors each has, and these (see `from_tree`)."""
        every = list(self._by_user.values())
        return {
            "user": number_array(self._by_user),
            "n_tags": number_array(len(one.tags) for one in every),
            "n_authors": number_array(len(one.authors) for one in every),
            "tag": np.concatenate([NO_INTERESTS.tags, *(one.tags for one in every)]),
            "author": np.concatenate([NO_INTERESTS.authors, *(one.authors for one in every)]),
        }

    @classmethod
    def from_tree(cls, tree: ArrayTree, users: int) -> "FeedInterests":
        """The inverse of `array_tree`, for so many user rows. Raises ValueError."""
        rows, n_tags, n_authors = (array_of(tree, name, np.int64) for name in ("user", "n_tags", "n_authors"))
        tags, authors = array_of(tree, "tag", np.uint32), array_of(tree, "author", np.int32)
        check_range(rows, 0, users, "users with interests")
        check_range(authors, 0, users, "authors of interests")
        for counts, values in ((n_tags, tags), (n_authors, authors)):
            is_complete = (
                len(counts) == len(rows) and bool((counts >= 0).all()) and counts.sum() == len(values)
            )
            check(is_complete, "the interests do not belong to the users")
        made = cls()
        ends = n_tags.cumsum()[:-1], n_authors.cumsum()[:-1]
        parts = np.split(tags, ends[0]), np.split(authors, ends[1])
        made._by_user = dict(zip(rows.tolist(), map(Interests, *parts), strict=False))
        return made
