"""A place in the order of time, newest first."""

from typing import Final, NamedTuple


class TimePosition(NamedTuple):
    """The posts after it are older, or as old and have a smaller number. Of two positions, the later one is smaller.

    created_us  microseconds since the Unix epoch
    seq         number of a post (`Post.seq`)
    """

    created_us: int
    seq: int

    @property
    def created(self) -> float:
        """Seconds, as the feed state has the creation times of posts."""
        return self.created_us / 1e6

    @classmethod
    def of(cls, created: float, seq: int) -> "TimePosition":
        """The position of a post of the feed state; the posts after it follow this post."""
        return cls(round(created * 1e6), seq)

    @classmethod
    def before_all(cls, created: float) -> "TimePosition":
        """The position that all posts of the time `created` (seconds), and all older ones, are after."""
        return cls.of(created, LARGEST_SEQ)


LARGEST_SEQ: Final = 2**63 - 1
