"""The ranking clock advances in steps."""

from datetime import UTC, datetime, timedelta

from app.infrastructure.clock import SteppingClock


def test_a_stepping_clock_returns_the_start_of_the_current_step() -> None:
    step = timedelta(hours=1)
    before = datetime.now(UTC)

    time = SteppingClock(step).now()

    assert (time.minute, time.second, time.microsecond) == (0, 0, 0)
    assert before - step < time <= datetime.now(UTC)
