"""How calls are counted, and which address they come from."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.presentation.api.call_limits import CallCounts, CallLimits
from app.presentation.api.caller_address import CallerAddress
from app.presentation.api.problems import ProblemError

CALLS = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 30)), max_size=60)


@given(CALLS)
def test_a_caller_is_allowed_so_many_calls_from_the_first_one_on(calls: list[tuple[str, float]]) -> None:
    counts = CallCounts(max_calls=3, window_seconds=10)
    now, windows = 0.0, dict.fromkeys("abc", (float("-inf"), 0))
    for caller, pause in calls:
        now += pause
        start, number = windows[caller]
        if now >= start + 10:
            start, number = now, 0
        windows[caller] = start, number + 1

        wait = counts.count(caller, now)

        assert wait == (0 if number < 3 else pytest.approx(start + 10 - now))


def test_the_number_of_counted_callers_is_bounded() -> None:
    counts = CallCounts(max_calls=1, window_seconds=60, max_callers=3)

    assert [counts.count(caller, 0.0) for caller in "abcd"] == [0] * 4
    assert counts.count("d", 1.0) > 0
    assert counts.count("a", 1.0) == 0  # forgotten: the oldest


def test_ended_windows_are_forgotten() -> None:
    counts = CallCounts(max_calls=1, window_seconds=60)
    for number in range(100):
        counts.count(str(number), 0.0)

    counts.count("new", 60.0)

    assert len(counts._windows) == 1


def test_a_limit_names_what_it_limits_and_when_to_come_back() -> None:
    limits = CallLimits(per_user="2/minute", clock=lambda: 5.0)
    for _ in range(2):
        limits.count("user", "ann")
    limits.count("key", "no limit")

    with pytest.raises(ProblemError) as caught:
        limits.count("user", "ann")

    assert str(caught.value) == "The limit for one user is 2 calls in 60 s"
    assert caught.value.headers == {"retry-after": "60"}
    [family] = limits.collect()
    assert {sample.labels["by"]: sample.value for sample in family.samples} == {
        "key": 0,
        "user": 1,
        "address": 0,
    }


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "expected"),
    [
        ([], "10.0.0.1", ["6.6.6.6"], "10.0.0.1"),
        ([], "127.0.0.1", ["6.6.6.6"], "127.0.0.1"),
        ([], "6.6.6.6", ["6.6.6.6"], "127.0.0.1"),  # uvicorn replaced the peer, which was on the loopback
        (["10.0.0.0/8"], "10.0.0.1", [], "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", ["6.6.6.6"], "6.6.6.6"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.1.1.1, 6.6.6.6, 10.0.0.2"], "6.6.6.6"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.1.1.1", "6.6.6.6:4711"], "6.6.6.6"),
        (["10.0.0.0/8"], "10.0.0.1", ["1.1.1.1, nonsense"], "10.0.0.1"),
        (["10.0.0.0/8"], "7.7.7.7", ["6.6.6.6"], "7.7.7.7"),
        (["127.0.0.1"], "6.6.6.6", ["1.1.1.1, 6.6.6.6"], "6.6.6.6"),
        (["127.0.0.1"], "6.6.6.6", ["6.6.6.6, 127.0.0.1"], "6.6.6.6"),
        (
            ["127.0.0.1"],
            "6.6.6.6",
            ["6.6.6.6, 1.1.1.1"],
            "6.6.6.6",
        ),  # a caller that names itself hides nothing
        (["::1"], "::1", ["[2001:db8::1]:80"], "2001:db8::/64"),
        ([], "2001:db8::1", [], "2001:db8::/64"),
        ([], "::ffff:6.6.6.6", [], "6.6.6.6"),
    ],
)
def test_only_trusted_proxies_say_where_a_call_comes_from(
    trusted: list[str], peer: str, forwarded: list[str], expected: str
) -> None:
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded]
    address_of = CallerAddress([ip_network(one) for one in trusted])

    assert address_of({"type": "http", "client": (peer, 4711), "headers": headers}) == expected


def test_a_unix_socket_is_on_the_loopback() -> None:
    assert CallerAddress()({"type": "http", "client": None, "headers": []}) == "127.0.0.1"
