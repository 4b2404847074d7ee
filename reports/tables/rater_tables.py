"""Tables of the estimates of raters, and of the alarms that candidates raised about their own training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...benchmark.statistics.rater_errors import IDENTITY, over_raters
from ..analysis import Analysis
from .rater_wording import against, estimator_name, how_sure, interval_text, same_alarm
from .table import Cell, Table
from .wording import NO_VALUE, count_of

OVERALL = "All raters"


def raters(analysis: Analysis) -> Table | None:
    """How well each estimator knows the raters; None where nothing is estimated or nothing can be compared."""
    if not analysis.confusions_compared_with:
        return None
    errors = analysis.rater_errors
    columns = {OVERALL: over_raters(errors)} | {rater: errors[errors["rater"] == rater] for rater in analysis.estimated_raters}
    names = [*analysis.estimators, IDENTITY]
    found = {
        (name, head): analysis.mean_interval(part.loc[part["candidate"] == name, "rmse"])
        for name in names
        for head, part in columns.items()
    }
    best = {head: min((round(found[n, head].mean, 12) for n in names if found[n, head].n), default=np.nan) for head in columns}
    rows = []
    for name in names:
        errors_of = {head: found[name, head] for head in columns}
        bold = {head: bool(round(error.mean, 12) == best[head]) for head, error in errors_of.items()}
        cells = [Cell(interval_text(error, 4), bold[head], sort=error.mean) for head, error in errors_of.items()]
        rows.append([Cell(estimator_name(name)), *cells])
    plain = pd.DataFrame(
        [[name, head, k.mean, k.low, k.high, k.n] for (name, head), k in found.items()],
        columns=["candidate", "rater", "rmse", "low", "high", "n_folds"],
    )
    counts = training_cases(analysis)
    n = "n: training cases that the rater rated, mean over folds. " if counts else ""
    heads = [f"{head} (n = {counts[head]})" if head in counts else head for head in columns]
    caption = (
        "The values are root mean square errors of each rater’s estimated confusion to the true one, means over folds and "
        "repeats; smaller is better, bold is best. Classes that a fold’s test cases lack, and raters whom training never saw, "
        f"are left out. {against(analysis)} {how_sure(analysis)} {n}The last row is the trivial "
        "estimate: an estimator that is not better than it has learned nothing about that rater."
    )
    title = "How well are the raters known?"
    return Table("raters", title, caption, ["Candidate", *heads], rows, plain, frozenset({len(rows) - 1}))


def training_cases(analysis: Analysis) -> dict[str, str]:
    """How many training cases each rater rated, mean over folds; empty if the units do not know it."""
    table = analysis.results.assignments
    means = table.groupby("rater", sort=False)["n_train"].mean()
    return {str(rater): f"{mean:.0f}" if mean == round(mean) else f"{mean:.1f}" for rater, mean in means.items()}


def rater_classes(analysis: Analysis) -> Table | None:
    """The diagonal of each rater's confusion, estimated and true; None where nothing is estimated."""
    table = analysis.results.confusions
    if table.empty:
        return None
    diagonal = table[table["observed"] == table["true"]]
    classes = [str(c) for c in dict.fromkeys(diagonal["true"])]
    names, counts = analysis.estimators, training_cases(analysis)
    rows: list[list[Cell]] = []
    plain, rules = [], set()
    for rater in analysis.estimated_raters:
        if rows:
            rules.add(len(rows))
        mine = diagonal[diagonal["rater"] == rater]
        for name, part, column in _lines(analysis, mine, names):
            values = [analysis.mean_interval(part.loc[part["true"] == c, column]) for c in classes]
            cells = [Cell(interval_text(v, 3), sort=v.mean) for v in values]
            rows.append([Cell(rater), Cell(estimator_name(name)), Cell(counts.get(rater, NO_VALUE)), *cells])
            plain += [[rater, name, c, v.mean, v.low, v.high, v.n] for c, v in zip(classes, values, strict=True)]
    caption = (
        "The values are the share of a true class that a rater calls by its name, the diagonal of the confusion (for two "
        "classes: specificity and sensitivity), means over folds and repeats. Folds whose test cases lack the class are left "
        f"out. {against(analysis)} {how_sure(analysis)} Training cases: those that "
        "the rater rated, mean over folds."
    )
    head = ["Rater", "According to", "Training cases", *classes]
    columns = ["rater", "candidate", "class", "share", "low", "high", "n_folds"]
    return Table(
        "rater-classes", "What is known of each rater, class by class", caption, head, rows,
        pd.DataFrame(plain, columns=columns), frozenset(rules), frozenset({1}),
    )  # fmt: skip


def _lines(analysis: Analysis, mine: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, pd.DataFrame, str]]:
    """What stands below each other for one rater: what is compared with, where there is such a thing, then each estimator."""
    first = {"truth": "Truth", "others": "Majority of the others"}.get(analysis.confusions_compared_with)
    # Every estimator stores the same truth of a fold: one of them is enough.
    truth = mine.drop_duplicates(["repeat", "fold", "true"])
    lines = [(first, truth, "truth")] if first else []
    return lines + [(name, mine[mine["candidate"] == name], "estimate") for name in names]


def alarms(analysis: Analysis) -> Table | None:
    """What units warned of themselves, for each candidate; None if none did."""
    units = analysis.results.units
    if "alarms" not in units:
        return None
    of_methods = units[(units["kind"] == "method") & (units["status"] == "done")]
    said = of_methods[["candidate", "repeat", "fold", "alarms"]].explode("alarms").dropna(subset=["alarms"])
    if said.empty:
        return None
    total = of_methods["candidate"].value_counts().to_dict()
    rows = []
    for (candidate, _), part in said.groupby(["candidate", same_alarm(said["alarms"])], sort=False):
        n = len(part[["repeat", "fold"]].drop_duplicates())
        amount = f"{n} of {count_of(total[candidate], 'unit')}"
        words = str(part["alarms"].iloc[0])
        text = f"{words[:1].upper()}{words[1:]}{' (the first of them)' if part['alarms'].nunique() > 1 else ''}"
        rows.append([Cell(str(candidate)), Cell(amount, sort=float(n)), Cell(text)])
    caption = (
        "These are the alarms that candidates raised about their own results during training, with the number of their "
        "finished units that raised them. No alarm uses the truth, and nothing is tested; a candidate without one may still be "
        "wrong."
    )
    plain = said.rename(columns={"alarms": "alarm"})
    return Table("alarms", "Alarms", caption, ["Candidate", "Units", "What it says"], rows, plain, words=frozenset({2}))
