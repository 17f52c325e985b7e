"""Draws the evaluation of continuous training: NDCG@10 of each policy by number of requests."""

from pathlib import Path
from typing import Any, Final, cast

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from training.continuous.evaluation import BEST, CONTINUOUS, DAILY, FORMULA, FROZEN, ContinuousResult
from training.reporting.plot_style import plot_style

_COLOURS: Final = {
    CONTINUOUS: "#3568c9",
    DAILY: "#c96b35",
    FROZEN: "#8a8a8a",
    FORMULA: "#8a4fbf",
    BEST: "#3c9a5f",
}


def save_plot(result: ContinuousResult, path: Path) -> None:
    """Write the plot in the format of the file's suffix. Raises OSError."""
    with mpl.rc_context(cast(Any, plot_style("continuous"))):
        canvas = Canvas(figsize=(8.0, 4.0), layout="constrained")
        axes = canvas.subplots()
        curve = list(result.curve())
        ends = [*(start for start, _ in curve[1:]), len(result.users)]
        for name in result.ranks:
            points = [
                ((start + end) / 2 - result.changed, ndcg[name])
                for (start, ndcg), end in zip(curve, ends, strict=True)
                if name in ndcg
            ]
            axes.plot(*zip(*points, strict=True), "o-", color=_COLOURS[name], markersize=3, label=name)
        for one in result.promotions:
            axes.axvline(
                one.requests - result.changed, color=_COLOURS[CONTINUOUS], linewidth=0.8, linestyle=":"
            )
        if result.changed:
            axes.axvline(0, color="#333333", linewidth=0.8)
        axes.set_xlabel("requests since the change of behaviour" if result.changed else "requests")
        axes.set_ylabel("NDCG@10")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, ncols=len(result.ranks), loc="upper center", bbox_to_anchor=(0.5, 1.12))
        metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else None
        canvas.savefig(path, metadata=metadata)
