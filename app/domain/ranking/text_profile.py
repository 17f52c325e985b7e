"""What a user reads: the text vectors of the newest posts they engaged with."""

import numpy as np
from numpy.typing import NDArray

from app.domain.services.ranking_context import RankingContext

_READ = 50  # newest posts of the user whose texts are looked at
_FADING = (0.9 ** np.arange(_READ)[::-1]).astype(np.float32)


def text_profile(context: RankingContext) -> NDArray[np.float32] | None:
    """(d,) what the user reads, of length 1; None where there is no text or no history."""

    def read() -> NDArray[np.float32] | None:
        posts, text = context.recent_events[0][-_READ:], context.state.text
        if not len(posts) or not text.shape[1]:
            return None
        profile = _FADING[-len(posts) :] @ text.take(posts, axis=0)
        return np.asarray(profile / (np.linalg.norm(profile) + 1e-9), np.float32)

    return context.memoise("text profile", read)
