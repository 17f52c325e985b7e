"""Team-draft interleaving: one list of two rankings, in which each post is of the ranking that drafted it.

Radlinski, Kurup and Joachims (2008), "How does clickthrough data reflect retrieval quality?". In each round both
rankings draft their best post that the list lacks, in random order. Users who prefer the posts of one team prefer its
ranking, because both teams have as many places, equally high ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import shake_128
from itertools import islice
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

NO_TEAM: Final = -1
"""The team of a place that neither ranking drafted."""
CONTROL_TEAM: Final = 0
VARIANT_TEAM: Final = 1
Teams = NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """An interleaved list of n posts.

    is_variants  (n,) whether the post is of the variant's ranking
    positions    (n,) its position in that ranking
    teams        (n,) CONTROL_TEAM, VARIANT_TEAM, or NO_TEAM after the end of one of the rankings
    """

    is_variants: NDArray[np.bool_]
    positions: NDArray[np.intp]
    teams: Teams


def draft_key(salt: str, user: UUID, started_at_us: int, shown: int) -> bytes:
    """What the draft of a page depends on: the experiment's salt, the list, and the page.

    A list is of a user and started at a time (microseconds since the epoch); `shown` posts are on its earlier pages.
    """
    return salt.encode() + user.bytes + started_at_us.to_bytes(8, signed=True) + shown.to_bytes(8)


def team_draft(control: Sequence[int], variant: Sequence[int], places: int, key: bytes) -> Draft:
    """At most `places` posts of two rankings, each post once. Equal keys draw equal orders of the teams.

    In the first n places of a list, the numbers of posts of the teams differ by 1 at most, for every n.
    """
    taken: set[int] = set()
    picks = _picks(control, taken), _picks(variant, taken)
    is_variants, positions = [], []
    for team in _turns(places, key):
        position = next(picks[team], None)
        if position is None:
            break
        is_variants.append(team)
        positions.append(position)
    n_drafted = len(positions)
    for team in (CONTROL_TEAM, VARIANT_TEAM):
        left = list(islice(picks[team], places - len(positions)))
        is_variants += [team] * len(left)
        positions += left
    teams = np.array(is_variants, np.int8)
    teams[n_drafted:] = NO_TEAM
    return Draft(np.array(is_variants, np.bool_), np.array(positions, np.intp), teams)


def _turns(places: int, key: bytes) -> list[int]:
    """The team whose turn it is at each place: in each round of two places, both teams in random order."""
    rounds = (places + 1) // 2
    first = np.unpackbits(np.frombuffer(shake_128(key).digest(rounds // 8 + 1), np.uint8))[:rounds]
    turns: list[int] = np.stack([first, 1 - first], axis=1).ravel()[:places].tolist()
    return turns


def _picks(ranking: Sequence[int], taken: set[int]) -> Iterator[int]:
    """The positions of the posts that are not taken, each when the next one is needed; takes their posts."""
    for position, post in enumerate(ranking):
        if post not in taken:
            taken.add(post)
            yield position
