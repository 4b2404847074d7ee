"""How soft predictions are: the distribution of the foreground probabilities that are not 0."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from ....benchmark.statistics.shared_units import shared_units
from ....benchmark.store.predictions import VALUE_BINS
from ...analysis import Analysis
from ...tables.wording import count_of, joined
from .. import palette, style

Shares = npt.NDArray[np.float64]
EXACTLY_0, EXACTLY_1 = 0, VALUE_BINS + 1
"""The bins of voxels whose probability is exactly 0, and exactly 1."""
EDGES = np.linspace(0, 1, VALUE_BINS + 1)
ROOM = 4
"""Powers of ten that are left free above the largest share, for words."""


def distribution(analysis: Analysis) -> style.Plot | None:
    """One panel for each candidate; None if no values were counted."""
    rows = analysis.results.values
    rows = shared_units(analysis.results.units).only(rows.assign(kind="method"))
    shares = {c: _shares(rows[rows["candidate"] == c]) for c in analysis.candidates if (rows["candidate"] == c).any()}
    if not shares:
        return None
    figure, panels = style.small_panels(list(shares))
    first = next(iter(panels.values()))
    shown = np.concatenate([one[1:] for one in shares.values()])
    least = int(np.floor(np.log10(shown[shown > 0].min()))) if shown.any() else -6
    first.set(xlim=(0, 1.1), yscale="log", ylim=(10.0**least, 10.0**ROOM), xticks=[0, 0.5, 1])
    first.set_yticks([10.0**power for power in range(0, least - 1, -2)])
    first.minorticks_off()
    style.label_powers_of_ten(first.yaxis)
    compared = shares.get(analysis.baseline)
    for name, own in shares.items():
        _panel(panels[name], own, analysis.colours[name], None if name == analysis.baseline else compared)
    figure.supxlabel("Predicted probability of a foreground class", fontsize=8)
    figure.supylabel("Share of voxels", fontsize=8)
    caption = _caption(analysis, rows)
    return style.Plot("distribution", "How soft are the predictions?", figure, caption, _alt(shares))


def _shares(mine: pd.DataFrame) -> Shares:
    """The share of all voxels in each bin, [22]; each voxel counts once for each foreground class."""
    counts = np.bincount(mine["bin"], weights=mine["n"], minlength=VALUE_BINS + 2)
    shares: Shares = counts / counts.sum()
    return shares


def _panel(axes: Axes, own: Shares, colour: str, compared: Shares | None) -> None:
    floor = axes.get_ylim()[0]
    axes.stairs(own[1:EXACTLY_1], EDGES, baseline=floor, fill=True, color=colour, alpha=0.35)
    axes.stairs(own[1:EXACTLY_1], EDGES, baseline=floor, color=colour, linewidth=1.2)
    if own[EXACTLY_1] > 0:
        axes.bar(1.05, own[EXACTLY_1] - floor, bottom=floor, width=0.06, facecolor="white", edgecolor=colour, hatch="/////",
                 linewidth=0.8)  # fmt: skip
    if compared is not None:
        axes.stairs(compared[1:EXACTLY_1], EDGES, baseline=None, color=palette.INK, linewidth=0.8, linestyle=(0, (3, 2)))
    axes.text(0.03, 0.97, "\n".join(_words(own)), transform=axes.transAxes, va="top", linespacing=1.25)
    style.thin(axes)


def _words(own: Shares) -> list[str]:
    # Rounding error of the sum must not make "all" less than all.
    between = round(float(own[1:EXACTLY_1].sum()), 12)
    named = {"exactly 0": own[EXACTLY_0], "between": between, "exactly 1": own[EXACTLY_1]}
    return [f"{name}: {_percent(share)}" for name, share in named.items()]


def _percent(share: float) -> str:
    """A share in percent; what is not 0 or 1 is never written as 0 or 100."""
    written = f"{100 * share:.2f}"
    written = "< 0.01" if share and written == "0.00" else "> 99.99" if share < 1 and written == "100.00" else written
    return f"{written} %"


def _caption(analysis: Analysis, rows: pd.DataFrame) -> str:
    cases, subjects = rows["case"].nunique(), rows["subject"].nunique()
    trainings = rows.groupby("candidate")[["repeat", "fold"]].apply(lambda mine: len(mine.drop_duplicates()))
    many = " to ".join(map(str, sorted({int(trainings.min()), int(trainings.max())})))
    classes = [str(name) for name in pd.unique(rows["class"])]
    text = (
        f"Predicted probability of the foreground, all voxels of {count_of(cases, 'test case')} of "
        f"{count_of(subjects, 'subject')} pooled over {many} trained models of each candidate, as the networks gave it, "
        f"before anything is resampled: share of all voxels (logarithmic) in {VALUE_BINS} bins of equal width. Voxels with "
        "exactly 0 are left out, the hatched bar has those with exactly 1; both shares are written in the panel."
    )
    if len(classes) > 1:
        text += f" A voxel counts once for each class ({joined(classes)})."
    if len(trainings) > 1:
        text += f" Dashed: {analysis.baseline}, for comparison."
    return f"{text} Nothing is tested here."


def _alt(shares: Mapping[str, Shares]) -> str:
    parts = [f"{name}, {', '.join(_words(own))}" for name, own in shares.items()]
    return f"Distribution of predicted probabilities for each candidate. Share of voxels, {'; '.join(parts)}."
