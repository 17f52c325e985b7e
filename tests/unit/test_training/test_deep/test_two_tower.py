"""The two-tower model in numpy, its examples, and one line where JAX is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.dataset import EventColumns
from app.domain.feed.timeline import FeedTimeline
from app.shared.exceptions import ConfigurationError
from tests.support.feeds import generated
from tests.support.neural_models import random_towers
from training.deep import requirements
from training.deep.engagements import Engagements
from training.deep.fit_two_tower import TowerOptions, fit_two_tower
from training.deep.neural_cf import NcfOptions, fit_ncf
from training.deep.two_tower import MAX_HISTORY, MAX_TAGS, PostContent

MODEL = random_towers(d_text=6, n_authors=5, n_tags=4, d=8)


def content(n: int, seed: int = 1) -> PostContent:
    random = np.random.default_rng(seed)
    text = random.normal(size=(n, 6)).astype(np.float32)
    return PostContent(text, random.integers(-1, 5, n), random.integers(-1, 4, (n, MAX_TAGS)))


def test_vectors_have_length_1_and_do_not_depend_on_the_other_posts() -> None:
    posts = content(20)

    vectors = MODEL.post_vectors(posts)

    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    for row in range(20):
        assert MODEL.post_vectors(posts.take(np.array([row])))[0] == pytest.approx(vectors[row], abs=1e-5)


def test_authors_and_tags_that_came_after_the_fit_count_as_unknown() -> None:
    text = np.ones((1, 6), np.float32)
    later = PostContent(text, np.array([5]), np.full((1, MAX_TAGS), 4))
    unknown = PostContent(text, np.array([-1]), np.full((1, MAX_TAGS), -1))

    vectors = MODEL.post_vectors(later)

    assert (vectors == MODEL.post_vectors(unknown)).all()
    assert (vectors == MODEL.with_rows(6, 5).post_vectors(later)).all()


def test_a_post_of_an_unknown_author_without_text_and_tags_has_a_vector() -> None:
    nothing = PostContent(np.zeros((1, 6), np.float32), np.array([-1]), np.full((1, MAX_TAGS), -1))

    assert np.isfinite(MODEL.post_vectors(nothing)).all()


@given(st.integers(0, MAX_HISTORY + 20))
def test_a_user_has_the_vector_of_the_newest_events_whatever_the_number(n: int) -> None:
    vectors = MODEL.post_vectors(content(n, seed=n))

    user = MODEL.user_vector(vectors)

    assert np.linalg.norm(user) == pytest.approx(1, abs=1e-5)
    assert user == pytest.approx(MODEL.user_vector(vectors[-MAX_HISTORY:]), abs=1e-6)


@pytest.fixture(scope="module")
def timeline() -> FeedTimeline:
    feed = FeedTimeline(generated(users=30, posts=90, interactions=1500), replay=True)
    feed.advance(np.inf)
    return feed


def test_an_example_is_a_first_event_with_a_post_of_another_author(timeline: FeedTimeline) -> None:
    events, author = timeline.events, timeline.state.author
    examples = Engagements(events, author)

    pairs = list(zip(examples.user.tolist(), examples.post.tolist(), strict=True))
    expected = {
        (user, post)
        for user, post in zip(events.user.tolist(), events.post.tolist(), strict=True)
        if author[post] != user
    }
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == expected


def test_a_batch_reads_only_events_before_its_examples_and_each_example_once(timeline: FeedTimeline) -> None:
    events = timeline.events
    examples = Engagements(events, timeline.state.author)
    seen: list[tuple[int, frozenset[int]]] = []
    for batch in examples.batches(0, len(examples), 8, np.random.default_rng(0)):
        assert set(np.unique(batch.history)) <= set(range(-1, len(batch.posts)))
        assert (batch.log_share <= 0).all()
        for target, history in zip(batch.target, batch.history, strict=True):
            rows = batch.posts[history[history >= 0]]
            assert batch.posts[target] not in rows
            seen.append((int(batch.posts[target]), frozenset(rows.tolist())))

    assert len(seen) >= len(examples) - 8
    possible = [
        (int(post), newest_before(events, int(user), float(time)))
        for user, post, time in zip(examples.user, examples.post, examples.time, strict=True)
    ]
    assert all(one in possible for one in seen)


def newest_before(events: EventColumns, user: int, time: float) -> frozenset[int]:
    earlier = (events.user == user) & (events.time < time)
    return frozenset(events.post[earlier][-MAX_HISTORY:].tolist())


def test_without_jax_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, timeline: FeedTimeline
) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda _name: None)
    examples = Engagements(timeline.events, timeline.state.author)

    with pytest.raises(ConfigurationError, match=r"jax and optax .* install requirements-deep\.lock"):
        fit_two_tower(examples, content(90), 5, 4, 0, len(examples), TowerOptions())
    with pytest.raises(ConfigurationError, match=r"install requirements-deep\.lock"):
        fit_ncf(examples.user, examples.post, NcfOptions())
