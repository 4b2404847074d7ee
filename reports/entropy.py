"""Is the amount of uncertainty right? Predicted entropy against the entropy of the raters' average, case by case."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import style
from .analysis import Analysis


def entropy(analysis: Analysis) -> style.Plot | None:
    """One panel for each candidate, one point a case; None without the raters' entropy."""
    raters = _by_case(analysis, "fusion", "soft-average")
    predicted = {c: _by_case(analysis, "method", c) for c in analysis.candidates}
    pairs = {c: pd.concat({"raters": raters, "network": p}, axis=1).dropna() for c, p in predicted.items()}
    pairs = {c: p for c, p in pairs.items() if len(p)}
    if not pairs:
        return None
    columns = style.columns_for(len(pairs))
    rows = -(-len(pairs) // columns)
    figure = style.new_figure(style.panel_width(len(pairs)), rows * (58 if columns < 4 else 50) + 6)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    limits = style.scatter_limits(*(p.to_numpy() for p in pairs.values()))
    errors = {}
    for axes, (name, pair) in zip(grid, pairs.items(), strict=False):
        errors[name] = float((pair["network"] - pair["raters"]).abs().mean())
        axes.plot(limits, limits, color=style.MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.scatter(pair["raters"], pair["network"], s=14, color=analysis.colours[name], marker=analysis.markers[name],
                     alpha=0.7, linewidths=0)  # fmt: skip
        axes.set(xlim=limits, ylim=limits, aspect="equal")
        axes.set_title(style.wrapped(name, 24))
        style.note(axes, f"MAE {errors[name]:.4f}", pair["raters"] / limits[1], pair["network"] / limits[1])
        axes.locator_params(nbins=4)
        style.thin(axes)
    for number, axes in enumerate(grid):
        axes.set_visible(number < len(pairs))
        axes.tick_params(labelbottom=number + columns >= len(pairs))
    figure.supxlabel("Entropy of the raters’ average (nat)", fontsize=8)
    figure.supylabel("Predicted entropy (nat)", fontsize=8)
    return style.Plot(
        "entropy", "Is the uncertainty as large as the raters’ disagreement?", figure, _caption(pairs), _alt(errors)
    )


def _by_case(analysis: Analysis, kind: str, candidate: str) -> pd.Series:
    rows = analysis.results.rows
    keep = (rows["metric"] == "entropy") & (rows["kind"] == kind) & (rows["candidate"] == candidate)
    return rows[keep].groupby("case")["value"].mean()


def _caption(pairs: dict[str, pd.DataFrame]) -> str:
    n = int(np.median([len(p) for p in pairs.values()]))
    return (
        "Mean entropy of a case’s voxels: what a network predicts over what the raters’ soft average has (one point for each "
        f"of {n} test cases, mean over repeats). On the dashed line a network is as uncertain as the raters disagree; below "
        "it, it is too sure. MAE: mean absolute error over cases."
    )


def _alt(errors: dict[str, float]) -> str:
    parts = [f"{name}: mean absolute error {error:.4f}" for name, error in errors.items()]
    return "Scatter of predicted against rater entropy for each candidate. " + "; ".join(parts) + "."
