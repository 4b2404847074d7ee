"""Several metrics in one number: the distribution of each candidate's composite score over subjects and splits."""

from __future__ import annotations

from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from ....benchmark.statistics.ranking import CompositeScores
from ...analysis import Analysis
from ...tables.wording import count_of, words_of, write_number
from .. import palette, style


def composite(analysis: Analysis) -> style.Plot | None:
    """A violin for each candidate, sorted by mean; None unless all metrics were measured and there are two candidates."""
    found = analysis.composite
    if found is None or found.scores.shape[1] < 2:
        return None
    means = found.scores.mean().sort_values(ascending=False, kind="stable")
    names = [str(name) for name in means.index]
    figure = style.new_figure(style.DOUBLE, 10.5 * len(names) + 18)
    axes = figure.subplots()
    for row, name in enumerate(names):
        _violin(axes, row, found.scores[name].to_numpy(), analysis.colours[name])
    axes.axvline(0, color=palette.MUTED, linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(names)), [style.wrapped(name, 28) for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set_xlabel("Composite score (mean z-score; larger is better)")
    axes.grid(True, axis="x")
    axes.tick_params(axis="y", length=0)
    for row, name in enumerate(names):
        axes.annotate(
            write_number(float(means[name]), 2, sign=True), (1.0, row), xycoords=axes.get_yaxis_transform(),
            xytext=(4, 0), textcoords="offset points", va="center", annotation_clip=False,
        )  # fmt: skip
    said = "; ".join(f"{name} {means[name]:.2f}" for name in names)
    alt = f"Violins of the composite score of each candidate, best mean first. Means: {said}."
    return style.Plot("composite", "Composite score of every subject and split", figure, _caption(analysis, found), alt)


def _violin(axes: Axes, row: int, values: np.ndarray, colour: str) -> None:
    """The density, the middle half as a bar, and the mean; single values have no density."""
    if len(values) > 2 and np.ptp(values) > 0:
        drawn = axes.violinplot([values], positions=[row], orientation="horizontal", widths=0.84, showextrema=False)
        for body in cast("list[PolyCollection]", drawn["bodies"]):
            body.set(facecolor=colour, edgecolor=colour, alpha=0.4, linewidth=0.8)
    else:
        axes.plot(values, np.full(len(values), row), linestyle="none", marker="o", markersize=3, color=colour)
    low, high = np.quantile(values, [0.25, 0.75])
    axes.plot([low, high], [row, row], color=palette.INK, linewidth=2.2, solid_capstyle="butt")
    axes.plot([values.mean()], [row], marker="D", markersize=5.5, color="white", markeredgecolor=palette.INK, zorder=4)


def _caption(analysis: Analysis, found: CompositeScores) -> str:
    n, subjects = len(found.scores), found.scores.index.get_level_values("subject").nunique()
    left_out = f" {found.n_left_out} in which a candidate has no value of a metric are left out." if found.n_left_out else ""
    return (
        "Composite score: Dice, precision, recall, and AVD with its sign turned, against "
        f"{words_of(analysis.primary_reference)}, each as its z-score over the values of all candidates (standard deviation "
        f"with n − 1), and then their mean. {n} values a candidate, one for each subject and trained model, from "
        f"{count_of(subjects, 'subject')}.{left_out} Violin: density; dark bar: middle half; white mark and number: mean, by "
        "which candidates are sorted. A score depends on which candidates take part, and values of one subject are not "
        "independent. Nothing is tested here."
    )
