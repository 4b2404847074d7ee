"""Plain sentences on a comparison of a table, which never say more than its test does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .shared_cells import MODEL, CaseValues
from .verdicts import Better

if TYPE_CHECKING:
    from .compare_table import ComparisonSettings
    from .table_layout import Layout

MOST_FOLDS = 5
"""Folds left out that are named one by one."""
CLEARLY = 2 / 3
"""From this share of the subjects on, that most of them say the opposite of the mean is worth a sentence."""
PLACES = {(True, True): "Repeat {0.repeat}, fold {0.fold}", (True, False): "Repeat {0.repeat}", (False, True): "Fold {0.fold}"}
"""What a trained model is called in a table that names repeats and folds, or one of them."""
NO_REPEATS = (
    "The table has one repeat: how much another training on the same data would change is known from the differences between "
    "folds alone."
)
NO_MODELS = (
    "The table has neither repeats nor folds: which subjects share a trained model is not known. p and interval hold for other "
    "subjects and these very trained models; whether the difference would survive another training cannot be known."
)
NO_SUBJECTS = (
    "The table has no subjects: each value is one trained model. p and interval hold for other trainings that are tested "
    "on the same subjects; whether the difference would hold for other subjects cannot be known."
)
MAYBE_FOLDS = (
    "If the trained models are those of a cross-validation, name the column of folds: their training cases overlap, and p is "
    "too small without it."
)
AS_PUBLISHED = (
    "As published: Wilcoxon's signed-rank test over trained models by the normal approximation, uncorrected; standard "
    "deviations over models. Trained models share their subjects, so these p-values are too small."
)


def sentences(table: pd.DataFrame, values: CaseValues, layout: Layout, settings: ComparisonSettings) -> list[str]:
    """What was tested and how, what cannot be known, then a sentence on each candidate."""
    baseline = settings.baseline
    others = table[table["candidate"] != baseline]
    said = [_size(values, layout)]
    if settings.statistics == "as-published":
        said += [AS_PUBLISHED, _better(settings.better), *(_published(row, baseline) for _, row in others.iterrows())]
        return [*said, *_missing(layout)]
    said += _how(values, layout, settings, len(others))
    shared = set(others["exploratory"])
    if len(shared) == 1 and (why := shared.pop()):
        said.append(f"All comparisons are exploratory: {why}.")
        others = others.assign(exploratory="")
    for _, row in others.iterrows():
        said.append(_verdict(row, values, layout, settings))
        said += _left_out(values, layout, str(row["candidate"]), baseline)
    if settings.smallest_difference == 0 and len(others):
        said.append("No smallest relevant difference was given, so nothing can be called equivalent.")
    tied = [str(name) for name in table.loc[table["tied_with_best"].eq(True), "candidate"]]
    if layout.subject and len(others) and len(tied) > 1:
        group = f"{len(tied)} of {len(table)} candidates cannot be told from the best: {', '.join(tied)}"
        said.append(f"Exploratory, over all pairs: {group}.")
    return [*said, *_missing(layout)]


def number(value: float, *, sign: bool = False) -> str:
    """Three significant digits."""
    return f"{value:{'+' if sign else ''}.3g}" if np.isfinite(value) else "–"


def _size(values: CaseValues, layout: Layout) -> str:
    subjects, models = int(values.rows["subject"].nunique()), values.rows.groupby(["repeat", "fold"]).ngroups
    amounts = []
    if layout.subject:
        amounts.append((subjects, "subject"))
    if layout.subject is None or layout.repeat or layout.fold:
        amounts.append((models, "trained model"))
    if layout.repeat:
        amounts.append((values.n_repeats, "repeat"))
    each = " of each candidate" if layout.subject is None else ""
    return "n = " + ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in amounts) + f"{each}."


def _how(values: CaseValues, layout: Layout, settings: ComparisonSettings, comparisons: int) -> list[str]:
    """The test, and what this table cannot tell."""
    if layout.subject is None:
        corrected = layout.fold and int(values.rows["fold"].nunique()) > 1
        test = "corrected resampled t-test over trained models" if corrected else "t-test over trained models"
        limits = [NO_SUBJECTS] if layout.fold else [NO_SUBJECTS, MAYBE_FOLDS]
    elif layout.knows_no_models:
        test, limits = "t-test over subjects", [NO_MODELS]
    else:
        pairs = values.rows[["subject", *MODEL]].drop_duplicates()
        once = not pairs["subject"].duplicated().any() and len(pairs[MODEL].drop_duplicates()) > 1
        test, limits = "model t, over subjects and trained models,", [NO_REPEATS] if once else []
    family = f"Holm's correction over {comparisons} comparison{'' if comparisons == 1 else 's'}"
    first = f"Two-sided {test} against {settings.baseline}; {family}, of p and of intervals; alpha = {settings.alpha:g}."
    return [f"{first} {_better(settings.better)}", *limits]


def _better(better: Better) -> str:
    return f"{'Larger' if better == 'higher' else 'Smaller'} values are better."


def _verdict(row: pd.Series, values: CaseValues, layout: Layout, settings: ComparisonSettings) -> str:
    baseline, better = settings.baseline, settings.better
    name, words = row["candidate"], row["verdict"]
    if row["reason"]:
        size = f" (difference {number(row['difference'], sign=True)})" if np.isfinite(row["difference"]) else ""
        return f"{name}: no test against {baseline}{size}: {row['reason']}."
    interval = f"{number(row['low'], sign=True)} to {number(row['high'], sign=True)}"
    size = f"difference {number(row['difference'], sign=True)} ({interval}, p = {row['p_holm']:.2g})"
    exploratory = f"; exploratory: {row['exploratory']}" if row["exploratory"] else ""
    if words == "undecided":
        needed = _needed(row, values, layout)
        return f"{name} against {baseline} is undecided: {size}{needed}{_wins(row, layout, better)}{exploratory}."
    if words == "equivalent":
        return f"{name} and {baseline} are equivalent: {size}{exploratory}."
    head, _, tail = str(words).partition(", ")
    how = f"{head} than {baseline}" + (f", {tail}" if tail else "")
    return f"{name} is {how}: {size}{_wins(row, layout, better)}{exploratory}."


def _wins(row: pd.Series, layout: Layout, better: Better) -> str:
    """Said where a clear majority says the opposite of the mean."""
    higher, lower = int(row["n_higher"]), int(row["n_lower"])
    wins, losses = (higher, lower) if better == "higher" else (lower, higher)
    ahead = (row["difference"] > 0) == (better == "higher") and row["difference"] != 0
    n = int(row["n_subjects"]) if layout.subject else int(row["n_models"])
    if ahead and losses >= CLEARLY * n:
        return f"; it loses on {losses} of {n} {layout.unit}s, but wins on average"
    if not ahead and row["difference"] != 0 and wins >= CLEARLY * n:
        return f"; it wins on {wins} of {n} {layout.unit}s, but loses on average"
    return ""


def _needed(row: pd.Series, values: CaseValues, layout: Layout) -> str:
    """What the design finds, and what would find the observed difference."""
    if not np.isfinite(row["smallest_found"]):
        return ""
    said = f"; this design finds a difference of {number(row['smallest_found'])} with 80 % power"
    if layout.subject is None:
        return said
    amounts = [
        (row["subjects_needed"], row["n_subjects"], "subjects"),
        (row["repeats_needed"], values.n_repeats, "repeats"),
    ]
    # The plan smooths the estimates, so it may ask for no more than there is; that is no advice.
    ways = [f"{int(needed)} {word}" for needed, now, word in amounts if not pd.isna(needed) and needed > now]
    return said + (f", and would find this one with {' or '.join(ways)}" if ways else "")


def _published(row: pd.Series, baseline: str) -> str:
    p = "no p" if np.isnan(row["p"]) else f"p = {row['p']:.2g}"
    mean = f"{number(row['mean'])} ± {number(row['std'])}"
    return f"{row['candidate']}: {mean}, {number(row['difference'], sign=True)} against {baseline}, {p}."


def _left_out(values: CaseValues, layout: Layout, candidate: str, baseline: str) -> Sequence[str]:
    """Which trained models, or subjects where models are not known, only one of the two has, and which way that pulls."""
    folds = values.left_out_folds(candidate, baseline)
    names = layout.repeat is not None, layout.fold is not None
    if len(folds) <= MOST_FOLDS and any(names):
        return [fold.sentence(PLACES[names].format(fold)) for fold in folds]
    if not folds:
        return []
    pulls = [fold.pull for fold in folds]
    what = f"{layout.unit if not any(names) else 'trained model'}{' is' if len(folds) == 1 else 's are'}"
    start = f"{len(folds)} {what} left out, because {candidate} or {baseline} has no value there"
    return [f"{start}; {pulls.count('up')} would lower the means of both, and {pulls.count('down')} would raise them."]


def _missing(layout: Layout) -> Sequence[str]:
    said = []
    if layout.n_missing:
        said.append(f"{layout.n_missing} values are missing or not finite; a difference uses only what both candidates have.")
    if layout.n_averaged:
        said.append(
            f"{layout.n_averaged} rows have the same candidate and {layout.unit} as another and were averaged with it; if they "
            "are cases or repeats, name their column."
        )
    return said
