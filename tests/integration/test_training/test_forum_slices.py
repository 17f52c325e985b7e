"""What training publishes on the first events of a real feed ranks best on the requests that follow."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from app.domain.feed.dataset import FeedDataset
from app.domain.ranking.options import RankingOptions
from tests.support.feeds import cut, forum
from training.evaluation.acceptance import SELECTABLE, paired_difference, select_ranking
from training.evaluation.prequential import MAX_HELD_OUT, replay_rankers
from training.evaluation.replay_workers import LocalEngine
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay

LATER_REQUESTS = 1000

Ranks = dict[str, np.ndarray]


def ranked(feed: FeedDataset, test_from: float | None = None) -> tuple[Ranks, np.ndarray]:
    """The ranks of all rankings, and the user of each request."""
    replay = Replay(feed, RankingOptions(), test_from=test_from)
    with threadpool_limits(limits=1):
        result = replay_rankers(
            replay, SELECTABLE, LearningOptions(), max_requests=MAX_HELD_OUT, engine=LocalEngine(1)
        )
    return result.ranks, replay.events.user[result.requests]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("n_events", [1500, 2500, 3500])
def test_no_other_ranking_is_better_on_the_requests_after_the_slice(n_events: int) -> None:
    """Skipped, with the reason, where the data set is absent."""
    feed = forum()
    times = feed.events.time
    start = float(times[n_events])
    last = Replay(feed, RankingOptions(), test_from=start).test_requests(len(times))[LATER_REQUESTS]

    published, reason = select_ranking(*ranked(cut(feed, start)))
    ranks, users = ranked(cut(feed, float(times[last])), start)

    gains = {name: paired_difference(ranks[name], ranks[published], users) for name in SELECTABLE}
    print(f"{n_events} events: {published}; {reason}")
    print({name: f"{gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" for name, gain in gains.items()})
    assert len(users) == pytest.approx(LATER_REQUESTS, abs=5)
    assert [name for name, gain in gains.items() if gain.low > 0] == []
