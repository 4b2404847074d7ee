"""Which threshold makes the best labels: Dice on validation cases at each threshold that was searched."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...analysis import Analysis
from ...tables.wording import count_of, write_number
from .. import palette, style

ROOM = 0.34
"""Share of the range of Dice that is left free below the curves, for words."""


def threshold(analysis: Analysis) -> style.Plot | None:
    """One panel for each candidate, a faint line a training; None if no candidate searched among several thresholds."""
    searches = analysis.results.searches
    several = searches.groupby("candidate")["threshold"].nunique()
    found = {c: searches[searches["candidate"] == c] for c in analysis.candidates if several.get(c, 0) > 1}
    if not found:
        return None
    figure, panels = style.small_panels(list(found), extra=14)
    first = next(iter(panels.values()))
    dice = pd.concat(list(found.values()))["dice"]
    low, high = float(dice.min()), float(dice.max())
    spread = max(high - low, 0.02)
    first.set(xlim=(0, 1), ylim=(low - ROOM * spread, high + 0.06 * spread), xticks=[0, 0.5, 1])
    # No tick below 0, where no Dice is: only words stand there.
    first.set_yticks([tick for tick in MaxNLocator(5).tick_values(max(low, 0), high) if 0 <= tick <= high])
    means = {name: _curve(mine).mean(axis=1) for name, mine in found.items()}
    for name, mine in found.items():
        _panel(panels[name], mine, means[name], analysis.colours[name], analysis.markers[name])
    figure.supxlabel("Threshold", fontsize=8)
    figure.supylabel("Dice on validation cases", fontsize=8)
    ring = Line2D([], [], linestyle="none", marker="o", markersize=4.5, markerfacecolor="white", markeredgecolor=palette.INK)
    lines = [Line2D([], [], color=palette.INK, linewidth=1.8), Line2D([], [], color=palette.INK, linewidth=0.6, alpha=0.5)]
    figure.legend([*lines, ring], ["mean", "a training", "its best"], loc="outside upper right", ncols=3)
    return style.Plot("threshold", "Which threshold makes the best labels?", figure, _caption(found), _alt(found, means))


def _curve(mine: pd.DataFrame) -> pd.DataFrame:
    """Dice, thresholds x trainings."""
    return mine.pivot_table(index="threshold", columns=["repeat", "fold"], values="dice")


def _panel(axes: Axes, mine: pd.DataFrame, mean: pd.Series, colour: str, marker: str) -> None:
    single = _curve(mine)
    axes.plot(single.index, single.to_numpy(), color=colour, linewidth=0.6, alpha=0.4)
    axes.plot(mean.index, mean, color=colour, linewidth=1.8)
    best = mine[mine["threshold"] == mine["chosen"]]
    axes.plot(
        best["threshold"], best["dice"], linestyle="none", marker=marker, markersize=4.5, markerfacecolor="white",
        markeredgecolor=palette.INK, markeredgewidth=0.7, clip_on=False, zorder=4,
    )  # fmt: skip
    axes.text(0.03, 0.04, f"range {write_number(_range(mean), 3)}", transform=axes.transAxes, va="bottom")
    style.thin(axes)


def _range(mean: pd.Series) -> float:
    return float(mean.max() - mean.min())


def _caption(found: Mapping[str, pd.DataFrame]) -> str:
    trainings = sorted({len(mine.drop_duplicates(["repeat", "fold"])) for mine in found.values()})
    n = count_of(trainings[0], "training") if len(trainings) == 1 else f"{trainings[0]} to {trainings[-1]} trainings"
    cases = sorted({int(n) for mine in found.values() for n in mine["cases"]})
    tested = count_of(cases[0], "case") if len(cases) == 1 else f"{cases[0]} to {cases[-1]} cases"
    return (
        f"Mean Dice over validation cases ({tested} a training) between the majority of the raters and the labels that each "
        f"threshold makes. A faint line for each of {n} of a candidate, the thick line is their mean; a mark is the threshold "
        "that a training uses (the largest of equally good ones). Range: the largest minus the smallest Dice of the mean "
        "line; the larger it is, the more depends on the threshold. Nothing is tested here."
    )


def _alt(found: Mapping[str, pd.DataFrame], means: Mapping[str, pd.Series]) -> str:
    parts = []
    for name, mine in found.items():
        chosen = mine.drop_duplicates(["repeat", "fold"])["chosen"]
        ends = " to ".join(dict.fromkeys(f"{value:.2f}" for value in (chosen.min(), chosen.max())))
        parts.append(f"{name}: best at {ends}, range {write_number(_range(means[name]), 3)}")
    return f"Curves of Dice against the threshold for each candidate. {'; '.join(parts)}."
