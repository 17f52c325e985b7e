"""The two-tower model of a feed that grows: refitted at given times, and used with later posts and events."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.post import post_text
from app.domain.feed.dataset import EventColumns, FeedDataset
from app.domain.feed.state import FeedState
from app.infrastructure.ml.content_scorer import TextSpace
from training.deep.engagements import WINDOW, Engagements
from training.deep.fit_two_tower import TowerOptions, fit_two_tower
from training.deep.two_tower import MAX_TAGS, Floats, PostContent, TwoTower
from training.replay.replay import GROWTH

Rows = NDArray[np.integer[Any]]
_CONTINUED_RATE: Final = 0.2
"""Share of the learning rate in a refit that continues from the model before it."""


class LiveTowers:
    """A two-tower model and the vectors of the posts of a state.

    `fit` starts from random weights when the examples have grown by 30 %, as the learned model is fitted then.
    Otherwise it continues on the newest examples. A post that comes later has the vector of its text, author and tags,
    and a user that of the newest events.
    """

    def __init__(self, dataset: FeedDataset, options: TowerOptions) -> None:
        self._posts, self._options = dataset.posts, options
        self._row_by_key = {key.tobytes(): row for row, key in enumerate(dataset.posts.key)}
        self._author_row: dict[int, int] = {}  # by user of the dataset, in the order of their posts
        self._tag_row: dict[str, int] = {}
        self._model: TwoTower | None = None
        self._space = TextSpace.empty()
        self._fitted_at = -np.inf
        self._full_fit = self._last_fit = 0  # examples of the last fit from random weights, of the last fit
        self._content, self._n_content = self._no_content(), 0
        self._vectors = np.zeros((len(dataset.posts), options.dimensions), np.float32)
        self._n_vectors = 0  # posts whose vectors are those of the present model

    def fit(self, events: EventColumns, at: float, state: FeedState) -> None:
        """Refit on the `events` strictly before the time `at` (seconds), in rows of `state`, unless this was done."""
        if at == self._fitted_at:
            return
        self._fitted_at = at
        author = state.author[: state.n_posts]
        engagements = Engagements(events, author)
        last = len(engagements)
        options, first, start = self._options, max(min(self._last_fit, last - WINDOW), 0), self._model
        if start is None or last > GROWTH * self._full_fit:
            self._space = TextSpace.fit(self._texts(state, 0))
            self._content, self._n_content = self._no_content(), 0
            self._full_fit, first, start = last, 0, None
        else:
            options = replace(options, epochs=1, learning_rate=options.learning_rate * _CONTINUED_RATE)
        self._read_content(state)
        if last:
            room = 1 << len(self._author_row).bit_length()  # for later authors: each shape is compiled once
            sizes = room, len(self._tag_row)
            start = start.with_rows(*sizes) if start else None
            self._model = fit_two_tower(engagements, self._content, *sizes, first, last, options, start)
        self._last_fit, self._n_vectors = last, 0

    def logits(self, state: FeedState, history: Rows, rows: Rows) -> Floats:
        """(n,) logits of the posts `rows` for a user who engaged with the posts `history`, oldest first."""
        if self._model is None:
            return np.zeros(len(rows), np.float32)
        vectors = self._post_vectors(state, self._model)
        return self._model.logits(vectors[history], vectors[rows])

    def _post_vectors(self, state: FeedState, model: TwoTower) -> Floats:
        """(n_posts, d) with the vectors of posts that came since the last call."""
        known, n_posts = self._n_vectors, state.n_posts
        if known < n_posts:
            self._read_content(state)
            self._vectors[known:n_posts] = model.post_vectors(self._content.take(np.arange(known, n_posts)))
            self._n_vectors = n_posts
        return self._vectors[:n_posts]

    def _no_content(self) -> PostContent:
        """Content with room for all posts."""
        n = len(self._posts)
        text = np.zeros((n, len(self._space.components)), np.float32)
        return PostContent(text, np.full(n, -1, np.intp), np.full((n, MAX_TAGS), -1, np.intp))

    def _read_content(self, state: FeedState) -> None:
        """Read the posts of `state` that came since the last call."""
        known, n_posts = self._n_content, state.n_posts
        new = self._dataset_rows(state, known)
        self._content.text[known:n_posts] = self._space(self._texts(state, known))
        for row, post in enumerate(new.tolist(), known):
            if (author := int(self._posts.author[post])) >= 0:
                self._content.author[row] = self._author_row.setdefault(author, len(self._author_row))
            for place, tag in enumerate(self._posts.tags[post][:MAX_TAGS]):
                self._content.tags[row, place] = self._tag_row.setdefault(tag, len(self._tag_row))
        self._n_content = n_posts

    def _texts(self, state: FeedState, first: int) -> list[str]:
        posts = self._posts
        return [post_text(posts.text[row], posts.tags[row]) for row in self._dataset_rows(state, first)]

    def _dataset_rows(self, state: FeedState, first: int) -> NDArray[np.intp]:
        rows = [self._row_by_key[state.post_key(row)] for row in range(first, state.n_posts)]
        return np.array(rows, np.intp)
