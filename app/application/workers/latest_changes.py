"""Which change of each key is the latest."""

from collections import OrderedDict
from collections.abc import Hashable

_MAX_KEYS = 100_000  # by then the log has returned the change


class LatestChanges:
    """Changes of keys arrive from this process at once, and from the log, which may have been read before them.

    Of two changes of a key, the one with the larger number in the outbox is later.
    """

    def __init__(self) -> None:
        # number of the last change that was applied, by key; a dict takes ever longer to find its first key
        self._seqs: OrderedDict[Hashable, int] = OrderedDict()

    def number_of(self, key: Hashable) -> int:
        """The number of the latest change of a key that is known, else 0."""
        return self._seqs.get(key, 0)

    def accepts(self, key: Hashable, seq: int | None) -> bool:
        """Remember the number. False if a later change of the key was applied already. None: it was so before."""
        if seq is None:
            return True
        latest = max(seq, self._seqs.pop(key, 0))
        self._seqs[key] = latest
        if len(self._seqs) > _MAX_KEYS:
            self._seqs.popitem(last=False)
        return seq == latest
