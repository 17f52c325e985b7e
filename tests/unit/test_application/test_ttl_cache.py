"""What is kept for a while is bounded by age, number and weight."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.application.ttl_cache import TtlCache
from tests.support.fake_use_cases import NOON

MINUTE = timedelta(minutes=1)


def memory(most: int = 9, heaviest: int = 99) -> TtlCache[str]:
    return TtlCache(MINUTE, most, heaviest)


def test_a_value_is_there_for_its_life_and_let_go_of_whatever_is_asked_for() -> None:
    kept = memory()
    kept.put("a", NOON, 1, "first")

    assert kept.get("a", NOON + MINUTE) == "first"
    assert kept.get("b", NOON + 2 * MINUTE) is None
    assert len(kept) == 0


def test_what_is_too_old_goes_also_where_nobody_asks_for_anything() -> None:
    kept = memory()
    kept.put("a", NOON, 1, "first")

    kept.put("b", NOON + 2 * MINUTE, 1, "second")

    assert len(kept) == 1


def test_the_oldest_goes_where_there_are_too_many_or_they_are_too_heavy() -> None:
    few, light = memory(most=2), memory(heaviest=10)
    for at, key in enumerate("abc"):
        few.put(key, NOON + at * timedelta(seconds=1), 1, key)
        light.put(key, NOON + at * timedelta(seconds=1), 4, key)

    for kept in (few, light):
        assert [kept.get(key, NOON) for key in "abc"] == [None, "b", "c"]


def test_a_value_made_anew_is_the_youngest_and_one_that_grew_stays_where_it_was() -> None:
    anew, grown = memory(most=2), memory(most=2)
    for kept in (anew, grown):
        kept.put("a", NOON, 1, "a")
        kept.put("b", NOON, 1, "b")
    anew.put("a", NOON + MINUTE, 1, "again")
    grown.put("a", NOON, 5, "longer")
    for kept in (anew, grown):
        kept.put("c", NOON + MINUTE, 1, "c")

    assert [anew.get(key, NOON) for key in "abc"] == ["again", None, "c"]
    assert [grown.get(key, NOON) for key in "abc"] == [None, "b", "c"]


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 2), st.integers(0, 40)), max_size=40))
def test_it_never_holds_more_than_it_may(steps: list[tuple[str, int, int]]) -> None:
    kept, now, weight = memory(most=3, heaviest=50), NOON, {}
    for key, later, heavy in steps:
        now += timedelta(seconds=later)
        kept.put(key, now, heavy, key)
        weight[key] = heavy
        held = [one for one in "abcde" if kept.get(one, now) is not None]
        assert len(held) == len(kept) <= 3
        assert sum(weight[one] for one in held) <= 50
