"""How plots look."""

from collections.abc import Mapping
from typing import Any


def plot_style(name: str) -> Mapping[str, Any]:
    """Parameters of matplotlib. `name` is that of the kind of plot: its ids in SVG follow from it, and are the same in
    each run.
    """
    return {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "svg.hashsalt": name,
    }
