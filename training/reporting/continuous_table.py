"""Prints the evaluation of continuous training."""

from rich.table import Table

from training.continuous.evaluation import BEST, CONTINUOUS, ContinuousResult
from training.reporting.console import figure, print_table


def print_continuous(result: ContinuousResult) -> None:
    """Print the differences, the promotions, and NDCG@10 by number of requests."""
    for name in result.ranks:
        if name not in (CONTINUOUS, BEST):
            print(f"continuous against {name}: {result.against(name)}")
    for one in result.promotions:
        print(f"promoted after {one.requests:,} requests: {one.comparison}")
    table = Table("from request")
    for name in result.ranks:
        table.add_column(f"{name}\nndcg@10", justify="right", no_wrap=True)
    for start, ndcg in result.curve():
        table.add_row(f"{start - result.changed:,}", *(figure(ndcg.get(name)) for name in result.ranks))
    if result.changed:
        print("requests are counted from the change of behaviour")
    print_table(table)
