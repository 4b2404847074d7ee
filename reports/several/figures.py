"""Figures of several experiments: differences and ranks with their intervals, and how well each data set separates methods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ..figures import palette, style
from ..tables.wording import write_number
from .several import Several
from .study import Study

MOST_COLUMNS = 3


def several_figures(several: Several) -> list[style.Plot]:
    """All figures, in the order in which they are read."""
    with style.house_style():
        return [ranks(several), differences(several), separation(several)]


def differences(several: Several) -> style.Plot:
    """A panel for each data set: the difference of each candidate to the baseline, with its interval."""
    studies, names = several.studies, [name for name in several.shared if name != several.baseline]
    columns = min(len(studies), MOST_COLUMNS)
    lines = -(-len(studies) // columns)
    figure = style.new_figure(style.DOUBLE, min(lines * (7.5 * len(names) + 22), style.TALLEST))
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes, study in zip(panels.flat, studies, strict=False):
        _forest(axes, several, study, names)
    for axes in panels.flat[len(studies) :]:
        axes.set_axis_off()
    for row in panels:
        row[0].set_yticks(range(len(names)), [style.wrapped(name, 22) for name in names])
        row[0].set_ylim(len(names) - 0.45, -0.55)
    caption = (
        f"Difference to {several.baseline} of {several.label} on each data set, with Holm’s interval (model t over subjects "
        f"and trained models; Holm’s correction over {len(names)} comparisons a data set). Filled: the interval excludes 0. "
        "Shaded: differences smaller than the declared relevant one. Each panel has its own scale."
    )
    alt = "; ".join(
        f"{study.name}: " + ", ".join(f"{name} {study.number(study.verdicts[name].test.mean, sign=True)}" for name in names)
        for study in studies
    )
    return style.Plot("several-differences", f"Differences to {several.baseline} on each data set", figure, caption, f"{alt}.")


def _forest(axes: Axes, several: Several, study: Study, names: Sequence[str]) -> None:
    first = several.studies[0].analysis
    colours, markers = first.colours, first.markers
    margin = study.smallest_difference
    if margin:
        axes.axvspan(-margin, margin, color=palette.BAND, linewidth=0, zorder=0)
    axes.axvline(0, color=palette.MUTED, linewidth=0.8)
    for row, name in enumerate(names):
        verdict = study.verdicts[name]
        if np.isfinite(verdict.low):
            axes.plot([verdict.low, verdict.high], [row, row], color=colours[name], linewidth=1.8, solid_capstyle="butt")
        if np.isfinite(verdict.test.mean):
            fill = colours[name] if verdict.low > 0 or verdict.high < 0 else "white"
            axes.plot(
                [verdict.test.mean], [row], marker=markers[name], markersize=5.5, color=colours[name], markerfacecolor=fill
            )  # fmt: skip
    axes.set_title(style.wrapped(study.name, 26, 1))
    axes.set_xlabel(style.wrapped(study.analysis.label(several.metric), 34))
    axes.grid(True, axis="x")
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)


def ranks(several: Several) -> style.Plot:
    """A column for each data set: the rank of each candidate with its interval, joined by lines."""
    studies, names = several.studies, several.shared
    figure = style.new_figure(style.DOUBLE, min(max(6.5 * len(names) + 22, 55), style.TALLEST))
    axes = figure.subplots()
    first = several.studies[0].analysis
    colours, markers = first.colours, first.markers
    shift = np.linspace(-0.24, 0.24, len(names)) if len(names) > 1 else np.zeros(1)
    for place, name in enumerate(names):
        table = [study.ranks.loc[name] for study in studies]
        x, y = np.arange(len(studies)) + shift[place], np.array([row["rank"] for row in table], dtype=float)
        axes.plot(x, y, color=colours[name], linewidth=1, alpha=0.45, zorder=2)
        for at, row in zip(x, table, strict=True):
            axes.plot([at, at], [row["rank_low"], row["rank_high"]], color=colours[name], linewidth=1.8, zorder=3)
        axes.plot(x, y, linestyle="", marker=markers[name], color=colours[name], markersize=6, zorder=4,
                  label=style.wrapped(name, 24))  # fmt: skip
    axes.set_xticks(range(len(studies)), [style.wrapped(study.name, 22) for study in studies])
    axes.set_xlim(-0.5, len(studies) - 0.5)
    axes.set_ylim(len(names) + 0.4, 0.6)
    axes.set_yticks(range(1, len(names) + 1))
    axes.set_ylabel("Rank (1 is best)")
    axes.grid(True, axis="y")
    axes.tick_params(axis="x", length=0)
    figure.legend(loc="outside right upper", ncols=1)
    confidence = studies[0].analysis.confidence_words
    caption = (
        f"Rank by the mean of {several.label} on each data set; the bars are {confidence} intervals, which contain other "
        "subjects and other trainings. Lines only join the same candidate: lines that cross within wide bars say nothing."
    )
    said = []
    for study in studies:
        pairs = zip(names, study.ranks["rank"].to_numpy(dtype=float), strict=True)
        said.append(f"{study.name}: " + ", ".join(f"{name} {write_number(rank, 1)}" for name, rank in pairs))
    alt = "; ".join(said)
    return style.Plot("several-ranks", "How the order changes between data sets", figure, caption, f"Ranks. {alt}.")


def separation(several: Several) -> style.Plot:
    """Left, the share of pairs that are told apart; right, the difference that is found beside the one there is."""
    studies = several.studies
    figure = style.new_figure(style.DOUBLE, min(9 * len(studies) + 24, style.TALLEST))
    left, right = figure.subplots(1, 2, sharey=True)
    rows = np.arange(len(studies))
    for row, study in enumerate(studies):
        found = study.separation
        if found.reason:
            left.annotate("no test", (0, row), xytext=(4, 0), textcoords="offset points", va="center", color=palette.MUTED)
        else:
            left.barh(row, 100 * found.share, height=0.5, color=palette.COLOURS[0])
            left.annotate(
                f"{found.apart} of {found.pairs}",
                (100 * found.share, row),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
            )
        if np.isfinite(found.smallest_found) and found.gap > 0:
            right.plot([found.smallest_found / found.gap], [row], marker="D", color=palette.COLOURS[1], markersize=6)
            right.annotate(
                f"{study.number(found.smallest_found)} of {study.number(found.gap)}", (found.smallest_found / found.gap, row),
                xytext=(7, 0), textcoords="offset points", va="center",
            )  # fmt: skip
    left.set_yticks(rows, [style.wrapped(study.name, 22) for study in studies])
    left.set_ylim(len(studies) - 0.4, -0.6)
    left.set_xlim(0, 118)
    left.set_xlabel("Pairs told apart (%)")
    right.axvline(1, color=palette.MUTED, linewidth=0.8)
    right.set_xlim(0, max(1.6, 1.5 * _largest(studies)))
    right.set_xlabel("Difference found ÷ (best − worst)")
    for axes in (left, right):
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)
    caption = (
        "Left: pairs of candidates that are told apart (model t, Holm’s correction over all pairs of the data set). Right: the "
        "smallest difference that is found with 80 % power (median over pairs), divided by the best mean minus the worst; "
        "right of the line, not even the best and the worst candidate would reliably be told apart."
    )
    alt = "; ".join(f"{s.name}: {s.separation.apart} of {s.separation.pairs} pairs told apart" for s in studies)
    return style.Plot(
        "several-separation", "Pairs told apart, and the difference that is found with 80 % power", figure, caption, f"{alt}."
    )


def _largest(studies: Sequence[Study]) -> float:
    found = [s.separation.smallest_found / s.separation.gap for s in studies if s.separation.gap > 0]
    return float(np.nanmax(found)) if np.isfinite(found).any() else 1.0
