"""The text profile of a user: the decayed mean of the text vectors of their newest posts."""

import numpy as np
from numpy.typing import NDArray

from app.domain.services.ranking_context import RankingContext

_MAX_POSTS = 50  # newest events of the user
_DECAY = (0.9 ** np.arange(_MAX_POSTS)[::-1]).astype(np.float32)  # the newest counts 1


def text_profile(context: RankingContext) -> NDArray[np.float32] | None:
    """(d,) the text profile of the user of the request, of length 1; None without text vectors or events."""
    posts, text = context.recent_events[0][-_MAX_POSTS:], context.state.text
    if not len(posts) or not text.shape[1]:
        return None
    profile = _DECAY[-len(posts) :] @ text.take(posts, axis=0)
    return np.asarray(profile / (np.linalg.norm(profile) + 1e-9), np.float32)
