"""The ranks that a version keeps, and the paired difference of a later version to it."""

import numpy as np
import pytest

from app.domain.entities.model_record import ModelRecord
from training.evaluation.acceptance import paired_difference
from training.evaluation.request_ranks import FIELD, RequestRanks

N = 60
USERS = np.arange(N) // 3
HASHES = np.random.default_rng(1).integers(0, 2**64, N, dtype=np.uint64)
GOOD = np.where(np.arange(N) % 2 == 0, 1, 2)
BAD = np.where(np.arange(N) % 2 == 0, 5, 4000)


def record(ranks: RequestRanks | None, sha256: str = "a" * 64) -> ModelRecord:
    metrics = {} if ranks is None else {FIELD: ranks.to_json()}
    return ModelRecord("v1", "model.pkl", "2026-03-01T12:00:00Z", "active", sha256, 9, metrics, {})


def test_a_later_version_compares_on_the_requests_of_both_in_any_order():
    earlier = RequestRanks.of(HASHES[::-1][:50], BAD[::-1][:50])  # all but the first ten, in another order

    found = RequestRanks.of(HASHES, GOOD).differences(USERS, [record(earlier)])

    expected = paired_difference(GOOD[10:], BAD[10:], USERS[10:])
    difference = found["a" * 64]
    assert difference["mean"] == pytest.approx(expected.mean)
    assert (difference["low"] > 0, difference["n"], difference["users"]) == (True, 50, 17)


def test_a_version_is_equal_to_itself():
    ranks = RequestRanks.of(HASHES, GOOD)

    [difference] = ranks.differences(USERS, [record(ranks)]).values()

    assert (difference["mean"], difference["low"], difference["high"]) == (0, 0, 0)


def test_versions_without_ranks_or_without_a_common_request_are_omitted():
    others = [
        record(None),
        record(RequestRanks.of(HASHES + np.uint64(2**32), GOOD)),
        record(RequestRanks.of(HASHES[:0], GOOD[:0])),
    ]
    damaged = [
        {FIELD: values}
        for values in ({"keys": "AA"}, {"keys": "A", "ranks": "A"}, 3, {"keys": 1, "ranks": 2})
    ]
    others += [ModelRecord("v1", "f", "t", "active", "b", 9, metrics, {}) for metrics in damaged]

    assert RequestRanks.of(HASHES, GOOD).differences(USERS, others) == {}


def test_the_text_of_a_thousand_requests_is_small_and_names_nobody():
    ranks = RequestRanks.of(np.arange(1000, dtype=np.uint64) << np.uint64(40), np.full(1000, 300))

    text = ranks.to_json()

    assert sum(map(len, text.values())) < 7000
    assert RequestRanks.from_json(text).ranks.tolist() == [255] * 1000
