"""The sparse product of the collaborative filter finds the neighbours that scikit-learn finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from app.domain.services.ranking_context import RankingContext
from app.infrastructure.ml.collaborative_filter import (
    CollaborativeFilter,
    NeighbourRecommender,
)
from tests.support.feeds import generated, whole_state
from training.preprocess import build_interaction_matrix

WEIGHTS = np.array([1.0, 2.0, 5.0, 7.0, 10.0])


@st.composite
def matrices(draw):
    """Sparse users x posts with rows that are empty, equal, or as different as they come."""
    users, posts = draw(st.integers(2, 12)), draw(st.integers(1, 8))
    weight = st.one_of(st.just(0.0), st.just(0.0), st.integers(1, 17).map(float), st.floats(1e-6, 10.0))
    rows = draw(st.lists(st.lists(weight, min_size=posts, max_size=posts), min_size=users, max_size=users))
    return csr_array(np.array(rows))


@given(matrices(), st.integers(1, 12), st.integers(0, 11))
def test_the_product_finds_the_neighbours_and_similarities_of_scikit_learn(matrix, k, user):
    user %= matrix.shape[0]
    model = CollaborativeFilter.fit(matrix, min(k, matrix.shape[0]))
    own = matrix[[user], :]

    found = model.neighbours(own.indices.astype(np.intp), own.data, exclude_rows=[user])

    distance, order = model.model.kneighbors(own, n_neighbors=matrix.shape[0])
    similarity = 1.0 - distance[0]
    expected = [(s, o) for s, o in zip(similarity, order[0], strict=True) if o != user and s > 1e-12]
    expected = expected[: model.model.n_neighbors]
    assert len(found.rows) == len(expected)
    assert found.similarity == pytest.approx([s for s, _ in expected], abs=1e-9)
    of = dict(zip(order[0].tolist(), similarity.tolist(), strict=True))
    for row, ours in zip(found.rows.tolist(), found.similarity.tolist(), strict=True):
        assert of[row] == pytest.approx(ours, abs=1e-9)  # of equal similarities, either may be the last


@given(matrices(), st.integers(0, 11))
def test_support_is_the_neighbours_rows_weighted_by_similarity(matrix, user):
    user %= matrix.shape[0]
    model = CollaborativeFilter.fit(matrix, min(3, matrix.shape[0]))
    own = matrix[[user], :]
    nearest = model.neighbours(own.indices.astype(np.intp), own.data, exclude_rows=[user])

    columns, weights = model.neighbour_choices(nearest)
    support = np.bincount(columns, weights, matrix.shape[1])

    assert support == pytest.approx(
        nearest.similarity @ matrix.toarray()[nearest.rows] + np.zeros(matrix.shape[1])
    )


@pytest.fixture(scope="module")
def trained():
    history = generated(users=120, posts=250, interactions=5000)
    state, timeline = whole_state(history)
    counted = timeline.events[np.flatnonzero(timeline.counted)]
    return state, counted, build_interaction_matrix(counted, WEIGHTS, (state.n_users, state.n_posts))


def test_the_matrix_holds_the_summed_weight_of_each_pair(trained):
    state, events, matrix = trained
    dense = np.zeros((state.n_users, state.n_posts))
    np.add.at(dense, (events.user, events.post), WEIGHTS[events.kind])

    assert np.array_equal(matrix.toarray(), dense)
    assert matrix.has_canonical_format


def test_a_decayed_matrix_halves_every_weight_per_day(trained):
    state, events, _ = trained
    now = float(events.time[-1])

    decayed = build_interaction_matrix(events, WEIGHTS, (state.n_users, state.n_posts), decayed_at=now)

    dense = np.zeros((state.n_users, state.n_posts))
    np.add.at(dense, (events.user, events.post), WEIGHTS[events.kind] * 0.5 ** ((now - events.time) / 86_400))
    assert decayed.toarray() == pytest.approx(dense)


def test_users_of_a_generated_feed_get_the_neighbours_of_scikit_learn(trained):
    state, events, matrix = trained
    model = CollaborativeFilter.fit(matrix, 10)
    recommender = NeighbourRecommender(model, np.arange(state.n_users), np.arange(state.n_posts), WEIGHTS)
    now = float(events.time[-1]) + 1
    compared = 0

    for user in np.flatnonzero(np.diff(matrix.indptr))[:60].tolist():
        found = recommender.neighbours(RankingContext(state, user, now))
        distance, order = model.model.kneighbors(matrix[[user], :], n_neighbors=11)
        others = order[0] != user
        similarity = (1.0 - distance[0])[others][:10]
        assert found.similarity == pytest.approx(similarity[: len(found.similarity)], abs=1e-9)
        clear = similarity[:-1] > similarity[-1] + 1e-9  # of equal similarities, either may be the last
        assert set(order[0][others][:9][clear].tolist()) <= set(found.rows.tolist())
        compared += len(found.rows)
    assert compared > 300


def test_rows_of_a_feed_that_was_loaded_in_another_order_are_mapped(trained):
    state, events, matrix = trained
    order = np.random.default_rng(0).permutation(state.n_posts)
    user_order = np.random.default_rng(1).permutation(state.n_users)
    moved = csr_array(
        matrix.toarray()[np.argsort(user_order)][:, np.argsort(order)]
    )  # row user_order[i] was row i
    now = float(events.time[-1]) + 1
    same_order = NeighbourRecommender(
        CollaborativeFilter.fit(matrix, 10), np.arange(state.n_users), np.arange(state.n_posts), WEIGHTS
    )
    state_users, state_posts = np.argsort(user_order), np.argsort(order)
    other_order = NeighbourRecommender(CollaborativeFilter.fit(moved, 10), state_users, state_posts, WEIGHTS)

    for user in range(20):
        context = RankingContext(state, user, now)
        ours, theirs = same_order.neighbours(context), other_order.neighbours(context)
        assert theirs.similarity == pytest.approx(ours.similarity)
        if len(set(np.round(ours.similarity, 9))) == len(ours.similarity) < 10:
            assert other_order.scores(context).to_dense(state.n_posts) == pytest.approx(
                same_order.scores(context).to_dense(state.n_posts)
            )


def test_an_unknown_user_has_no_neighbours_and_no_support(trained):
    state, _, matrix = trained
    recommender = NeighbourRecommender(
        CollaborativeFilter.fit(matrix, 10), np.arange(state.n_users), np.arange(state.n_posts), WEIGHTS
    )

    context = RankingContext(state, -1, 2e9)

    assert len(recommender.neighbours(context).rows) == 0
    assert not len(recommender.scores(context).rows)


def test_events_after_training_count_for_the_users_own_row():
    weights = csr_array(([5.0, 5.0, 5.0], ([0, 1, 1], [0, 0, 1])), shape=(3, 2))
    model = CollaborativeFilter.fit(weights, 2)

    nearest = model.neighbours(
        np.array([0]), np.array([1.0]), exclude_rows=[2]
    )  # user 2 had no events at training

    assert nearest.rows.tolist() == [0, 1]
    assert nearest.similarity == pytest.approx([1.0, np.sqrt(0.5)])
    columns, weights = model.neighbour_choices(nearest)
    assert weights[columns == 1] > 0
