"""The benchmark of one ranking applies the changes that it measures."""

import numpy as np

from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.options import RankingOptions
from benchmarks.ranking import EVENT, POST, UNCHANGED, measure, pad
from tests.support.feeds import generated
from training.replay.replay import Replay


def test_events_and_posts_arrive_between_rankings_of_a_padded_feed() -> None:
    replay = Replay(generated(users=20, posts=50, interactions=400), RankingOptions())
    now = float(replay.events.time[-1]) + 1
    state = replay.request_for(0, 0, now).state
    newest, events = (
        float(state.created[: state.n_posts].max()),
        int(state.engagements[: state.n_posts].sum()),
    )

    pad(state, 300)

    assert state.n_posts == 300
    assert state.created[:300].max() == newest
    figures = measure(ranking_pipeline(RankingOptions(), None, None, NoObserver()), state, now, 2)
    rounds = 22  # two, after those that warm up
    assert state.n_posts == 300 + rounds
    assert state.created[: state.n_posts].max() > newest
    engagements = int(state.engagements[: state.n_posts].sum())
    assert (
        events + rounds / 2 < engagements <= events + rounds
    )  # an author's event on an own post does not count
    assert figures.keys() == {UNCHANGED, EVENT, POST}
    assert figures[UNCHANGED]["cpu_ratio"] == 1
    assert np.isfinite([figures[EVENT]["cpu_ratio"], figures[POST]["apply_cpu_p50_ms"]]).all()
