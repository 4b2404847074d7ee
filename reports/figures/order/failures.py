"""How often a candidate fails: the share of cases below each value, over all cases and where raters agree least."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ...analysis import Analysis
from ...tables.wording import count_of
from .. import palette, style
from .ranks import direction, rater_agreement
from .words import empty_words, metric_against

LIMITS = {"dice": 0.5}
"""Below (or, where smaller is better, above) this value a case is marked as a failure."""
HARD_SHARE, FEWEST_HARD = 0.25, 3
"""Which share of cases counts as those of least agreement, and how many there are at least."""


def failures(analysis: Analysis) -> style.Plot | None:
    """Curves of all candidates; None for a metric without a direction or without a value."""
    better = direction(analysis)
    rows = _tested(analysis)
    if better is None or rows.empty:
        return None
    parts = {"All cases": rows}
    hard = _hard_cases(analysis, rows)
    if len(hard) >= FEWEST_HARD:
        parts["Where raters agree least"] = rows[rows["case"].isin(hard)]
    figure = style.new_figure(style.DOUBLE if len(parts) > 1 else style.SINGLE, 84)
    panels = figure.subplots(1, len(parts), sharex=True, sharey=True, squeeze=False)[0]
    limit = LIMITS.get(analysis.metric)
    for axes, (title, part) in zip(panels, parts.items(), strict=True):
        _curves(axes, analysis, part, lower_is_worse=better == "higher")
        axes.set_title(f"{title} ({part['case'].nunique()})")
        axes.set_xlabel(analysis.head(analysis.metric))
        if limit is not None:
            axes.axvline(limit, color=palette.MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    panels[0].set_ylabel("Share of tested cases " + ("at or below" if better == "higher" else "at or above"))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=2.6)
    shares = {title: _shares(part, limit, better == "higher") for title, part in parts.items()}
    caption = _caption(analysis, parts, limit, better == "higher")
    return style.Plot("failures", "How often does a candidate fail?", figure, caption, _alt(analysis, shares, limit, rows))


def _tested(analysis: Analysis) -> pd.DataFrame:
    """``candidate case value``, one row a case in each repeat and candidate, without undefined values."""
    values = analysis.case_values(analysis.metric)
    table = pd.DataFrame(values.values, columns=list(values.candidates)).assign(case=values.rows["case"].to_numpy())
    return table.melt("case", var_name="candidate").dropna(subset="value")


def _hard_cases(analysis: Analysis, rows: pd.DataFrame) -> list[str]:
    """The cases on which raters agree least; empty where that is not known."""
    agreement = rater_agreement(analysis)
    agreement = agreement[agreement.index.isin(rows["case"])]
    agreement = agreement if analysis.better(analysis.metric) == "higher" else -agreement
    return [str(case) for case in agreement.sort_values(kind="stable").index[: int(np.ceil(HARD_SHARE * len(agreement)))]]


def _curves(axes: Axes, analysis: Analysis, part: pd.DataFrame, *, lower_is_worse: bool) -> None:
    """A step at each value, from the worst on."""
    dashes = palette.dashes(list(analysis.colours))
    for name, rows in part.groupby("candidate", sort=False):
        worst_first = np.sort(rows["value"].to_numpy(dtype=float))[:: 1 if lower_is_worse else -1]
        share = np.arange(1, len(worst_first) + 1) / len(worst_first)
        axes.plot(np.append(worst_first[0], worst_first), np.append(0, share), drawstyle="steps-post", linewidth=1.4,
                  label=style.wrapped(str(name), 28, 1),
                  color=analysis.colours[str(name)], linestyle=dashes[str(name)])  # fmt: skip
    axes.set_ylim(0, 1)
    axes.locator_params(axis="x", nbins=6)
    style.thin(axes)


def _shares(part: pd.DataFrame, limit: float | None, lower_is_worse: bool) -> Mapping[str, float]:
    """Share of tested cases beyond the limit of each candidate; empty without a limit."""
    if limit is None:
        return {}
    beyond = part["value"] < limit if lower_is_worse else part["value"] > limit
    return {str(name): float(share) for name, share in beyond.groupby(part["candidate"], sort=False).mean().items()}


def _caption(analysis: Analysis, parts: Mapping[str, pd.DataFrame], limit: float | None, lower_is_worse: bool) -> str:
    side = "at or below" if lower_is_worse else "at or above"
    repeats = analysis.results.facts["n_repeats"]
    n = next(iter(parts.values()))["case"].nunique()
    text = (
        f"Share of tested cases {side} each value of {metric_against(analysis)} ({count_of(n, 'case')}, each in "
        f"{count_of(repeats, 'repeat')}; a case counts each time it is tested): the lower a curve, the fewer cases fail."
    )
    if len(parts) > 1:
        hard = list(parts.values())[1]["case"].nunique()
        text += f" Right: the {count_of(hard, 'case')} on which the raters agree least with one another."
    if limit is not None:
        text += f" Dashed: {limit:g}; a case {'below' if lower_is_worse else 'above'} it is called a failure here."
    return f"{text} Nothing is tested here.{empty_words(analysis)}"


def _alt(analysis: Analysis, shares: Mapping[str, Mapping[str, float]], limit: float | None, rows: pd.DataFrame) -> str:
    start = f"Distribution of {metric_against(analysis)} over cases for each candidate."
    if limit is None:
        medians = rows.groupby("candidate", sort=False)["value"].median()
        return f"{start} Medians: {'; '.join(f'{n} {analysis.number(analysis.metric, m)}' for n, m in medians.items())}."
    said = [f"{t.lower()}: {', '.join(f'{n} {100 * s:.1f} %' for n, s in found.items())}" for t, found in shares.items()]
    return f"{start} Share beyond {limit:g}, {'; '.join(said)}."
