"""The clock that ranks goes in steps."""

from datetime import UTC, datetime, timedelta

from app.infrastructure.clock import SteppingClock


def test_a_stepping_clock_shows_the_begin_of_the_present_step() -> None:
    step = timedelta(hours=1)
    before = datetime.now(UTC)

    shown = SteppingClock(step).now()

    assert (shown.minute, shown.second, shown.microsecond) == (0, 0, 0)
    assert before - step < shown <= datetime.now(UTC)
