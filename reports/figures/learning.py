"""Learning curves: did training end where it should have?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from ..analysis import Analysis
from . import palette, style

Curves = list[npt.NDArray[np.float64]]


def learning(analysis: Analysis) -> style.Plot | None:
    """One panel for each candidate, one thin line a fold; None if no unit stored a curve."""
    found = {c: _curves(analysis.results.units, c) for c in analysis.candidates}
    found = {c: curves for c, curves in found.items() if curves}
    if not found:
        return None
    figure, panels = style.small_panels(list(found), height=44, extra=12, sharey=False)
    for name, curves in found.items():
        _panel(panels[name], curves, analysis.colours[name])
    figure.supxlabel("Epoch", fontsize=8)
    figure.supylabel("Loss", fontsize=8)
    handles = [Line2D([], [], color=palette.MUTED, linestyle="--"), Line2D([], [], color=palette.INK)]
    figure.legend(handles, ["training", "validation"], loc="outside upper right", ncols=2)
    caption = (
        "Loss over epochs: training (dashed grey) and validation (coloured), a thin line for each fold and repeat, the thick "
        "line is the median over those still training. Each candidate has its own loss, so heights compare within a panel only."
    )
    return style.Plot("learning", "Learning curves", figure, caption, f"Learning curves of {', '.join(found)}.")


def _curves(units: pd.DataFrame, candidate: str) -> Curves:
    mine = units[(units["candidate"] == candidate) & (units["status"] == "done")]
    stored = [c for c in mine["curve"] if isinstance(c, list) and len(c)] if "curve" in mine else []
    return [np.array([[np.nan if v is None else v for v in point] for point in curve], float) for curve in stored]


def _panel(axes: Axes, curves: Curves, colour: str) -> None:
    training, validation = [curve[:, [0, 1]] for curve in curves], [curve[:, [0, 2]] for curve in curves]
    # Together, because many lines on their own take long.
    axes.add_collection(LineCollection(training, colors=palette.MUTED, linewidths=0.5, linestyles="--", alpha=0.45))
    axes.add_collection(LineCollection(validation, colors=colour, linewidths=0.6, alpha=0.5))
    table = pd.concat([pd.Series(c[:, 2], index=c[:, 0]) for c in curves], axis=1).sort_index()
    median = table.median(axis=1)
    axes.plot(median.index, median, color=colour, linewidth=1.6)
    seen = np.concatenate([c[:, 1:].ravel() for c in curves])
    seen = seen[np.isfinite(seen)]
    if seen.size:
        # A few wild first epochs must not flatten everything after them.
        low, high = seen.min(), np.quantile(seen, 0.98)
        air = 0.06 * (high - low) or 0.1 * max(1.0, abs(high))
        axes.set_ylim(low - air, high + air)
    axes.locator_params(nbins=4)
    style.thin(axes)
