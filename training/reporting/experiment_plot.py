"""Draws what an experiment shows: the effect of each day, by position and by reason."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from app.domain.experiments.effects import RateEffect
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.read_out import ReadOut
from training.reporting.plot_style import plot_style

_COLOURS: Final = ("#3568c9", "#c96b35", "#3c9a5f", "#8a4fbf", "#b03a5b")


def save_plot(experiment: Experiment, found: ReadOut, path: Path) -> None:
    """Write the plot in the format of the file's suffix. Raises OSError."""
    variants = [one.name for one in experiment.variants if one is not experiment.control]
    colours = {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(variants)}
    metric = experiment.primary_metric
    with mpl.rc_context(cast(Any, plot_style("experiment"))):
        canvas = Canvas(figsize=(8.0, 8.5), layout="constrained")
        by_day, by_position, by_reason = canvas.subplots(3)
        _draw_days(by_day, found, colours)
        by_day.set_title(f"{experiment.name}: {metric} per user and day, variant minus control", loc="left")
        for axes, rates, what in (
            (by_position, found.positions, "position on the page"),
            (by_reason, found.reasons, "reason"),
        ):
            _draw_rates(axes, rates, colours)
            axes.set_title(f"{metric} per 1,000 posts by {what}", loc="left")
        metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else None
        canvas.savefig(path, metadata=metadata)


def _draw_days(axes: Axes, found: ReadOut, colours: dict[str, str]) -> None:
    axes.axhline(0, color="#333333", linewidth=0.8)
    for name, colour in colours.items():
        rows = [one for one in found.days if one.variant == name]
        days = np.array([one.day for one in rows], "datetime64[D]")
        axes.plot(days, [one.difference for one in rows], "o-", color=colour, markersize=3, label=name)
        known = [one for one in rows if one.low is not None]
        axes.fill_between(
            np.array([one.day for one in known], "datetime64[D]"),
            np.array([one.low for one in known], np.float64),
            np.array([one.high for one in known], np.float64),
            color=colour,
            alpha=0.15,
        )
    axes.legend(frameon=False)
    axes.tick_params(axis="x", rotation=30)
    axes.set_ylabel("difference, 95 % of each day")


def _draw_rates(axes: Axes, rates: Sequence[RateEffect], colours: dict[str, str]) -> None:
    names = list(dict.fromkeys(one.name for one in rates))
    control = {one.name: one.control for one in rates}
    width = 0.8 / (len(colours) + 1)
    places = np.arange(len(names))
    bars = [("control", "#9aa5b1", [control[name] for name in names])]
    for variant, colour in colours.items():
        values = {one.name: one.other for one in rates if one.variant == variant}
        bars.append((variant, colour, [values[name] for name in names]))
    for place, (label, colour, heights) in enumerate(bars):
        axes.bar(places + (place - len(colours) / 2) * width, heights, width, color=colour, label=label)
    axes.set_xticks(places, names)
    axes.legend(frameon=False)
