"""Draws plots of an evaluation, each as one SVG element."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from app.domain.ranking.choice_model import ChoiceModel
from training.evaluation.metrics import Estimate
from training.evaluation.pipeline_diagnostics import CalibrationBin, SourceSummary
from training.evaluation.summary import RankerSummary
from training.reporting.plot_style import plot_style

_MARK: Final = "#3568c9"
_MUTED: Final = "#9aa5b1"
_MAX_FEATURES: Final = 30


def _svg(draw: Callable[[Axes], None], width: float = 7.5, height: float = 3.4) -> str:
    """An SVG element with axes that `draw` fills; sizes in inches."""
    with mpl.rc_context(cast(Any, plot_style("evaluation"))):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        draw(canvas.subplots())
        out = io.StringIO()
        canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def ranker_comparison(table: Mapping[str, RankerSummary]) -> str:
    """NDCG@10 of each ranker with its interval, largest at the top."""
    rows = sorted(table.items(), key=lambda item: item[1].accuracy["ndcg@10"].mean)

    def draw(axes: Axes) -> None:
        estimates = [row.accuracy["ndcg@10"] for _, row in rows]
        mean = np.array([one.mean for one in estimates])
        error = np.abs(np.array([[one.mean - one.low, one.high - one.mean] for one in estimates]).T)
        colours = [_MARK if name in ("learned", "served") else _MUTED for name, _ in rows]
        axes.barh([name for name, _ in rows], mean, xerr=error, color=colours, ecolor="#333333", capsize=2)
        axes.set_xlabel("NDCG@10, 95 % interval over users")

    return _svg(draw, height=0.6 + 0.26 * len(rows))


def quality_and_time(rows: Mapping[str, tuple[Estimate, float]]) -> str:
    """NDCG@10 with its interval against milliseconds per request. The names are in a column, joined to their marks."""
    ordered = sorted(rows.items(), key=lambda item: item[1][0].mean)
    highest = max(estimate.high for estimate, _ in rows.values())
    line = highest / max(len(rows), 16)  # between two names

    def draw(axes: Axes) -> None:
        axes.set(xscale="log", xlabel="milliseconds per request", ylabel="NDCG@10, 95 % interval over users")
        height = -line
        for name, (estimate, milliseconds) in ordered:
            colour = _MARK if name in ("learned", "served") else _MUTED
            axes.plot([milliseconds] * 2, [estimate.low, estimate.high], color=colour, linewidth=1.5)
            axes.plot(milliseconds, estimate.mean, "o", color=colour, markersize=4)
            height = max(height + line, estimate.mean)
            axes.annotate(
                name,
                (milliseconds, estimate.mean),
                (1.04, height),
                textcoords=axes.get_yaxis_transform(),
                va="center",
                arrowprops={"arrowstyle": "-", "color": _MUTED, "linewidth": 0.4, "relpos": (0, 0.5)},
            )

    return _svg(draw, height=4.6)


def by_bins(
    values: Mapping[str, NDArray[np.float64]], bins: NDArray[np.intp], labels: Sequence[str], axis: str
) -> str:
    """Mean NDCG@10 of each ranker in each bin, and the number of requests. `bins` holds the bin of each request."""

    def draw(axes: Axes) -> None:
        counts = np.bincount(bins, minlength=len(labels))
        positions = np.arange(len(labels))
        background = axes.twinx()
        background.bar(positions, counts, color="#e5e9ee", zorder=0)
        background.set_ylabel("requests")
        background.grid(visible=False)
        axes.set_zorder(background.get_zorder() + 1)
        axes.patch.set_visible(False)
        for name, ndcg in values.items():
            mean = np.bincount(bins, weights=ndcg, minlength=len(labels)) / np.maximum(counts, 1)
            axes.plot(positions[counts > 0], mean[counts > 0], marker="o", markersize=3, label=name)
        axes.set_xticks(positions, labels)
        axes.set(xlabel=axis, ylabel="NDCG@10")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=8)

    return _svg(draw)


def reliability(bins: Sequence[CalibrationBin]) -> str:
    """Observed against predicted share. Between the dashed lines their ratio is 0.8 to 1.25."""

    def draw(axes: Axes) -> None:
        predicted = np.array([one.predicted for one in bins])
        observed = np.array([one.observed for one in bins])
        ends = np.array([max(predicted.min(), 1e-7), max(predicted.max(), observed.max(), 1e-6)])
        axes.plot(ends, ends, color=_MUTED, linewidth=1)
        for factor in (0.8, 1.25):
            axes.plot(ends, factor * ends, color=_MUTED, linewidth=0.7, linestyle="--")
        visible = (observed > 0) & (predicted > 0)
        axes.plot(predicted[visible], observed[visible], "o-", color=_MARK, markersize=4)
        axes.set(xscale="log", yscale="log", xlabel="predicted probability", ylabel="chosen")

    return _svg(draw, width=4.5, height=4)


def differences(estimates: Mapping[str, Estimate]) -> str:
    """Mean difference of each metric with its interval, and a line at 0."""

    def draw(axes: Axes) -> None:
        for place, estimate in enumerate(estimates.values()):
            axes.plot([estimate.low, estimate.high], [place, place], color=_MARK, linewidth=2)
            axes.plot(estimate.mean, place, "o", color=_MARK)
        axes.axvline(0, color=_MUTED, linewidth=1)
        axes.set_yticks(range(len(estimates)), list(estimates))
        axes.set_ylim(len(estimates) - 0.5, -0.5)
        axes.set_xlabel("ours - theirs")

    return _svg(draw, height=1.8)


def feature_weights(model: ChoiceModel) -> str:
    """The largest linear weights, per standard deviation of the input."""
    order = np.argsort(np.abs(model.linear))[-_MAX_FEATURES:]

    def draw(axes: Axes) -> None:
        weight = model.linear[order]
        colours = np.where(weight >= 0, _MARK, "#c9653f")
        axes.barh([model.names[i] for i in order], weight, color=colours.tolist())
        axes.set_xlabel("weight per standard deviation")

    return _svg(draw, height=0.6 + 0.19 * len(order))


def source_recall(rows: Mapping[str, SourceSummary]) -> str:
    """Share of the chosen posts that each source nominated, and that only this source nominated."""
    ordered = [(name, row) for name, row in reversed(list(rows.items())) if name != "all"]

    def draw(axes: Axes) -> None:
        names = [name for name, _ in ordered]
        axes.barh(names, [row.recall for _, row in ordered], color="#c5d3ee", label="nominated")
        axes.barh(names, [row.unique_recall for _, row in ordered], color=_MARK, label="by this source only")
        axes.set_xlabel("share of the chosen posts")
        axes.legend(frameon=False, fontsize=8, loc="lower right")

    return _svg(draw, height=0.8 + 0.26 * len(ordered))
