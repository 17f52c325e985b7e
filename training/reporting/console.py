"""Tables on standard output."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from training.evaluation.against import OrderComparison
from training.evaluation.metrics import Estimate
from training.evaluation.option_search import Ablation
from training.evaluation.pipeline_diagnostics import SourceSummary
from training.evaluation.summary import SEGMENTS, RankerSummary
from training.off_policy.estimators import PLACES, OffPolicyEstimate
from training.off_policy.evaluation import OffPolicyEvaluation

SOURCE_COLUMNS: Final = ("source", "recall", "only", "posts", "ms")


def print_summary_table(rows: Mapping[str, RankerSummary]) -> None:
    """Print the rankers, largest NDCG first: accuracy with intervals, NDCG by segment, statistics of the lists."""
    counts = next(iter(rows.values())).segments
    segments = [f"{name}\nn={counts[name].n}" for name in SEGMENTS]
    table = _table("ranker", "ndcg@10", "hit@10", "mrr", *segments, "cover", "novelty", "gini", "authors")
    for name, row in sorted(rows.items(), key=lambda item: -item[1].accuracy["ndcg@10"].mean):
        table.add_row(name, *summary_cells(row))
    print_table(table)


def print_holdout_table(rows: Mapping[str, Mapping[str, Estimate]], split_at: str) -> None:
    """Print the metrics of each ranker with intervals, largest NDCG@5 first; `split_at` is the time of the split."""
    first = next(iter(rows.values()))
    table = _table("ranker", *first)
    for name, row in sorted(rows.items(), key=lambda item: -item[1]["ndcg@5"].mean):
        table.add_row(name, *map(interval, row.values()))
    print(f"{first['ndcg@5'].n:,} users, split at {split_at}; 95 % intervals over users")
    print_table(table)


def print_off_policy_table(found: OffPolicyEvaluation) -> None:
    """Print the estimates of each ranking, or why there are none."""
    table = _table("ranking", "snips", "doubly robust", "effective users", "without support")
    for name, row in found.rankings.items():
        estimates = [_off_policy_cell(one) for one in (row.snips, row.doubly_robust)]
        table.add_row(name, *estimates, f"{row.effective_users:,.0f}", f"{row.unsupported:.1%}")
    drawn = _off_policy_cell(found.drawn)
    print(
        f"{found.pages:,} pages of {found.users:,} users; {', '.join(found.targets)} in the first {PLACES} places of"
    )
    print(
        f"a page: {drawn} as drawn, and by each ranking, drawn at random in the same way; 95 % intervals over users"
    )
    print_table(table)
    for name, row in found.rankings.items():
        if row.rejected:
            print(f"{name}: no estimate: {row.rejected}")


def _off_policy_cell(estimate: OffPolicyEstimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.4f} [{estimate.low:.4f} {estimate.high:.4f}]"


def print_sources_table(rows: Mapping[str, SourceSummary]) -> None:
    """Print recall, number of posts and time of each source of the served pipeline."""
    table = _table(*SOURCE_COLUMNS)
    for name, row in rows.items():
        table.add_row(name, *source_cells(row))
    print_table(table)


def print_comparison(comparison: OrderComparison) -> None:
    """Print the metrics of the order that a feed has now and of `served`, their differences, and the verdict."""
    table = _table("ranking", *comparison.difference)
    table.add_row(f"theirs ({comparison.order})", *map(interval, comparison.theirs.values()))
    table.add_row("ours (served)", *map(interval, comparison.ours.values()))
    table.add_row("ours - theirs", *(interval(one, "+.3f") for one in comparison.difference.values()))
    print_table(table)
    print(comparison.verdict)


def print_ablation_table(whole: Estimate, results: Sequence[Ablation]) -> None:
    """Print NDCG@10 of `served` without each part, largest loss first."""
    table = _table("without", "ndcg@10", "change", "95 % interval of the change", "matters")
    table.add_row("nothing (the whole ranking)", interval(whole), "", "", "")
    for result in sorted(results, key=lambda result: result.change.mean):
        change = result.change
        mean, bounds = interval(change, "+.4f").split(" ", 1)
        matters = "yes" if result.matters else ""
        table.add_row(result.part, interval(result.ndcg), mean, bounds, matters)
    print(f"{whole.n:,} requests; 95 % intervals over users, changes paired by request")
    print_table(table)


def summary_cells(row: RankerSummary) -> list[str]:
    """The cells of a ranker: accuracy, segments, coverage, novelty, Gini and author diversity."""
    segments = [row.segments[name] for name in SEGMENTS]
    return [
        *map(interval, row.accuracy.values()),
        *(figure(segment.mean) for segment in segments),
        figure(row.coverage),
        figure(row.novelty, ".1f"),
        figure(row.gini),
        figure(row.author_diversity, ".2f"),
    ]


def source_cells(row: SourceSummary) -> list[str]:
    """The cells of a source, in the order of SOURCE_COLUMNS."""
    return [
        figure(row.recall),
        figure(row.unique_recall),
        figure(row.nominated, ",.0f"),
        figure(row.milliseconds, ".2f"),
    ]


def figure(value: float | None, places: str = ".3f") -> str:
    """A number in the given format; "-" where there is none."""
    return "-" if value is None or math.isnan(value) else format(value, places)


def interval(estimate: Estimate, places: str = ".3f") -> str:
    """Text such as `0.351 [0.340 0.362]`; "-" without requests, and for the bounds with one user."""
    if not estimate.n:
        return "-"
    bounds = f"[{estimate.low:{places}} {estimate.high:{places}}]" if estimate.low <= estimate.high else "[-]"
    return f"{estimate.mean:{places}} {bounds}"


def _table(first_column: str, *columns: str) -> Table:
    table = Table(first_column)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def print_table(table: Table) -> None:
    """Print a table; to a pipe with 200 columns."""
    console = Console()
    if not console.is_terminal:
        console.width = 200  # 80 columns, the default of a pipe, would wrap the cells
    console.print(table, markup=False)
