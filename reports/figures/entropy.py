"""Is the amount of uncertainty right? Predicted entropy against the entropy of the raters' average, case by case."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...benchmark.statistics.descriptive import entropy_pairs
from ..analysis import Analysis
from ..tables.wording import words_of
from . import palette, style

ERROR = "entropy error"


def entropy(analysis: Analysis) -> style.Plot | None:
    """One panel for each candidate, one point a case; None without the raters' entropy."""
    pairs = entropy_pairs(analysis.rows, analysis.candidates)
    if not pairs:
        return None
    height = 58 if style.columns_for(len(pairs)) < 4 else 50
    figure, panels = style.small_panels(list(pairs), height=height, extra=6)
    limits = style.scatter_limits(*(p.to_numpy() for p in pairs.values()))
    means = analysis.rows_for(ERROR)["mean"].dropna() if ERROR in analysis.metrics else pd.Series(dtype=float)
    errors = {str(name): analysis.number(ERROR, mean) for name, mean in means.items()}
    for name, pair in pairs.items():
        axes = panels[name]
        axes.plot(limits, limits, color=palette.MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.scatter(pair["raters"], pair["network"], s=14, color=analysis.colours[name], marker=analysis.markers[name],
                     alpha=0.7, linewidths=0)  # fmt: skip
        axes.set(xlim=limits, ylim=limits, aspect="equal")
        if name in errors:
            style.note(axes, f"MAE {errors[name]}", pair["raters"] / limits[1], pair["network"] / limits[1])
        axes.locator_params(nbins=4)
        style.thin(axes)
    figure.supxlabel("Entropy of the raters’ average (nat)", fontsize=8)
    figure.supylabel("Predicted entropy (nat)", fontsize=8)
    return style.Plot(
        "entropy",
        "Is the uncertainty as large as the raters’ disagreement?",
        figure,
        _caption(analysis, pairs, errors),
        _alt(pairs, errors),
    )


def _caption(analysis: Analysis, pairs: Mapping[str, pd.DataFrame], errors: Mapping[str, str]) -> str:
    n = int(np.median([len(p) for p in pairs.values()]))
    text = (
        "Mean entropy of a case’s voxels: what a network predicts over what the raters’ soft average has (one point for each "
        f"of {n} test cases, mean over repeats). On the dashed line a network is as uncertain as the raters disagree; below "
        "it, it is too sure."
    )
    if errors:
        against = words_of(analysis.reference_of(ERROR))
        text += f" MAE: the entropy MAE of the comparison, mean absolute difference to {against} over subjects."
    return text


def _alt(pairs: Mapping[str, pd.DataFrame], errors: Mapping[str, str]) -> str:
    parts = [f"{name}: entropy MAE {errors[name]}" if name in errors else name for name in pairs]
    return "Scatter of predicted against rater entropy for each candidate. " + "; ".join(parts) + "."
