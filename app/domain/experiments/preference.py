"""What an interleaving experiment shows so far: which ranking's posts the users prefer."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from app.domain.experiments.confidence_sequence import MIN_USERS, Mean, interval
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.user_credits import UserCredits


@dataclass(frozen=True, slots=True)
class Preference:
    """An interleaving so far.

    users            those who were shown a page
    complete_users   those whose window has ended; all figures are theirs
    pages            that they were shown in the window
    control_events, variant_events  events of the metric with posts that each ranking drafted
    preference       mean over users of variant_events - control_events
    low, high        its interval, which holds at every look; None with too few users
    verdict          a sentence without its full stop
    """

    experiment: str
    salt: str
    window_days: int
    metric: str
    control: str
    variant: str
    users: int
    complete_users: int
    pages: int
    control_events: int
    variant_events: int
    preference: float
    low: float | None
    high: float | None
    verdict: str


def preference(experiment: Experiment, credited: UserCredits, today: date) -> Preference:
    """The preference of the users whose windows ended before `today` (UTC). `experiment` is an interleaving."""
    variant = experiment.interleaved_variant
    assert variant is not None, "an interleaving has a variant"
    is_complete = credited.first + np.timedelta64(experiment.window_days, "D") <= np.datetime64(today)
    differences = (credited.variant - credited.control)[is_complete]
    value, low, high = float(differences.mean()) if len(differences) else 0.0, None, None
    if len(differences) < MIN_USERS:
        verdict = f"not enough data yet: it takes {MIN_USERS} users whose window has ended"
    else:
        found = interval(Mean.of(differences), experiment.planned_users)
        low, high = found.low, found.high
        verdict = "no preference is known yet"
        if found.excludes_zero:
            preferred = variant if found.value > 0 else experiment.control
            verdict = f"users prefer {preferred.name}"
    return Preference(
        experiment.name,
        experiment.salt,
        experiment.window_days,
        experiment.primary_metric,
        experiment.control.name,
        variant.name,
        len(is_complete),
        int(is_complete.sum()),
        int(credited.pages[is_complete].sum()),
        int(credited.control[is_complete].sum()),
        int(credited.variant[is_complete].sum()),
        value,
        low,
        high,
        verdict,
    )
