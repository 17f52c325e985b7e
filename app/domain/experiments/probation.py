"""The probation of promoted weights: some users keep the version of before, as in an experiment with two variants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.model_record import ModelRecord
from app.domain.experiments.comparison import Comparison, compare_choices
from app.domain.experiments.confidence_sequence import MIN_USERS
from app.domain.experiments.experiment import Experiment, Variant

PREFIX: Final = "probation-"
"""Names of these experiments begin with it, and no others."""
CONFIG_KEY: Final = "probation"
"""The key of the probation in the signed configuration of a version."""
NEW: Final = "new"
OLD: Final = "old"
OLD_SHARE: Final = 0.1
CHOICE: Final = "choice"
"""The metric that is compared: events of the types that training learns from, for each post that was shown."""


@dataclass(frozen=True, slots=True, eq=False)
class ProbationCounts:
    """What the users of a probation were shown and chose.

    variants  (n,) names
    posts     (n,) posts on their pages
    choices   (n,) events of the types that training learns from
    """

    variants: NDArray[np.str_]
    posts: NDArray[np.float64]
    choices: NDArray[np.float64]


def probation_config(against: str, until: datetime, targets: Sequence[str]) -> dict[str, Any]:
    """What the configuration of a version stores: the version of before, the end, and the types of events."""
    return {"against": against, "until": until.isoformat(timespec="seconds"), "targets": list(targets)}


def probation_of(record: ModelRecord) -> Experiment | None:
    """The probation of a version, the same on every replica; None for a version without one.

    The promoted version is the control: it is served, and the variant OLD ranks with the version of before. A
    configuration that is none of `probation_config` counts as none.
    """
    stored = record.config.get(CONFIG_KEY)
    if not isinstance(stored, Mapping):
        return None
    try:
        start, end = (datetime.fromisoformat(text) for text in (record.created_at, stored["until"]))
        window_days, against = max(1, ceil((end - start) / timedelta(days=1))), str(stored["against"])
    except (KeyError, TypeError, ValueError):
        return None
    return Experiment(
        name=f"{PREFIX}{record.version}",
        salt=record.sha256,
        variants=(Variant(NEW, 1 - OLD_SHARE, {}), Variant(OLD, OLD_SHARE, {}, against)),
        held_back=0.0,
        start=start.timestamp(),
        end=end.timestamp(),
        primary_metric=CHOICE,
        guardrails=(),
        planned_users=ceil(MIN_USERS / OLD_SHARE),
        window_days=window_days,
        enabled=True,
    )


def targets_of(record: ModelRecord) -> Sequence[str]:
    """The types of events that are compared in the probation of a version."""
    return list(record.config[CONFIG_KEY]["targets"])


def kept_version(probation: Experiment) -> str:
    """The version of before."""
    return str(next(variant.model for variant in probation.variants if variant.name == OLD))


def compare(probation: Experiment, counts: ProbationCounts) -> Comparison:
    """The version of before against the promoted one, which is worse if the outcome is "better".

    Of each user, at most as many choices count as posts were shown, so that no account outweighs all others.
    """
    choices = np.minimum(counts.choices, counts.posts)
    of_new, of_old = (counts.variants == name for name in (NEW, OLD))
    new, old = ((choices[some], counts.posts[some]) for some in (of_new, of_old))
    return compare_choices(probation, OLD, new, old)
