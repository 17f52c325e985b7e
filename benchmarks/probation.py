"""Measures which losses a probation finds: `python -m benchmarks.probation`.

Simulated users come during four hours, and come back for more pages. How much they choose differs between users by much
more than between versions. The trainer looks every ten minutes, with the assignment and the intervals of the service.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

import numpy as np

from app.domain.entities.model_record import ModelRecord
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.probation import (
    CONFIG_KEY,
    NEW,
    OLD,
    OLD_SHARE,
    ProbationCounts,
    compare,
    probation_config,
    probation_of,
)
from app.shared.command_line import OneLineParser, whole_number

USERS: Final = (5_000, 20_000, 100_000)
LOSSES: Final = (0.0, 0.1, 0.2, 0.3, 0.5)
_LOOK_MINUTES: Final = 10
_LOOKS: Final = 24
_RETURNS: Final = 0.12  # probability that a user has a page between two looks
_PAGE: Final = 20
_CHOSEN: Final = 0.05  # of the posts on a page, by the mean user
_START: Final = datetime(2026, 12, 1, 9, tzinfo=UTC)


def minutes_to_rollback(probation: Experiment, users: int, loss: float, seed: int) -> int | None:
    """The minutes after which weights are rolled back with which users choose less; None if they are not."""
    random = np.random.default_rng(seed)
    variants = np.where(random.random(users) < OLD_SHARE, OLD, NEW)
    rate = _PAGE * _CHOSEN * random.gamma(0.5, 2.0, users) * np.where(variants == NEW, 1 - loss, 1.0)
    begins = random.integers(0, _LOOKS, users)
    posts, choices = np.zeros(users), np.zeros(users)
    for look in range(_LOOKS):
        is_here = (begins <= look) & (random.random(users) < _RETURNS)
        posts += _PAGE * is_here
        choices += random.poisson(is_here * rate)
        shown = posts > 0
        found = compare(probation, ProbationCounts(variants[shown], posts[shown], choices[shown]))
        if found.outcome == "better":
            return (look + 1) * _LOOK_MINUTES
    return None


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """For each number of users and each loss: the share that is rolled back, and the median minutes until then."""
    probation = _probation()
    rows = []
    for users in USERS:
        for loss in LOSSES:
            found = [minutes_to_rollback(probation, users, loss, seed) for seed in range(args.probations)]
            minutes = [one for one in found if one is not None]
            rows.append(
                {
                    "users": users,
                    "loss": loss,
                    "rolled_back": len(minutes) / len(found),
                    "median_minutes": median(minutes) if minutes else None,
                }
            )
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"{'users':>9}{'loss':>8}{'rolled back':>14}{'median minutes':>17}"]
    for row in rows:
        minutes = "-" if row["median_minutes"] is None else f"{row['median_minutes']:.0f}"
        lines.append(f"{row['users']:>9,}{row['loss']:>8.0%}{row['rolled_back']:>14.1%}{minutes:>17}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns its exit code."""
    parser = OneLineParser(prog="benchmarks.probation", description=__doc__)
    parser.add_argument(
        "--probations",
        type=whole_number(1),
        default=40,
        help="of each number of users and loss (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the figures for a program")
    args = parser.parse_args(argv)
    rows = measure(args)
    print(json.dumps(rows, indent=2) if args.json else table(rows))
    return 0


def _probation() -> Experiment:
    end = _START + timedelta(minutes=_LOOKS * _LOOK_MINUTES)
    config = {CONFIG_KEY: probation_config("v1", end, ["like"])}
    found = probation_of(
        ModelRecord("v2", "model.pkl", _START.isoformat(), "active", "0" * 64, 1, {}, config)
    )
    assert found is not None
    return found


if __name__ == "__main__":
    sys.exit(main())
