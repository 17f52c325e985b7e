"""A cache is bounded by age, number of items and weight."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.application.ttl_cache import TtlCache

NOON, SECOND, MINUTE = 43_200.0, 1.0, 60.0


def a_cache(max_items: int = 9, max_weight: int = 99) -> TtlCache[str]:
    return TtlCache(timedelta(seconds=MINUTE), max_items, max_weight)


def test_an_item_is_returned_until_its_ttl_and_evicted_by_any_later_get() -> None:
    cache = a_cache()
    cache.put("a", NOON, 1, "first")

    assert cache.get("a", NOON + MINUTE) == "first"
    assert cache.get("b", NOON + 2 * MINUTE) is None
    assert len(cache) == 0


def test_a_put_evicts_expired_items() -> None:
    cache = a_cache()
    cache.put("a", NOON, 1, "first")

    cache.put("b", NOON + 2 * MINUTE, 1, "second")

    assert len(cache) == 1


def test_the_oldest_item_is_evicted_if_there_are_too_many_or_they_weigh_too_much() -> None:
    few, light = a_cache(max_items=2), a_cache(max_weight=10)
    for index, key in enumerate("abc"):
        few.put(key, NOON + index * SECOND, 1, key)
        light.put(key, NOON + index * SECOND, 4, key)

    for cache in (few, light):
        assert [cache.get(key, NOON) for key in "abc"] == [None, "b", "c"]


def test_a_new_value_becomes_the_youngest_and_a_value_that_is_put_again_keeps_its_place() -> None:
    renewed, grown = a_cache(max_items=2), a_cache(max_items=2)
    for cache in (renewed, grown):
        cache.put("a", NOON, 1, "a")
        cache.put("b", NOON, 1, "b")
    renewed.put("a", NOON + MINUTE, 1, "again")
    grown.put("a", NOON + MINUTE, 5, "a")
    for cache in (renewed, grown):
        cache.put("c", NOON + MINUTE, 1, "c")

    assert [renewed.get(key, NOON) for key in "abc"] == ["again", None, "c"]
    assert [grown.get(key, NOON) for key in "abc"] == [None, "b", "c"]


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 2), st.integers(0, 40)), max_size=40))
def test_a_cache_never_exceeds_its_bounds(steps: list[tuple[str, int, int]]) -> None:
    cache, now, weights = a_cache(max_items=3, max_weight=50), NOON, {}
    for key, seconds, weight in steps:
        now += seconds
        cache.put(key, now, weight, key)
        weights[key] = weight
        cached = [name for name in "abcde" if cache.get(name, now) is not None]
        assert len(cached) == len(cache) <= 3
        assert sum(weights[name] for name in cached) <= 50
