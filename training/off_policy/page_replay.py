"""Ranks the pages that were drawn at random again, by another ranking at their times."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import uuid_keys
from app.domain.feed.uuid_index import UuidIndex
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.plackett_luce import LEAST_SCORE, log_worths
from app.domain.ranking.simple_rankings import FORMULA, LEARNED
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.database.drawn_pages import DrawnPage
from app.shared.progress import Progress
from training.off_policy.estimators import PLACES, DrawnPlaces
from training.replay.replay import Replay

Array = NDArray[np.float64]


def drawn_places(
    replay: Replay,
    pages: Sequence[DrawnPage],
    rankings: Sequence[str],
    model: ChoiceModel | None,
    temperature: float,
    progress: Progress,
) -> dict[str, DrawnPlaces]:
    """The places of `pages` (by time) with the probabilities that each ranking would have drawn them with.

    Each ranking is served as the drawn pages were: a page is drawn from its first two. `rankings` are names as in
    SELECTABLE; LEARNED is that of `model`. Pages of users that the dataset does not have are omitted. The replay must
    not have started.
    """
    dataset = replay.dataset
    users = UuidIndex(dataset.users.key).rows(uuid_keys(page.user_id for page in pages)).tolist()
    by_seq = np.argsort(dataset.posts.seq)
    seqs = dataset.posts.seq[by_seq]
    rows: dict[str, list[tuple[Array, Array, Array]]] = {name: [] for name in rankings}
    kept = [(page, user) for page, user in zip(pages, users, strict=True) if user >= 0]
    for number, (page, user) in enumerate(kept):
        progress("pages", number, len(kept))
        place = np.searchsorted(seqs, page.posts).clip(max=len(seqs) - 1)
        shown = np.where(seqs[place] == page.posts, replay.timeline.post_row[by_seq[place]], -1)
        request = replay.request_for(user, 0, page.shown_at.timestamp())
        state = request.live.state
        context = RankingContext(
            state,
            request.live.user,
            request.time,
            state.seen_posts(request.live.user),
            shown_before=request.time,
        )
        for name in rankings:
            simple, learned = (FORMULA, model) if name == LEARNED else (name, None)
            recommender = request.neighbour_models.served
            pipeline = ranking_pipeline(replay.options, recommender, learned, NoObserver(), simple)
            listed = pipeline.page(context, pipeline.rank(context), 2 * len(page.posts))
            worths = log_worths(listed.values, temperature)
            rows[name].append(target_places(listed.rows, worths, shown[:PLACES], temperature))
    user_number = np.unique([user for _, user in kept], return_inverse=True)[1]
    logged = _padded([page.probabilities[:PLACES] for page, _ in kept], 1.0)
    events = _padded([page.events[:PLACES] for page, _ in kept], 0.0)
    lengths = np.array([len(page.posts) for page, _ in kept])
    is_place = np.arange(PLACES) < lengths[:, None]
    return {
        name: DrawnPlaces(
            user_number,
            is_place,
            logged,
            _padded([one[0] for one in of_ranking], 1.0),
            events,
            _padded([one[1] for one in of_ranking], 0.0),
            _padded([one[2] for one in of_ranking], 0.0),
        )
        for name, of_ranking in rows.items()
    }


def target_places(
    listed: NDArray[np.intp], worths: Array, shown: NDArray[np.intp], temperature: float
) -> tuple[Array, Array, Array]:
    """What a ranking makes of the k posts `shown`, of which it lists the posts `listed` (n,) with log worths (n,).

    Returns the probability of each place given those above (k,), its inputs (k, 2), and their expectation (k, 2). The
    inputs are the log worth and its square; posts that are not listed have the least one.
    """
    least = np.log(LEAST_SCORE) / temperature
    position = {post: place for place, post in enumerate(listed.tolist())}
    inputs_of = np.stack([worths, worths**2], axis=1)
    shares = np.exp(worths)
    left = np.ones(len(listed), np.bool_)
    probability, inputs, expected = np.zeros(len(shown)), np.empty((len(shown), 2)), np.zeros((len(shown), 2))
    for place, post in enumerate(shown.tolist()):
        of_left = np.where(left, shares, 0.0)
        total = of_left.sum()
        if total > 0:
            expected[place] = of_left @ inputs_of / total
        found = position.get(post)
        inputs[place] = (least, least**2) if found is None else inputs_of[found]
        if found is not None and left[found]:
            probability[place] = of_left[found] / total
            left[found] = False
    return probability, inputs, expected


def _padded(parts: Sequence[NDArray[Any]], value: float) -> Array:
    """(n, PLACES, ...) the parts, each of at most PLACES rows, followed by `value`."""
    if not parts:
        return np.empty((0, PLACES))
    padded = np.full((len(parts), PLACES, *parts[0].shape[1:]), value)
    for row, part in enumerate(parts):
        padded[row, : len(part)] = part
    return padded
