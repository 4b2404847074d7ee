"""Tables of the raters as a panel: may a candidate stand in for a rater, and how the order depends on who the raters are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...benchmark.statistics.verdict.interchangeability import ALL_RATERS
from ...benchmark.statistics.verdict.rater_influence import NOBODY
from ..analysis import Analysis
from ..panel import Panel
from .table import Cell, Table
from .wording import NO_VALUE, name_of, p_number, write_number


def interchangeability_table(analysis: Analysis) -> Table | None:
    """Each candidate against each rater, beside the other raters; None where nothing is known of single raters."""
    panel = analysis.panel
    table = panel.interchangeability
    if table.empty:
        return None
    rows, rules, last = [], set(), ""
    for number, (_, row) in enumerate(table.iterrows()):
        if number and row["candidate"] != last:
            rules.add(number)
        last = row["candidate"]
        difference, low, high = (analysis.number(analysis.metric, row[k], sign=True) for k in ("difference", "low", "high"))
        rows.append([
            Cell(str(row["candidate"])),
            Cell(_mean_over(panel) if row["rater"] == ALL_RATERS else str(row["rater"])),
            Cell(str(row["n_subjects"]), sort=float(row["n_subjects"])),
            Cell(difference, bold=row["rater"] == ALL_RATERS, sort=float(row["difference"])),
            Cell(NO_VALUE, note=row["reason"]) if NO_VALUE in (low, high) else Cell(f"{low} to {high}"),
            Cell(write_number(row["df"], 1), sort=float(row["df"]), note=row["reason"]),
            Cell(p_number(row["p"]), sort=float(row["p"]), note=row["reason"]),
            Cell(str(row["verdict"])),
        ])  # fmt: skip
    head = ["Candidate", "Rater", "n", "Difference", "Interval", "df", "p", "Verdict"]
    title = "May a candidate stand in for a rater?"
    said = _interchangeability_caption(analysis, panel)
    return Table("interchangeability", title, said, head, rows, table, frozenset(rules), frozenset({1, 7}))


def _mean_over(panel: Panel) -> str:
    return "mean over the raters of a case" if panel.anonymous else "all raters (mean)"


def _interchangeability_caption(analysis: Analysis, panel: Panel) -> list[str]:
    label, margin = panel.label, f"{panel.smallest_difference:g}"
    worse = "lower" if panel.better == "higher" else "higher"
    what = (
        f"{label} of a candidate against one rater, minus the mean {label} of the other raters against the same rater, on the "
        "same cases: is the candidate as close to each rater as the raters are to one another? n subjects; two-sided model t "
        "test over subjects and trained models, with its degrees of freedom and its unadjusted "
        f"{analysis.confidence_words} interval."
    )
    relevant = f"worse by {margin}, the smallest difference that was declared to be relevant"
    narrow = f"{100 * (1 - 2 * panel.alpha):g} %"
    verdicts = (
        f"Closer: the interval is on the better side of 0. Not farther: the {narrow} interval excludes that the candidate is "
        f"{relevant}. Farther: the interval is on the worse side of 0 ({worse} {label}). Undecided: nothing of this is shown, "
        "which is no proof of the opposite."
    )
    if panel.smallest_difference == 0:
        verdicts += " No smallest relevant difference was declared, so not farther means the same as closer, in one direction."
    corrected = (
        "All of this is exploratory. Who is to stand in for every rater must not be farther in any row, so nothing is "
        "corrected for the number of raters; nothing is corrected for the number of candidates either."
    )
    reasons = [str(why) for why in dict.fromkeys(panel.interchangeability["exploratory"]) if why]
    known = f"The trained models allow no more: {'; '.join(reasons)}." if reasons else ""
    anonymous = "The raters are anonymous, so only the mean over the raters of each case is there." if panel.anonymous else ""
    consensus = (
        "Single raters reward consensus: labels in the middle of the raters are closer to each rater than the raters are to "
        "one another, be they right or not, and the truth itself can be farther from the raters than their majority is."
    )
    gains = [
        f"{analysis.number(analysis.metric, gain, sign=True)} ({name_of(str(name), 'fusion').removeprefix('Fused labels: ')})"
        for name, gain in panel.consensus.items()
        if np.isfinite(gain)
    ]
    if gains:
        consensus += f" Fused labels, which were made of the rater they are compared with, too, reach {', '.join(gains)} here."
    return [what, verdicts, " ".join(s for s in (corrected, known, anonymous) if s), consensus]


def raters_left_out(analysis: Analysis) -> Table | None:
    """Means and ranks against the single raters, all of them and without each; None where no rater can be left out."""
    panel = analysis.panel
    table = panel.without_each_rater
    if table.empty:
        return None
    candidates = [str(name) for name in pd.unique(table["candidate"])]
    rows = []
    for left_out, part in table.groupby("left_out", sort=False):
        best = part["rank"].min()
        cells = []
        for _, row in part.set_index("candidate").loc[candidates].iterrows():
            mean = analysis.number(analysis.metric, row["mean"])
            text = f"{mean} ({row['rank']:g})" if np.isfinite(row["rank"]) else mean
            cells.append(Cell(text, bold=bool(row["rank"] == best), sort=float(row["mean"])))
        rows.append([Cell(f"All {len(panel.names)} raters" if left_out == NOBODY else f"Without {left_out}"), *cells])
    said = (
        f"{panel.label} against the single raters, mean over subjects of the mean over raters, and in brackets the rank (1 is "
        "best, ties share); bold is rank 1. Only the raters that are measured against change: "
        "nothing was trained without a rater. What one candidate lacks of a subject and rater is left out for all. Described, "
        "not tested: candidates that cannot be told apart change places by chance."
    )
    title = "The order without each rater"
    return Table("raters-left-out", title, [said, *_curve_words(panel)], ["Raters", *candidates], rows, table, frozenset({1}))


def _curve_words(panel: Panel) -> list[str]:
    """How often fewer raters give the same best candidate, from one rater to all but one."""
    curve = panel.curve[panel.curve["same_best"].notna()]
    shown = curve[curve["n_raters"] < len(panel.names)]
    if shown.empty:
        return []
    parts = [
        f"{row['same_best'] * row['panels']:.0f} of {row['panels']} with {row['n_raters']}" for row in shown.to_dict("records")
    ]
    return [f"The best candidate is the same as with all raters in this many panels of fewer raters: {', '.join(parts)}."]
