"""Users who are away for long leave memory with their events, and return with them."""

from datetime import timedelta

from app.application.workers.user_evictor import UserEvictor
from app.domain.ids import user_uuid
from tests.support.live_feeds import a_service, engagements, feed_differences, fully_read_state, reconcile_now
from tests.support.small_service import SmallService, names

DAY = timedelta(days=1).total_seconds()


def service_with_history() -> SmallService:
    """The reader did something, and 100 days later another user did."""
    service = a_service(12)
    service.publish()
    for number in range(4):
        service.pass_time(60)
        service.track("reader", f"p{number}", "like")
    service.pass_time(100 * DAY)
    service.track("other", "p0", "like")
    service.catch_up()
    return service


def send_idle_away(service: SmallService) -> None:
    UserEvictor(service.workers.updater, 90 * DAY).run()


def is_away(service: SmallService, user: str) -> bool:
    state = service.feed.state
    return bool(state.is_away[state.user_rows[user_uuid(user).bytes]])


def differences(service: SmallService) -> list[str]:
    return feed_differences(service.feed.state, fully_read_state(service), service.clock.at.timestamp())


def test_the_events_of_an_idle_user_leave_memory_and_return_with_the_next_request() -> None:
    service = service_with_history()
    send_idle_away(service)
    assert is_away(service, "reader")
    assert not is_away(service, "other")
    assert not service.feed.state.event_count(service.feed.state.user_rows[user_uuid("reader").bytes])

    page = service.page("reader", limit=50)

    assert page.source == "personalized"
    assert set(names(page)) == {f"p{number}" for number in range(4, 12)}  # the others are seen
    assert not is_away(service, "reader")
    assert differences(service) == []


def test_free_memory_is_returned_after_users_were_sent_away_only() -> None:
    service = service_with_history()
    returned: list[bool] = []
    evictor = UserEvictor(
        service.workers.updater, 90 * DAY, lambda: returned.append(is_away(service, "reader"))
    )

    for _ in range(2):
        evictor.run()

    assert returned == [True]


def test_explanations_are_those_of_the_page_with_the_events_that_returned() -> None:
    for ask in ("post", "user"):
        service = service_with_history()
        send_idle_away(service)

        if ask == "post":
            assert service.explain.post("reader", "p1", 50).excluded_as == ["seen"]
        else:
            assert service.explain.user("reader", 50).event_count == 4
        assert not is_away(service, "reader")


def test_without_the_database_a_returning_user_gets_the_page_of_a_new_one() -> None:
    service = service_with_history()
    send_idle_away(service)
    service.tables.away = True  # not noticed yet

    page = service.page("reader", limit=50)
    service.disconnect()
    later = service.page("reader", limit=50)

    assert (page.source, page.degraded) == (later.source, later.degraded) == ("cold_start", True)
    assert [one.degraded for one in service.shown[-2:]] == [True, True]
    service.reconnect()
    assert service.page("reader", limit=50).source == "personalized"


def test_a_request_keeps_the_events_of_a_user_in_memory() -> None:
    service = service_with_history()
    service.page("reader")

    send_idle_away(service)

    assert not is_away(service, "reader")


def test_nobody_is_idle_in_a_feed_without_activity() -> None:
    service = a_service(12)
    service.track("reader", "p1", "like")
    service.pass_time(1000 * DAY)

    send_idle_away(service)

    assert not is_away(service, "reader")


def test_an_event_of_a_user_who_is_away_counts_by_all_their_events() -> None:
    service = service_with_history()
    send_idle_away(service)

    service.track("reader", "p1", "like")
    service.track("reader", "p1", "like")  # in the same window
    service.catch_up()

    assert engagements(service, "p1") == 2
    assert not is_away(service, "reader")
    assert differences(service) == []


def test_a_retraction_of_a_user_who_is_away_is_counted() -> None:
    service = service_with_history()
    send_idle_away(service)

    service.retract("reader", "p1", "like")

    assert engagements(service, "p1") == 0
    assert differences(service) == []


def test_the_removal_of_a_user_who_is_away_is_counted() -> None:
    service = service_with_history()
    send_idle_away(service)

    service.tables.remove_user(user_uuid("reader"))
    service.catch_up()

    assert engagements(service, "p1") == 0
    assert differences(service) == []


def test_a_comparison_finds_a_missed_removal_of_an_event_of_a_user_who_is_away() -> None:
    service = service_with_history()
    send_idle_away(service)
    service.tables.events.pop(0)

    reconcile_now(service)

    assert engagements(service, "p0") == 1
    assert differences(service) == []
