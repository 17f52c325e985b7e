"""What the stages of the pipeline did with one post: for the question why a user sees it, or does not."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.domain.ranking.page_selector import one_per_thread
from app.domain.ranking.pipeline import FeedPipeline, RankedList
from app.domain.services.ranking_context import RankingContext

PageRule = Literal["one_per_thread", "author_spacing"]
"""A post of the same thread ranks higher, so this one is omitted; or a post of the same author does, so it is moved
down."""


@dataclass(frozen=True, slots=True)
class PostTrace:
    """One post in one ranking.

    sources     names of the sources that returned the post
    removed_by  names of the filters that do not allow it, whether a source returned it or not
    rank        position by score among the ranked posts, the best is 1; None if it is not among them
    score       in [0, 1]; None without a rank
    page_rule   what the page selector did with it; None if it keeps the place of its score, and without a rank
    """

    sources: tuple[str, ...]
    removed_by: tuple[str, ...]
    rank: int | None = None
    score: float | None = None
    page_rule: PageRule | None = None


def sources_of(
    pipeline: FeedPipeline, context: RankingContext, rows: NDArray[np.intp]
) -> list[tuple[str, ...]]:
    """The names of the sources that return each of the posts `rows`. Runs every source again."""
    returned = {source.name: np.isin(rows, source(context)) for source in pipeline.sources}
    return [tuple(name for name, found in returned.items() if found[place]) for place in range(len(rows))]


def trace_post(pipeline: FeedPipeline, context: RankingContext, ranked: RankedList, row: int) -> PostTrace:
    """The trace of a post row through the pipeline that made `ranked` in `context`. Runs every source again."""
    rows = np.array([row])
    [sources] = sources_of(pipeline, context, rows)
    removed_by = tuple(one.name for one in pipeline.filters if not one(context, rows)[0])
    places = (ranked.rows == row).nonzero()[0]
    if not len(places):
        return PostTrace(sources, removed_by)
    place = int(places[0])
    return PostTrace(
        sources, removed_by, place + 1, float(ranked.values[place]), _page_rule(context, ranked, place)
    )


def _page_rule(context: RankingContext, ranked: RankedList, place: int) -> PageRule | None:
    state, above = context.state, ranked.rows[: place + 1]
    is_first = one_per_thread(state.groups, above)
    if not is_first[place]:
        return "one_per_thread"
    author = state.author[ranked.rows[place]]
    if author >= 0 and (state.author[above[is_first][:-1]] == author).any():
        return "author_spacing"
    return None
