"""Nothing at or after a request's time is known: cutting the file at T leaves every ranking before T as it was."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.dataset import FeedDataset
from app.domain.ranking import user_features
from app.domain.ranking.features import Feature
from app.domain.ranking.options import RankingOptions
from tests.support.feeds import LIKE, VIEW, Feed, Post, cut, feeds, forum, generated, with_pages
from training.evaluation import rankers as ranker_list
from training.evaluation.prequential import replay_rankers
from training.evaluation.rankers import LEARNED_RANKERS, RANKERS
from training.evaluation.replay_workers import LocalEngine
from training.learning.model_selection import LearningOptions
from training.learning.training_examples import training_examples
from training.replay.replay import Replay, target_kinds
from training.reporting.ranking_dump import write_dump

QUICK = LearningOptions(requests=250, candidates=20, ridges=(1e-3,), units=(4,))
UNLEARNED = [name for name in RANKERS if name not in LEARNED_RANKERS]


def dumped(
    history: FeedDataset,
    test_from: float,
    path: Path,
    rankers=RANKERS,
    targets=None,
    most=10**6,
    seen=None,
    learning=QUICK,
) -> bytes:
    """The dump of a replay; `seen` is called with the replay before it runs."""
    targets = targets or target_kinds(history)
    replay = Replay(history, RankingOptions(), targets=targets, test_from=test_from)
    if seen is not None:
        seen(replay)
    outcome = replay_rankers(replay, rankers, learning, max_requests=most, engine=LocalEngine(1))
    assert not LEARNED_RANKERS & set(rankers) or outcome.fits, (
        "nothing was learned: the feed is too small for this test"
    )
    write_dump(path, replay, outcome)
    return path.read_bytes()


def before(dump: bytes, at: float) -> list[bytes]:
    return [line for line in dump.splitlines() if json.loads(line)["at"] < at]


@given(
    feed=feeds(least_events=6, most_controls=4, most_pages=4),
    start=st.integers(0, 20),
    at=st.integers(10, 41),
)
def test_cutting_any_small_feed_leaves_earlier_rankings_as_they_were(tmp_path_factory, feed, start, at):
    path = tmp_path_factory.getbasetemp() / "dump"
    history, start, at = feed.dataset(), start * 1800.0, at * 1800.0
    targets = target_kinds(history)
    whole = dumped(history, start, path, UNLEARNED, targets)

    early = dumped(cut(history, at), start, path, UNLEARNED, targets)

    assert before(early, at) == before(whole, at)
    assert early.splitlines() == before(early, at)


@given(feed=feeds(least_events=6, most_controls=4, most_pages=4), start=st.integers(0, 20))
def test_every_ranker_and_the_sampling_for_learning_get_through_any_small_feed(feed, start):
    history = feed.dataset()
    replay = Replay(history, RankingOptions(), targets=target_kinds(history), test_from=start * 1800.0)

    outcome = replay_rankers(replay, RANKERS, QUICK, max_requests=10**6)

    assert all((ranks >= 1).all() for ranks in outcome.ranks.values())
    for name, lists in outcome.lists.items():
        listed = (lists >= 0).sum(axis=1)
        chosen = lists[np.arange(len(lists)), (outcome.ranks[name] - 1).clip(0, 49)]
        targets = replay.events.post[outcome.requests]
        assert np.array_equal(chosen[outcome.ranks[name] <= listed], targets[outcome.ranks[name] <= listed])


@pytest.fixture(scope="module")
def feed() -> FeedDataset:
    """Thirty days in a few thousand events, enough to learn from, follows and texts included."""
    return generated(users=60, posts=200, interactions=4000)


@pytest.fixture(scope="module")
def split(feed: FeedDataset) -> float:
    return time_at(feed, 0.7)


@pytest.fixture(scope="module")
def whole(feed: FeedDataset, split: float, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The dump of 60 requests of the uncut feed."""
    return dumped(feed, split, tmp_path_factory.mktemp("whole") / "dump", most=60)


def time_at(feed: FeedDataset, share: float) -> float:
    """The time up to which a share of the events lies."""
    return float(feed.events.time[int(share * len(feed.events.time))])


def assert_a_cut_leaves_what_was_ranked_before(
    feed: FeedDataset, whole: bytes, start: float, at: float, path: Path
) -> None:
    kept = before(whole, at)
    # the requests with the smallest hashes before `at` are those of the whole feed that lie before it
    early = dumped(cut(feed, at), start, path, most=len(kept) // len(RANKERS))
    assert len(kept) > 10 * len(RANKERS)
    assert early.splitlines() == kept


@pytest.mark.parametrize(
    "share",
    [0.86, pytest.param(0.78, marks=pytest.mark.slow), pytest.param(0.95, marks=pytest.mark.slow)],
)
def test_cutting_a_feed_leaves_what_was_learned_and_ranked_before_as_it_was(
    feed, whole, split, tmp_path, share
):
    assert_a_cut_leaves_what_was_ranked_before(feed, whole, split, time_at(feed, share), tmp_path / "cut")


@pytest.mark.slow
def test_cutting_a_feed_with_pages_leaves_what_was_ranked_before_as_it_was(feed, split, tmp_path):
    feed = with_pages(feed)
    whole = dumped(feed, split, tmp_path / "whole", most=120)

    assert_a_cut_leaves_what_was_ranked_before(feed, whole, split, time_at(feed, 0.82), tmp_path / "cut")


def test_only_served_depends_on_which_other_requests_are_ranked(feed, whole, split, tmp_path):
    more = set(dumped(feed, split, tmp_path / "more", most=100).splitlines())

    assert {_ranker(line) for line in whole.splitlines() if line not in more} == {
        "served"
    }  # its pages are shown


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cutting_the_real_feed_at_three_times_leaves_earlier_rankings_as_they_were(tmp_path):
    feed = forum()
    times = feed.events.time
    feed = cut(feed, float(times[int(0.35 * len(times))]))
    times = feed.events.time
    start = float(times[int(0.8 * len(times))])
    whole = dumped(feed, start, tmp_path / "whole", most=150)

    for share in (0.85, 0.9, 0.96):
        at = float(times[int(share * len(times))])
        kept = before(whole, at)
        early = dumped(cut(feed, at), start, tmp_path / "cut", most=len(kept) // len(RANKERS))
        assert len(kept) > 20 * len(RANKERS)
        assert early.splitlines() == kept


def test_events_after_the_split_do_not_change_which_full_choice_sets_are_kept():
    likes = [(1 + number, number, LIKE, 1.0 + number) for number in range(40)]
    looked_before_and_liked_after = [(0, 3, VIEW, 25.5), (0, 3, LIKE, 90.0)]
    feed = Feed(41, [Post(created=0.0)] * 40, [*likes, *looked_before_and_liked_after]).dataset()
    kept = []
    for history in (feed, cut(feed, 80.0)):
        replay = Replay(history, RankingOptions(), targets=frozenset({LIKE}), test_from=50.0)
        examples = training_examples(replay, LearningOptions(requests=500))
        known = replay.events.time[examples.requests] < 50.0
        kept.append((examples.event_rows[known].tolist(), examples.full[known].tolist()))

    assert kept[0] == kept[1]
    assert any(kept[0][1])


@pytest.mark.slow
def test_a_feature_that_peeks_at_the_future_is_caught(feed, tmp_path, monkeypatch):
    final = {}

    def watch(replay: Replay) -> None:
        counts = np.zeros(len(replay.dataset.posts))
        np.add.at(counts, replay.events.post, 1.0)
        final["count"] = counts

    def peek(candidates):
        return np.log1p(final["count"][candidates.rows])[None]

    peeking = Feature(("final count",), peek, None)
    monkeypatch.setattr(user_features.FEATURES, "features", [*user_features.FEATURES.features, peeking])
    start, at = time_at(feed, 0.7), time_at(feed, 0.85)
    rankers = ["trending_1d", "learned"]
    enough = replace(
        QUICK, requests=1000
    )  # for a blend to be worth its weights, or nothing hears the feature
    whole = dumped(feed, start, tmp_path / "whole", rankers, seen=watch, learning=enough)

    early = dumped(cut(feed, at), start, tmp_path / "cut", rankers, seen=watch, learning=enough)

    changed = {_ranker(a) for a, b in zip(before(early, at), before(whole, at), strict=True) if a != b}
    assert changed == {"learned"}


def test_a_ranker_that_peeks_at_the_future_is_caught(feed, tmp_path, monkeypatch):
    final = {}

    def watch(replay: Replay) -> None:
        final["count"] = np.bincount(replay.events.post, minlength=len(replay.dataset.posts)).astype(float)

    peeking = {**ranker_list._SIMPLE, "popular": lambda moment: final["count"][: moment.state.n_posts]}
    monkeypatch.setattr(ranker_list, "_SIMPLE", peeking)
    start, at = time_at(feed, 0.7), time_at(feed, 0.85)
    rankers = ["popular", "newest"]
    whole = dumped(feed, start, tmp_path / "whole", rankers, seen=watch)

    early = dumped(cut(feed, at), start, tmp_path / "cut", rankers, seen=watch)

    changed = {_ranker(a) for a, b in zip(before(early, at), before(whole, at), strict=True) if a != b}
    assert changed == {"popular"}


def test_lists_hold_nothing_of_the_future_nothing_own_nothing_chosen_and_no_repeat(feed, tmp_path):
    start = float(feed.events.time[int(0.8 * len(feed.events))])
    posts, users = feed.posts.external_id, feed.users.external_id
    exists = dict(zip(posts, feed.posts.created.tolist(), strict=True))
    author = {post: users[a] for post, a in zip(posts, feed.posts.author.tolist(), strict=True) if a >= 0}
    chosen: dict[tuple[str, str], float] = {}
    targets = target_kinds(feed)
    events = feed.events
    for user, post, kind, time in zip(events.user, events.post, events.kind, events.time, strict=True):
        exists[posts[post]] = min(exists[posts[post]], float(time))
        if kind in targets:
            chosen.setdefault((users[user], posts[post]), float(time))

    lines = [json.loads(line) for line in dumped(feed, start, tmp_path / "dump", most=60).splitlines()]

    assert {line["ranker"] for line in lines} == set(RANKERS)
    for line in lines:
        ranked, at, user = line["ranked"], line["at"], line["user_id"]
        assert len(set(ranked)) == len(ranked) == 50
        assert all(exists[post] < at for post in ranked)
        assert all(author.get(post) != user for post in ranked)
        assert all(chosen.get((user, post), np.inf) >= at for post in ranked)
        place = ranked.index(line["target"]) + 1 if line["target"] in ranked else None
        assert line["rank"] == place if place else line["rank"] > 50


@pytest.mark.slow
def test_the_same_feed_gives_the_same_dump_twice(feed, tmp_path):
    start = float(feed.events.time[int(0.8 * len(feed.events))])

    first, second = (dumped(feed, start, tmp_path / "dump", sorted(LEARNED_RANKERS)) for _ in range(2))

    assert first == second


def _ranker(line: bytes) -> str:
    return str(json.loads(line)["ranker"])
