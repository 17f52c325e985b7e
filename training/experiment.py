"""Plan and read out experiments: `python -m training.experiment plan|report NAME`."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from app.domain.experiments.experiment import Experiment
from app.domain.experiments.preference import preference
from app.domain.experiments.read_out import PER_POSTS, Comparison, ReadOut, plan, read_out
from app.infrastructure.config.experiments_file import read_experiments
from app.infrastructure.config.settings import Settings, read_settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.experiment_counts import SqlExperimentCounts
from app.infrastructure.database.experiment_credits import SqlExperimentCredits
from app.shared.command_line import OneLineParser, warn
from app.shared.exceptions import ConfigurationError
from data.command_line import run_command
from training.command_line import print_json

_PROG: Final = "training.experiment"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], None] = args.command
    return run_command(_PROG, lambda: command(args))


def _plan(args: argparse.Namespace) -> None:
    settings = read_settings()
    experiment = _experiment(settings, args.name)
    if experiment.kind == "interleaving":
        raise ConfigurationError(
            f"experiment {args.name!r} is an interleaving, for which there is no plan; "
            "take planned_users = 1000 and look at its report"
        )
    metric, window_days = experiment.primary_metric, experiment.window_days
    with _stored_counts(settings) as stored:
        after, before = stored.baseline(metric, window_days, _today(settings))
    found = plan(experiment, after, before, args.effect / 100)
    if found is None:
        raise ConfigurationError(
            f"no user who was shown a page {window_days} to {2 * window_days} days ago has an event {metric!r} since; "
            "plan once there are some, or choose another primary_metric"
        )
    if args.json:
        print_json(found)
        return
    print(
        f"{metric} per user in {window_days} days: {found.mean:.3f}\n"
        f"a difference of {found.smallest_effect:.3f} ({args.effect:g} %) takes {found.users:,} users of the control "
        f"and a variant: about {found.days} days at the present rate\n"
        f"write planned_users = {found.users} into the file before the experiment starts"
    )


def _report(args: argparse.Namespace) -> None:
    settings = read_settings()
    experiment = _experiment(settings, args.name)
    if experiment.kind == "interleaving":
        _report_preference(args, settings, experiment)
        return
    with _stored_counts(settings) as stored:
        counts = stored.of_users(
            experiment.name, experiment.primary_metric, experiment.guardrails, experiment.window_days
        )
    found = read_out(experiment, counts, _today(settings))
    if args.json:
        print_json(found)
    else:
        _print(found)
    if found.lost_users:
        warn(
            _PROG,
            f"the numbers of users contradict the shares (p = {found.sample_ratio_p_value:.2g}): something loses users "
            "of a variant; find it before you use these figures",
        )


def _report_preference(args: argparse.Namespace, settings: Settings, experiment: Experiment) -> None:
    oldest = _today(settings) - timedelta(days=settings.impression_days)
    with cli_engine(settings) as engine:
        schema = feed_schema(engine, settings.db_schema)
        credited = SqlExperimentCredits(engine, schema, settings.load_budget_seconds).of_users(
            experiment.name, experiment.primary_metric, experiment.window_days, oldest
        )
    found = preference(experiment, credited, _today(settings))
    if experiment.start < datetime.combine(oldest, time(), UTC).timestamp():
        warn(
            _PROG,
            f"users whose first page is older than {oldest} are in no figure: their pages are not stored",
        )
    if args.json:
        print_json(found)
        return
    ends = "" if found.low is None or found.high is None else f" ({found.low:+.3f} to {found.high:+.3f})"
    print(
        f"users, and those whose {found.window_days} days have ended: {found.users:,} ({found.complete_users:,}), "
        f"who were shown {found.pages:,} pages\n"
        f"{found.metric}: {found.variant_events:,} with posts of {found.variant}, {found.control_events:,} with posts "
        f"of {found.control}, difference per user {found.preference:+.3f}{ends}\n    {found.verdict}"
    )


def _print(found: ReadOut) -> None:
    users = ", ".join(
        f"{name} {found.users[name]:,} ({found.complete_users[name]:,})" for name in found.users
    )
    print(f"users, and those whose {found.window_days} days have ended: {users}")
    if found.mixed_users:
        print(f"{found.mixed_users:,} users had several variants and are in no figure")
    for unit, rows in (("per user", found.primary), (f"per {PER_POSTS:,} posts", found.guardrails)):
        for row in rows:
            print(_line(row, unit))


def _line(row: Comparison, unit: str) -> str:
    interval = "" if row.low is None or row.high is None else f" ({row.low:+.3f} to {row.high:+.3f})"
    return (
        f"{row.metric} {unit}: {row.variant} {row.other:.3f}, control {row.control:.3f}, "
        f"difference {row.difference:+.3f}{interval}\n    {row.verdict}"
    )


def _experiment(settings: Settings, name: str) -> Experiment:
    """The experiment of a name. Raises ConfigurationError."""
    if settings.experiments_file is None:
        raise ConfigurationError("EXPERIMENTS_FILE: is not set; set it to the file with the experiments")
    experiments = read_experiments(settings.experiments_file)
    found = next((one for one in experiments if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in experiments) or "none"
        raise ConfigurationError(f"{settings.experiments_file}: has no experiment {name!r}; it has {names}")
    return found


@contextmanager
def _stored_counts(settings: Settings) -> Iterator[SqlExperimentCounts]:
    """Reads the database of the settings. Raises the errors of `cli_engine`."""
    with cli_engine(settings) as engine:
        schema = feed_schema(engine, settings.db_schema)
        yield SqlExperimentCounts(engine, schema, settings.load_budget_seconds)


def _today(settings: Settings) -> date:
    return (settings.feed_now or datetime.now(UTC)).astimezone(UTC).date()


def _percent(text: str) -> float:
    """An argument type: a number above 0 and at most 1000."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage above 0; use one such as 5")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=_PROG, description="Plan an experiment of EXPERIMENTS_FILE, or show what it found."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], None], help_text: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text, description=help_text)
        sub.add_argument("name", metavar="NAME", help="of the experiment")
        sub.add_argument("--json", action="store_true", help="print the result as JSON")
        sub.set_defaults(command=command)
        return sub

    planned = add("plan", _plan, "how many users it takes to find a difference")
    planned.add_argument(
        "--effect",
        type=_percent,
        default=5.0,
        metavar="PERCENT",
        help="difference in the primary metric that is to be found (default: 5)",
    )
    add("report", _report, "what the experiment found so far; it may be read at any time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
