"""Reliability diagrams: how often a network is right at each confidence, and how many voxels have that confidence."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ...benchmark.statistics.calibration import FEWEST_SUBJECTS, FEWEST_VOXELS
from ..analysis import Analysis
from ..tables.wording import count_of, nice_number, words_of, write_number
from . import palette, style

EXACTLY_ONE = 10
"""The bin of voxels whose confidence is exactly 1."""


def reliability(analysis: Analysis) -> style.Plot | None:
    """One panel for each candidate; None if no calibration counts were stored."""
    names = [c for c in analysis.candidates if c in analysis.calibration.curves]
    if not names:
        return None
    columns = style.columns_for(len(names))
    rows = -(-len(names) // columns)
    width = style.panel_width(len(names))
    figure = style.new_figure(width, rows * (62 if columns < 4 else 57) + 12)
    ratios = [3.0, 1.0, 0.28] * rows
    ratios.pop()
    grid = figure.add_gridspec(len(ratios), columns, height_ratios=ratios)
    most = max(int(analysis.calibration.curves[name]["n"].max()) for name in names)
    for number, name in enumerate(names):
        row, column = divmod(number, columns)
        above = figure.add_subplot(grid[3 * row, column])
        below = figure.add_subplot(grid[3 * row + 1, column], sharex=above)
        _curve(above, analysis, name)
        _occupancy(below, analysis.calibration.curves[name], analysis.colours[name], most)
        above.tick_params(labelbottom=False)
        if column == 0:
            above.set_ylabel("Share correct")
            below.set_ylabel("Voxels")
        else:
            above.tick_params(labelleft=False)
            below.tick_params(labelleft=False)
        if number + columns >= len(names):
            below.set_xlabel("Confidence")
    return style.Plot("reliability", "Are the probabilities right?", figure, _caption(analysis, names), _alt(analysis, names))


def _curve(axes: Axes, analysis: Analysis, name: str) -> None:
    """The curve with its band; thin bins are faint and stand alone."""
    curve, colour, marker = analysis.calibration.curves[name], analysis.colours[name], analysis.markers[name]
    axes.plot([0, 1], [0, 1], color=palette.MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=2)
    inner = curve[curve["bin"] < EXACTLY_ONE]
    full, thin = inner[~inner["thin"]], inner[inner["thin"]]
    _shade_gap(axes, full["confidence"], full["accuracy"])
    axes.fill_between(full["confidence"], full["low"], full["high"], color=colour, alpha=0.22, linewidth=0)
    axes.plot(full["confidence"], full["accuracy"], color=colour, marker=marker, markersize=3.5)
    # Plotting an empty array gives an infinite extent and breaks the layout.
    if len(thin):
        axes.plot(
            thin["confidence"], thin["accuracy"], linestyle="none", marker=marker, markersize=3.5, color=colour, alpha=0.3,
            clip_on=False,
        )  # fmt: skip
    last = curve[curve["bin"] == EXACTLY_ONE]
    if len(last):
        axes.plot(
            last["confidence"], last["accuracy"], linestyle="none", marker=marker, markersize=5,
            markerfacecolor="white", markeredgecolor=colour, alpha=0.3 if last["thin"].all() else 1.0, clip_on=False, zorder=5,
        )  # fmt: skip
    axes.set(xlim=(0, 1.1), ylim=(0, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_title(style.wrapped(name, 24))
    style.thin(axes)
    style.note(axes, _text(analysis, name), curve["confidence"] / 1.1, curve["accuracy"] / 1.02)


def _shade_gap(axes: Axes, confidence: pd.Series, accuracy: pd.Series) -> None:
    """Grey between curve and diagonal where a network is overconfident, hatched where it is underconfident."""
    over, under = accuracy <= confidence, accuracy >= confidence
    axes.fill_between(
        confidence, accuracy, confidence, where=over, interpolate=True, color=palette.FAINT, linewidth=0, zorder=0
    )
    axes.fill_between(
        confidence, accuracy, confidence, where=under, interpolate=True, facecolor="none", edgecolor=palette.FAINT,
        hatch="//////", linewidth=0, zorder=0,
    )  # fmt: skip


def _text(analysis: Analysis, name: str) -> str:
    opened, closed = (write_number(100 * analysis.calibration.ece_of(name, last_bin), 2) for last_bin in ("open", "closed"))
    return f"ECE (%)\nopen {opened}\nclosed {closed}"


def _occupancy(axes: Axes, curve: pd.DataFrame, colour: str, most: int) -> None:
    inner = curve[curve["bin"] < EXACTLY_ONE]
    bars = axes.bar(inner["bin"] / 10 + 0.05, inner["n"], width=0.092, color=colour)
    for bar, thin in zip(bars, inner["thin"], strict=True):
        bar.set_alpha(0.3 if thin else 1.0)
    last = curve[curve["bin"] == EXACTLY_ONE]
    if len(last):
        axes.bar(1.05, last["n"].sum(), width=0.07, facecolor="white", edgecolor=colour, hatch="/////", linewidth=0.8)
    axes.set_yscale("log")
    top = 10.0 ** np.ceil(np.log10(max(most, 10)))
    axes.set_ylim(0.7, top * 60)
    powers = [0, int(np.log10(top)) // 2, int(np.log10(top))]
    axes.set_yticks([10.0**p for p in sorted(set(powers))])
    axes.minorticks_off()
    style.label_powers_of_ten(axes.yaxis)
    axes.text(0.04, 0.94, f"n = {nice_number(curve['n'].sum())}", transform=axes.transAxes, va="top")


def _caption(analysis: Analysis, names: list[str]) -> str:
    n = sorted({int(analysis.calibration.image("closed")["n_subjects"][name]) for name in names})
    subjects = count_of(n[0], "subject") if len(n) == 1 else f"{n[0]} to {n[-1]} subjects"
    return (
        f"Reliability diagrams against {words_of(analysis.calibration.reference)}, all voxels of all test cases of {subjects} "
        "pooled. Top: share of correct voxels over mean confidence in ten bins of equal width; on the dashed line a network is "
        "as often right as it says. Below the line, where the gap is grey, it is overconfident; above it, where the gap is "
        "hatched, underconfident. Band: "
        f"{analysis.confidence_words} bootstrap interval over subjects, each bin by itself. Faint: bins with fewer than "
        f"{FEWEST_VOXELS} voxels or from fewer than {FEWEST_SUBJECTS} subjects, which no maximum of errors counts. Bottom: "
        "voxels in each bin (logarithmic). The open marker and the hatched bar are voxels with a confidence of exactly 1: "
        "‘open’ leaves them out of the expected calibration error (ECE), as the published code does, ‘closed’ counts them. n: "
        "all voxels, those with a confidence of exactly 1 included. Nothing is tested here."
    )


def _alt(analysis: Analysis, names: list[str]) -> str:
    parts = [f"{name}: {_text(analysis, name)}".replace("\n", " ") for name in names]
    return "Reliability diagram of each candidate. " + "; ".join(parts) + "."
