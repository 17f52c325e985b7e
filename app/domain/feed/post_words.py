"""The words and tags of all posts, for controls that mute them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.ragged import RaggedArray
from app.domain.words import tag_codes, word_codes

Rows = NDArray[np.intp]
Codes = NDArray[np.uint32]


class PostWords:
    """By post row: the codes of the words of its text, in order, and of its tags (see `app.domain.words`)."""

    def __init__(self) -> None:
        # a text rarely grows, so it has no spare capacity
        self.words = RaggedArray(np.uint32, longest=1)
        self.tags = RaggedArray(np.uint32, longest=1)

    def ensure_rows(self, rows: int) -> None:
        """Make rows 0..`rows` - 1 addressable."""
        self.words.ensure_rows(rows)
        self.tags.ensure_rows(rows)

    def reserve(self, texts: Sequence[str], tags: Sequence[Sequence[str]]) -> None:
        """Make room for the words and tags of new posts. It changes no row."""
        self.words.reserve_new(len(texts), sum(map(len, texts)))  # some scripts have a word per character
        self.tags.reserve_new(len(tags), sum(map(len, tags)))

    def append(self, rows: Rows, texts: Sequence[str], tags: Sequence[Sequence[str]]) -> None:
        """Add the texts and tags of posts whose `rows` are new."""
        self.ensure_rows(int(rows.max(initial=-1)) + 1)
        for ragged, codes in (
            (self.words, [word_codes(text) for text in texts]),
            (self.tags, [tag_codes(tuple(of_post)) for of_post in tags]),
        ):
            if codes:
                ragged.append(rows.repeat([len(one) for one in codes]), np.concatenate(codes))

    def replace(self, row: int, text: str, tags: Sequence[str]) -> None:
        """Set the text and tags of a post that has a row."""
        self.words.replace(row, word_codes(text))
        self.tags.replace(row, tag_codes(tuple(tags)))

    def with_any_tag(self, rows: Rows, tags: Codes) -> NDArray[np.bool_]:
        """(n_rows,) true for the posts that have one of `tags`."""
        return self._with_sequence(self.tags, rows, [tags[i : i + 1] for i in range(len(tags))])

    def with_any_phrase(self, rows: Rows, phrases: Sequence[Codes]) -> NDArray[np.bool_]:
        """(n_rows,) true for the posts whose text contains one of `phrases`: its words, one after the other."""
        return self._with_sequence(self.words, rows, phrases)

    @staticmethod
    def _with_sequence(ragged: RaggedArray, rows: Rows, sequences: Sequence[Codes]) -> NDArray[np.bool_]:
        found = np.zeros(len(rows), np.bool_)
        longest = int(ragged.lengths(rows).max(initial=0))
        positions, (codes,) = ragged.gather(rows, longest)
        possible = np.flatnonzero(np.isin(codes, [sequence[0] for sequence in sequences]))
        present = set(codes[possible].tolist())
        for sequence in sequences:
            if int(sequence[0]) not in present:  # a user may mute thousands of words
                continue
            last = len(sequence) - 1
            starts = possible[(codes[possible] == sequence[0]) & (possible < len(codes) - last)]
            starts = starts[positions[starts] == positions[starts + last]]
            for offset in range(1, len(sequence)):
                starts = starts[codes[starts + offset] == sequence[offset]]
            found[positions[starts]] = True
        return found
