"""What training's commands show to a person: progress on standard error, tables on standard output."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from training.evaluation.ablation import Ablation
from training.evaluation.metrics import Estimate
from training.evaluation.pipeline_diagnostics import SourceSummary
from training.evaluation.summary import SEGMENTS, RankerSummary


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while this is open, fed with (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(what, total=None)

        def show(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield show


def summary_table(rows: Mapping[str, RankerSummary]) -> None:
    """The rankers, best NDCG first: accuracy with intervals, NDCG of each segment, then what the lists are like."""
    counts = next(iter(rows.values())).segments
    table = Table("ranker", title_justify="left")
    for name in ("ndcg@10", "hit@10", "mrr", *(f"{name}\nn={counts[name].n}" for name in SEGMENTS)):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("cover", "novelty", "gini", "authors"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in sorted(rows.items(), key=lambda one: -one[1].accuracy["ndcg@10"].mean):
        table.add_row(
            name,
            *(interval(one) for one in row.accuracy.values()),
            *(
                f"{row.segments[segment].mean:.3f}" if row.segments[segment].n else "-"
                for segment in SEGMENTS
            ),
            f"{row.coverage:.3f}",
            f"{row.novelty:.1f}",
            f"{row.gini:.3f}",
            f"{row.author_diversity:.2f}",
        )
    _print(table)


def holdout_lines(rows: Mapping[str, Mapping[str, Estimate]], since: str) -> None:
    """precision@5, recall@5 and ndcg@5 of each ranker."""
    first = next(iter(rows.values()))
    table = Table("ranker")
    for name in first:
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in sorted(rows.items(), key=lambda one: -one[1]["ndcg@5"].mean):
        table.add_row(name, *(interval(one) for one in row.values()))
    print(f"{first['ndcg@5'].n:,} users, split at {since}; 95 % intervals over users")
    _print(table)


def sources_table(rows: Mapping[str, SourceSummary]) -> None:
    """What each source of the service's pipeline names of what users chose, and its cost."""
    table = Table("source")
    for name in ("recall", "alone", "posts", "ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in rows.items():
        table.add_row(
            name, f"{row.recall:.3f}", f"{row.alone:.3f}", f"{row.nominated:,.0f}", f"{row.milliseconds:.2f}"
        )
    _print(table)


def ablation_table(whole: Estimate, results: Sequence[Ablation]) -> None:
    """NDCG@10 of `served` without each part, the largest loss first."""
    table = Table("without")
    for name in ("ndcg@10", "change", "95 % interval of the change", "matters"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("nothing (the whole ranking)", interval(whole), "", "", "")
    for one in sorted(results, key=lambda one: one.change.mean):
        change = one.change
        table.add_row(
            one.part,
            interval(one.ndcg),
            f"{change.mean:+.4f}",
            f"[{change.low:+.4f} {change.high:+.4f}]",
            "yes" if one.matters else "",
        )
    print(f"{whole.n:,} requests; 95 % intervals over users, changes paired by request")
    _print(table)


def interval(figure: Estimate) -> str:
    """`.351 [.340 .362]`, for a table."""
    return f"{figure.mean:.3f} [{figure.low:.3f} {figure.high:.3f}]"


def _print(table: Table) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 200  # a pipe has no width; 80 columns would break the figures
    console.print(table, markup=False)
