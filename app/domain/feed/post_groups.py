"""Threads and reposts: groups of posts of which a page shows one."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.array_tree import ArrayTree, array_of, check, check_range, group_of, key_array
from app.domain.feed.dataset import KEY_DTYPE
from app.domain.feed.post_settings import PostSettings
from app.domain.feed.ragged import grow

NO_GROUP: Final = -1

Rows = NDArray[np.integer[Any]]
Codes = NDArray[np.int32]


class PostGroups:
    """The thread of each post row, and the original that it is or reposts, as codes of first use.

    thread    equal for all posts of a thread, NO_GROUP for a post without replies
    original  equal for a post and its reposts, NO_GROUP for a post without reposts
    """

    def __init__(self) -> None:
        self.thread = np.zeros(0, np.int32)
        self.original = np.zeros(0, np.int32)
        self._thread_codes: dict[bytes, int] = {}  # by UUID bytes of the root
        self._original_codes: dict[bytes, int] = {}  # by UUID bytes of the original

    @property
    def arrays(self) -> tuple[Codes, ...]:
        """`thread` and `original`; nothing while no post has a group."""
        return (self.thread, self.original) if self._thread_codes or self._original_codes else ()

    def heads(self, rows: Rows, keys: Sequence[bytes]) -> tuple[frozenset[UUID], frozenset[UUID]]:
        """The roots of the threads of the posts `rows`, and their originals; a post without a group is its own.

        `keys` are the UUIDs of the posts.
        """
        return _heads(self.thread, self._thread_codes, rows, keys), _heads(
            self.original, self._original_codes, rows, keys
        )

    def ensure_rows(self, posts: int) -> None:
        """Make post rows addressable; new ones have no group."""
        self.thread, self.original = grow(self.thread, posts, NO_GROUP), grow(self.original, posts, NO_GROUP)

    def set_posts(
        self, rows: Rows, keys: Sequence[bytes], settings: PostSettings, row_of: Callable[[bytes], int | None]
    ) -> None:
        """Set the groups of the posts `rows` with the UUIDs `keys`; `row_of` returns the row of a known post."""
        _set(self.thread, self._thread_codes, rows, keys, settings.root_id, row_of)
        _set(self.original, self._original_codes, rows, keys, settings.repost_of, row_of)

    def clear_posts(self, rows: Rows) -> None:
        """Take the posts `rows` out of their groups."""
        self.thread[rows] = self.original[rows] = NO_GROUP

    def forget_unused(self) -> None:
        """Forget the groups to which no post belongs, and number the others again."""
        self.thread, self._thread_codes = _used(self.thread, self._thread_codes)
        self.original, self._original_codes = _used(self.original, self._original_codes)

    def array_tree(self, posts: int) -> ArrayTree:
        """The groups of the first `posts` rows, and the heads of all groups (see `from_tree`)."""
        return {
            "thread": {"code": self.thread[:posts], "head": partial(key_array, list(self._thread_codes))},
            "original": {
                "code": self.original[:posts],
                "head": partial(key_array, list(self._original_codes)),
            },
        }

    @classmethod
    def from_tree(cls, tree: ArrayTree, posts: int) -> "PostGroups":
        """The inverse of `array_tree`, for so many rows. Raises ValueError."""
        groups = cls()
        groups.thread, groups._thread_codes = _from_tree(group_of(tree, "thread"), posts, "thread")
        groups.original, groups._original_codes = _from_tree(group_of(tree, "original"), posts, "original")
        return groups


def _set(
    groups: Codes,
    codes: dict[bytes, int],
    rows: Rows,
    keys: Sequence[bytes],
    heads: Sequence[UUID | None],
    row_of: Callable[[bytes], int | None],
) -> None:
    """Give the posts `rows` the group of their head: a thread's root, or a repost's original; the head joins as well.

    A head that is unknown joins the group when it arrives.
    """
    for head in {head.bytes for head in heads if head is not None}:
        if head not in codes:
            codes[head] = len(codes)
            if (row := row_of(head)) is not None and groups[row] == NO_GROUP:
                groups[row] = codes[head]
    groups[rows] = [
        codes.get(key, NO_GROUP) if head is None else codes[head.bytes]
        for key, head in zip(keys, heads, strict=True)
    ]


def _heads(groups: Codes, codes: Mapping[bytes, int], rows: Rows, keys: Sequence[bytes]) -> frozenset[UUID]:
    heads = list(codes)  # in the order of their codes
    return frozenset(
        UUID(bytes=key if code == NO_GROUP else heads[code])
        for code, key in zip(groups[rows].tolist(), keys, strict=True)
    )


def _used(groups: Codes, codes: Mapping[bytes, int]) -> tuple[Codes, dict[bytes, int]]:
    """`groups` by post and `codes` by head, without the groups that no post has."""
    used = set(groups.tolist())
    heads = [head for head, code in codes.items() if code in used]
    new_code = np.full(len(codes) + 1, NO_GROUP, np.int32)  # the last one is of NO_GROUP
    new_code[[codes[head] for head in heads]] = np.arange(len(heads))
    return new_code[groups], {head: code for code, head in enumerate(heads)}


def _from_tree(tree: ArrayTree, posts: int, name: str) -> tuple[Codes, dict[bytes, int]]:
    groups, heads = array_of(tree, "code", np.int32), array_of(tree, "head", KEY_DTYPE).tolist()
    check(len(groups) >= posts, f"{name}: values of posts are missing")
    check_range(groups, NO_GROUP, len(heads), name)
    return groups, {head: code for code, head in enumerate(heads)}
