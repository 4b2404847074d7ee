"""Compares the candidates of anybody's table of values: one test, one verdict and one row for each candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from ....errors import RaterbenchError, nearest, shown
from ....parameters import Range
from .as_published import as_published
from .model_t import ModelT, model_t
from .power import power_of
from .sentences import sentences
from .shared_cells import CaseValues, Difference
from .table_layout import Columns, Layout, arrange_long, arrange_wide, check_one_kind, chosen_rows
from .tie_groups import rank_intervals, tie_group
from .verdicts import Better, verdicts

TableStatistics = Literal["model-t", "as-published"]

COLUMNS = [
    *("candidate", "mean", "std", "difference", "low", "high", "level", "p", "p_holm", "df", "verdict", "p_false_claim"),
    *("n_subjects", "n_models", "n_higher", "n_lower", "variance_ratio", "smallest_found", "subjects_needed", "repeats_needed"),
    *("rank", "rank_low", "rank_high", "tied_with_best", "reason", "exploratory"),
]
"""Columns of ``TableComparison.table``, one row a candidate; the baseline's row has no difference:

* ``mean``: over subjects, of all its values; ``std`` (ddof 1) of subjects' means; of trained models where those are compared;
* ``difference``: candidate minus baseline, over the subjects and trainings of both; ``low`` to ``high``: Holm's interval at
  ``level``; ``p``, ``p_holm``, ``df`` of the test; ``verdict``; ``p_false_claim``: that the one ahead is not really better;
* ``n_subjects``, ``n_models``: what the difference rests on; ``n_higher``, ``n_lower``: on how many it is above or
  below 0;
* ``variance_ratio`` model / subject; ``smallest_found``: the difference found with 80 % power; ``subjects_needed``,
  ``repeats_needed``: to find the observed one (missing: no number would do, or not known);
* ``rank``, with the interval of ranks; ``tied_with_best``: cannot be told from the best over all pairs;
* ``reason``: why there is no test; ``exploratory``: why it is no confirmation.
"""


@dataclass(frozen=True)
class ComparisonSettings:
    """What a comparison is made by; the meaning of each is that of the argument of :func:`compare`."""

    baseline: str
    better: Better
    smallest_difference: float
    alpha: float
    statistics: TableStatistics


@dataclass(frozen=True, eq=False)
class TableComparison:
    """``table`` (``COLUMNS``), plain ``sentences`` on it, and the ``baseline`` that others were compared with."""

    table: pd.DataFrame
    sentences: Sequence[str]
    baseline: str


def compare(
    table: pd.DataFrame,
    *,
    candidate: str | None = None,
    value: str | None = None,
    subject: str | None = None,
    repeat: str | None = None,
    fold: str | None = None,
    case: str | None = None,
    wide: bool = False,
    baseline: str | None = None,
    better: Better = "higher",
    smallest_difference: float = 0.0,
    alpha: float = 0.05,
    statistics: TableStatistics = "model-t",
    where: Mapping[str, str] = MappingProxyType({}),
    name: str = "the table",
) -> TableComparison:
    """Compare every candidate of a table with a baseline.

    Args:
        table: Long, one row a value, or with ``wide`` a column of values for each candidate.
        candidate: Column of candidates, in a long table.
        value: Column of values, in a long table.
        subject: Column of subjects. Without it each row is one trained model, and nothing is said of other subjects.
        repeat: Column of repeats: trainings of the same candidate on the same data.
        fold: Column of folds, whose subjects share a trained model.
        case: Column of cases (slices, lesions), if a subject has several.
        wide: Every other column of numbers is a candidate.
        baseline: The candidate that others are compared with, by default the first.
        better: Whether larger or smaller values are better.
        smallest_difference: The smallest that is relevant, in the unit of the values; 0: not declared.
        alpha: The family-wise error over all comparisons with the baseline.
        statistics: ``as-published`` tests over trained models without correction, as papers do; its p is too small.
        where: Only rows with these cells are compared, by column: ``{"metric": "dice"}``.
        name: What messages call the table.

    Raises:
        RaterbenchError: a column or the baseline is not there, or a value is no number; the nearest name is given. Or a column
            of metrics, references or kinds has several values, which would be averaged.
    """
    if not 0 < alpha < 0.5:
        raise RaterbenchError(f"alpha must be {Range(0, 0.5, without='both')}; got {alpha:g}")
    if not 0 <= smallest_difference < np.inf:
        raise RaterbenchError(f"the smallest relevant difference must be 0 or more; got {smallest_difference:g}")
    columns = Columns(candidate, value, subject, repeat, fold, case)
    table = chosen_rows(table, where, name)
    check_one_kind(table, columns, name)
    cases, layout = arrange_wide(table, columns, name) if wide else arrange_long(table, columns, name)
    values = CaseValues.of(cases)
    chosen = values.candidates[0] if baseline is None else baseline
    if chosen not in values.candidates:
        raise RaterbenchError(f"{name} has no candidate {shown(chosen)} for a baseline{nearest(chosen, values.candidates)}")
    if statistics == "as-published" and layout.knows_no_models:
        raise RaterbenchError(
            f"{name} names no trained models, over which papers test: name its column of repeats, of folds, or both"
        )
    settings = ComparisonSettings(chosen, better, smallest_difference, alpha, statistics)
    found = _published(values, settings) if statistics == "as-published" else _compared(values, layout, settings)
    return TableComparison(found, sentences(found, values, layout, settings), chosen)


def _compared(values: CaseValues, layout: Layout, settings: ComparisonSettings) -> pd.DataFrame:
    """``COLUMNS`` by the confirmatory test."""
    baseline, better, alpha = settings.baseline, settings.better, settings.alpha
    found = {name: values.difference(name, baseline) for name in values.candidates if name != baseline}
    tests = {name: _test(difference, values, layout) for name, difference in found.items()}
    judged = verdicts(tests, better=better, alpha=alpha, smallest_difference=settings.smallest_difference)
    rows = []
    for name in values.candidates:
        row: dict[str, object] = {"candidate": name} | _described(values, name)
        if name == baseline:
            rows.append(row | {"verdict": "baseline", "reason": "", "exploratory": ""})
            continue
        verdict, difference = judged[name], found[name]
        test = verdict.test
        row |= {"difference": test.mean, "low": verdict.low, "high": verdict.high, "level": verdict.level, "p": test.p}
        row |= {"p_holm": verdict.p_holm, "df": test.df, "verdict": verdict.words, "p_false_claim": test.p_false_claim}
        row |= {"n_subjects": test.n_subjects if layout.subject else pd.NA}
        row |= {"n_models": pd.NA if layout.knows_no_models else test.n_models}
        row |= {"reason": test.reason, "exploratory": test.exploratory}
        if difference is not None:
            row |= {"n_higher": difference.n_higher, "n_lower": difference.n_lower}
        rows.append(row | vars(power_of(test, repeats=values.n_repeats, alpha=1 - verdict.level)))
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    if layout.subject:
        ranks = rank_intervals(values, better=better, level=1 - alpha)
        table[list(ranks.columns)] = ranks.loc[table["candidate"]].to_numpy()
        table["tied_with_best"] = table["candidate"].isin(tie_group(values, better=better, alpha=alpha).group)
    return _whole_numbers(table)


def _test(difference: Difference | None, values: CaseValues, layout: Layout) -> ModelT:
    """The test of one difference; over trained models of known folds it is the corrected resampled t-test.

    Trained models of repeated cross-validation share training cases, which widens the standard error (Nadeau and Bengio, 2003).
    """
    if difference is None:
        return model_t([], [], [])
    test = difference.test
    if np.isnan(test.p):
        return test
    if layout.subject:
        unknown = "which subjects share a trained model is not known"
        return replace(test, exploratory=unknown) if layout.knows_no_models else test
    test = replace(test, exploratory="the table has no subjects")
    folds = int(values.rows["fold"].nunique()) if layout.fold else 0
    if folds < 2 or test.standard_error == 0:
        return test
    error = test.standard_error * np.sqrt(1 + test.n_entries / (folds - 1))
    return replace(test, standard_error=error, p=float(2 * special.stdtr(test.df, -abs(test.mean) / error)))


def _described(values: CaseValues, name: str) -> dict[str, object]:
    """Mean and standard deviation over subjects of all that a candidate has."""
    own = values.entries([name])
    if own is None:
        return {"mean": np.nan, "std": np.nan}
    by_subject = own.design.subject_means(own.values)[:, 0]
    return {"mean": float(by_subject.mean()), "std": float(by_subject.std(ddof=1)) if len(by_subject) > 1 else np.nan}


def _published(values: CaseValues, settings: ComparisonSettings) -> pd.DataFrame:
    """``COLUMNS`` as papers compute them, over the mean of each trained model's cases."""
    models = pd.DataFrame(values.values, columns=list(values.candidates))
    models = models.groupby([values.rows["repeat"], values.rows["fold"]]).mean()
    rows = []
    for candidate in values.candidates:
        found = as_published(models[candidate], models[settings.baseline])
        row: dict[str, object] = {"candidate": candidate, "mean": found.mean, "std": found.std, "n_models": found.n_models}
        row |= {"verdict": "baseline", "reason": "", "exploratory": ""}
        if candidate != settings.baseline:
            ahead = found.difference > 0 if settings.better == "higher" else found.difference < 0
            words = ("better" if ahead else "worse") if found.p <= settings.alpha else "undecided"
            row |= {"difference": found.difference, "p": found.p, "verdict": words, "exploratory": "as published"}
        rows.append(row)
    return _whole_numbers(pd.DataFrame(rows).reindex(columns=COLUMNS))


def _whole_numbers(table: pd.DataFrame) -> pd.DataFrame:
    counts = ["n_subjects", "n_models", "n_higher", "n_lower", "subjects_needed", "repeats_needed"]
    return table.astype(dict.fromkeys(counts, "Int64"))
