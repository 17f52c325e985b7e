"""Peers rank the requests of the service's own replay; their libraries are not needed for this."""

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from app.domain.feed.time_units import DAY
from app.domain.ranking.options import RankingOptions
from benchmarks.peers.__main__ import main
from benchmarks.peers.comparison import PeerRankings, Selected, compare_with_peers, select_settings
from benchmarks.peers.models import Ease, ItemItem, SklearnNeighbours
from benchmarks.peers.peer import FeedBefore, Peer, PeerKind, Scores
from tests.support.feeds import generated
from training.learning.candidate_sets import ChoiceSets
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, ReplayRequest, target_kinds

QUICK = LearningOptions(requests=200, candidates=10, ridges=(1e-3,), units=())


class Newest:
    """Scores by creation time, and knows the chosen post if it `cheats`; remembers its fits."""

    def __init__(self, cheats: bool = False) -> None:
        self.cheats = cheats
        self.fitted: list[FeedBefore] = []

    def fit(self, feed: FeedBefore) -> None:
        self.fitted.append(feed)

    def fit_choices(self, choice_sets: ChoiceSets) -> None:
        pass

    def scores(self, request: ReplayRequest) -> Scores:
        assert (self.fitted[-1].events.time < self.fitted[-1].at).all()
        assert self.fitted[-1].at <= request.time
        scores = request.state.created[: request.state.n_posts].copy()
        scores[request.target] *= 2 if self.cheats else 1
        return scores


@pytest.fixture(scope="module")
def history():
    return generated(users=40, posts=120, interactions=1500)


def replay_of(history) -> Replay:
    return Replay(history, RankingOptions(), targets=target_kinds(history))


def test_a_peer_with_the_scores_of_a_ranker_has_its_ranks_and_lists_and_is_refitted_each_day(history) -> None:
    peer = Newest()

    result, milliseconds = compare_with_peers(
        replay := replay_of(history),
        {"peer": PeerKind(lambda: peer)},
        {"peer": Selected({}, None)},
        ["newest"],
        QUICK,
        max_requests=50,
        timed_requests=2,
        progress=lambda _done, _total: None,
    )

    assert (result.ranks["peer"] == result.ranks["newest"]).all()
    assert (result.lists["peer"] == result.lists["newest"]).all()
    assert milliseconds.keys() == {"newest", "peer"}
    times = replay.events.time[result.requests]
    rounds = np.unique((times - replay.test_from) // DAY)
    fitted_at = [feed.at for feed in peer.fitted]
    assert fitted_at[: len(rounds)] == (replay.test_from + rounds * DAY).tolist()


def test_the_settings_are_those_that_rank_best_on_requests_before_the_test_part(history) -> None:
    replay = replay_of(history)
    made: list[Newest] = []

    def make(cheats: bool) -> Peer:
        made.append(Newest(cheats))
        return made[-1]

    selected = select_settings(
        replay,
        {"peer": PeerKind(make, ({"cheats": False}, {"cheats": True}))},
        QUICK,
        max_requests=50,
        progress=lambda _done, _total: None,
    )

    assert selected == {"peer": Selected({"cheats": True}, None)}
    assert all(feed.at < replay.test_from for peer in made for feed in peer.fitted)


def test_an_event_of_the_user_reaches_peers_that_are_already_fitted(history) -> None:
    replay = replay_of(history)
    peers = [Ease(1.0), ItemItem(24.0), SklearnNeighbours(5)]
    rankings = PeerRankings(replay, {str(number): (peer, (None,)) for number, peer in enumerate(peers)})
    start = replay.test_from + 1
    user = int(np.bincount(history.events.user[replay.events.time > start]).argmax())
    before = replay.request_for(user, 0, start)
    rankings.fit_if_due(before)
    scores = [peer.scores(before) for peer in peers]
    later = (replay.dataset.events.user == user) & (replay.events.time > start)

    after = replay.request_for(user, 0, float(replay.events.time[later].max()) + 1e-3)

    for peer, earlier in zip(peers, scores, strict=True):
        assert earlier.max() > 0
        assert not np.array_equal(peer.scores(after), earlier)


def test_the_command_prints_the_figures_of_each_ranker_and_plots_quality_against_time(
    tmp_path, capsys
) -> None:
    plot = tmp_path / "peers.svg"
    size = ["--n-users", "40", "--n-posts", "120", "--n-interactions", "1500"]
    few = ["--max-requests", "20", "--search-requests", "10", "--timed-requests", "2"]
    rankers = ["--peers", "item-item,kneighbors", "--rankers", "newest"]

    code = main(["--scenario", "mixed", *size, *few, *rankers, "--json", "--plot", str(plot)])

    assert code == 0
    figures = json.loads(capsys.readouterr().out)["rankers"]
    assert figures.keys() == {"newest", "item-item", "kneighbors"}
    assert all(one["ms"] > 0 and one["ndcg@10"]["n"] == 20 for one in figures.values())
    drawn = ET.parse(plot).getroot()
    assert drawn.tag.endswith("svg")
    assert all(f"<!-- {name} -->" in plot.read_text() for name in figures)
