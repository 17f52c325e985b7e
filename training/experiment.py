"""Plan, read out and export experiments: `python -m training.experiment plan|report|export NAME`."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Final

from app.domain.experiments.experiment import Experiment
from app.domain.experiments.preference import preference
from app.domain.experiments.read_out import ReadOut, plan, read_out, read_own_metrics
from app.infrastructure.config.experiments_file import read_experiments
from app.infrastructure.config.settings import Settings, read_settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.experiment_counts import SqlExperimentCounts
from app.infrastructure.database.experiment_credits import SqlExperimentCredits
from app.infrastructure.database.experiment_metrics import QUERY_SECONDS, SqlOwnMetrics
from app.infrastructure.database.experiment_results import SqlExperimentResults
from app.shared.command_line import OneLineParser, warn
from app.shared.exceptions import ConfigurationError
from data.command_line import run_command
from training.command_line import plot_file, print_json
from training.reporting.exposures import COUNTS, EXPOSURES, write_rows

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
    with _stored(settings) as stored:
        after, before = stored.counts.baseline(metric, window_days, _now(settings).date())
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
    now = _now(settings)
    with _stored(settings) as stored:
        data = stored.counts.read(experiment, now)
        stops = [stop for stop in stored.results.stops() if experiment.has_stop(stop)]
        values = [stored.own_metrics.values(experiment, metric) for metric in experiment.own_metrics]
    own = read_own_metrics(experiment, values, now.date(), stops)
    found = replace(read_out(experiment, data, now.date(), stops), own_metrics=own)
    if args.plot is not None:
        from training.reporting.experiment_plot import save_plot  # matplotlib takes a second

        save_plot(experiment, found, args.plot)
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
    now = _now(settings)
    with cli_engine(settings) as engine:
        schema = feed_schema(engine, settings.db_schema)
        stored = SqlExperimentCredits(engine, schema, settings.load_budget_seconds, settings.impression_days)
        found = preference(experiment, stored.read(experiment, now), now.date())
    oldest = stored.oldest_day(now)
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


def _export(args: argparse.Namespace) -> None:
    settings = read_settings()
    experiment, folder = _experiment(settings, args.name), args.output
    files = [folder / name for name in ("exposures.parquet", "counts.parquet")]
    if any(file.exists() for file in files):
        raise ConfigurationError(f"--output: {folder} has an export; use another folder")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _stored(settings) as stored:
            users = write_rows(files[0], EXPOSURES, stored.counts.exposures(experiment.name))
            rows = write_rows(files[1], COUNTS, stored.counts.daily_counts(experiment.name))
        if not users:
            raise ConfigurationError(f"no user was shown a page of {experiment.name!r}; export it later")
    except BaseException:  # both files or none
        for file in files:
            file.unlink(missing_ok=True)
        raise
    print(f"{folder}: {users:,} exposures and {rows:,} daily counts of {experiment.name}")


def _print(found: ReadOut) -> None:
    users = ", ".join(
        f"{name} {found.users[name]:,} ({found.complete_users[name]:,})" for name in found.users
    )
    print(f"users, and those whose {found.window_days} days have ended: {users}")
    if found.mixed_users:
        print(f"{found.mixed_users:,} users had several variants and are in no figure")
    for row in (*found.primary, *found.guardrails, *found.own_metrics):
        print(f"{row.figures}\n    {row.verdict}")
    for stop in found.stops:
        print(
            f"{stop.variant} was stopped at {stop.stopped_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, and its figures are "
            f"those of that time\n    {stop.reason}"
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


@dataclass(frozen=True, slots=True)
class _Stored:
    counts: SqlExperimentCounts
    results: SqlExperimentResults
    own_metrics: SqlOwnMetrics


@contextmanager
def _stored(settings: Settings) -> Iterator[_Stored]:
    """What is stored about experiments. Raises the errors of `cli_engine`."""
    with cli_engine(settings) as engine:
        database = engine, feed_schema(engine, settings.db_schema)
        yield _Stored(
            SqlExperimentCounts(*database, settings.load_budget_seconds),
            SqlExperimentResults(*database, settings.load_budget_seconds),
            SqlOwnMetrics(*database, QUERY_SECONDS),
        )


def _now(settings: Settings) -> datetime:
    return (settings.feed_now or datetime.now(UTC)).astimezone(UTC)


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
        prog=_PROG, description="Plan an experiment of EXPERIMENTS_FILE, show what it found, or export it."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], None], help_text: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text, description=help_text)
        sub.add_argument("name", metavar="NAME", help="of the experiment")
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
    reported = add("report", _report, "what the experiment found so far; it may be read at any time")
    reported.add_argument(
        "--plot",
        type=plot_file,
        metavar="FILE",
        help="write a plot of the effect by day, by position and by reason (.svg, .png or .pdf)",
    )
    for sub in (planned, reported):
        sub.add_argument("--json", action="store_true", help="print the result as JSON")
    exported = add("export", _export, "write who was exposed to which variant, and the counts, as Parquet")
    exported.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
