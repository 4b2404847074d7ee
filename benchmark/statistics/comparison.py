"""The comparison of all candidates: what every table of a report is made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...errors import RaterbenchError, nearest
from . import subjects
from .arithmetic import mean_and_std
from .long_rows import LongRows
from .metric_table import WHY, Protocol, Terms, metric_table, metric_values
from .verdict.shared_cells import CaseValues, LeftOutFold

if TYPE_CHECKING:
    from ..experiment.experiment import Statistics

COLUMNS = [
    *("metric", "class", "reference", "candidate", "kind", "family", "n", "mean", "std", "ci_low", "ci_high"),
    *("difference", "low", "high", "level", "equivalence_low", "equivalence_high", "p", "p_holm", "significant", "verdict"),
    *("df", "p_false_claim", "variance_ratio", "smallest_found", "subjects_needed", "repeats_needed", "n_pairs", "n_trainings"),
    *("n_higher", "n_lower", "p_wilcoxon", "effect", "p_corrected_t", "rank", "rank_low", "rank_high", "best", "complete"),
    *("n_undefined", "exploratory", *WHY),
]
"""Columns of ``Comparison.table``, one row a metric and candidate:

* ``metric``, ``class``, ``reference`` (``none`` for a metric that needs none), ``candidate``, ``kind``;
* ``family``: ``confirmatory`` (candidates against the baseline on the primary metric), ``exploratory``, or ``""`` for rows
  that are described only (the baseline itself, raters, fused labels);
* ``n`` subjects behind the row (trained models when as published), ``mean``, ``std`` (ddof 1) over them, ``ci_low`` to
  ``ci_high`` the interval of the mean, whose variance contains subjects and trained models;
* ``difference``: candidate minus baseline over the subjects and trainings of both; ``low`` to ``high``: Holm's interval at
  ``level``; ``equivalence_low`` to ``equivalence_high``: the 1 - 2 alpha interval, by which equivalence is judged; ``p`` of
  ``model t`` with its ``df``, ``p_holm`` over the candidates of this metric, ``significant`` at alpha after Holm; ``verdict``:
  ``better``, ``worse``, ``equivalent``, ``better, by less than is relevant`` (or worse), ``undecided``, or ``baseline``; of a
  metric without a direction ``higher`` and ``lower``; ``p_false_claim``: that who is ahead is not better;
* ``variance_ratio`` of trained models and subjects; ``smallest_found``: the difference that this design finds with 80 % power;
  ``subjects_needed``, ``repeats_needed``: to find the observed one (missing: no number would do, or not known);
* ``n_pairs`` subjects and ``n_trainings`` trained models that candidate and baseline share; ``n_higher``, ``n_lower``: on how
  many subjects the candidate has the larger or the smaller value;
* ``p_wilcoxon`` over subjects, with ``effect``, the rank-biserial (positive: larger values than the baseline's): for these
  trained models and other subjects; ``p_corrected_t`` of the corrected resampled t-test: for other training subjects;
* ``rank`` of the mean, 1 is best, between ``rank_low`` and ``rank_high`` with other subjects and trainings; ``best``: cannot be
  told from the best candidate, neither over all pairs nor, where the baseline is the best, against it (never for those in
  ``never_best``);
* ``complete``: has at least half of the values, and so a say in which ones are shared;
* ``n_undefined``: values that were not finite (or beyond 1e300) and were left out;
* ``exploratory``: why a test is no confirmation, whatever its family;
* ``why_no_mean``, ``why_no_interval``, ``why_no_p``, ``why_no_corrected_t``: the reason where such a number was to be expected
  and is missing, else empty.
"""


@dataclass(frozen=True, eq=False)
class Comparison:
    """``table`` (``COLUMNS``), what it was declared with, and how much data it rests on.

    ``values`` are those of the primary metric, or of the first if it was not asked for. The numbers of subjects, cases, repeats
    and models are of what all complete candidates share on it.
    """

    table: pd.DataFrame
    terms: Terms
    metric: str
    values: CaseValues
    n_subjects: int
    n_cases: int
    n_repeats: int
    n_models: int

    @property
    def n_comparisons(self) -> int:
        """Candidates tested against the baseline: the size of the confirmatory family."""
        return len(self.terms.expected) - 1

    @property
    def few_repeats(self) -> bool:
        """Fewer than 3 repeats."""
        return self.n_repeats < 3

    @property
    def smallest_found(self) -> float:
        """The largest of the differences that the tests on the metric find with 80 % power; NaN without a test."""
        return float(self.rows_for(self.metric)["smallest_found"].max())

    @property
    def complete(self) -> list[str]:
        """The candidates with at least half of the values of the metric."""
        rows = self.rows_for(self.metric)
        return [str(name) for name in rows.index[rows["complete"].astype(bool)]]

    def rows_for(self, metric: str, kind: str = "method") -> pd.DataFrame:
        """The rows of one metric and kind, indexed by candidate."""
        return self.table[(self.table["metric"] == metric) & (self.table["kind"] == kind)].set_index("candidate")

    def left_out(self) -> dict[str, list[LeftOutFold]]:
        """The trained models that a candidate or the baseline lacks, by candidate."""
        have, baseline = self.values.candidates, self.terms.baseline
        others = [name for name in self.terms.expected if name != baseline and name in have and baseline in have]
        found = {name: self.values.left_out_folds(name, baseline) for name in others}
        return {name: folds for name, folds in found.items() if folds}


def compare_results(  # noqa: PLR0917 -- data, settings, and what is asked of them
    rows: pd.DataFrame | LongRows,
    units: pd.DataFrame,
    settings: Statistics,
    reference: str,
    baseline: str,
    metrics: Sequence[str] | None = None,
    *,
    better: Mapping[str, str] | None = None,
    class_: str = subjects.FOREGROUND,
    protocol: Protocol = "model-t",
    never_best: Collection[str] = (),
) -> Comparison:
    """Compare every candidate with the baseline on every metric, from the long table and the table of units.

    A difference uses the subjects and trainings that candidate and baseline share, a mean those that all candidates with at
    least half of the values share. The family is the one that was planned: a candidate of ``units`` without a result has a row
    and counts, unless it was skipped.

    ``reference`` holds for all metrics that need one. ``metrics``: by default all that have it. ``better``: ``higher``,
    ``lower``, ``zero`` or ``none`` for each metric, by default what the metric says of itself. ``protocol``: ``model-t``, or
    ``as-published``, which tests over the trained models' means without correction, as papers do; its p-values are too small.
    ``never_best``: candidates that are not marked as the best, however good a mean of theirs is.

    Raises:
        RaterbenchError: the primary metric, an asked metric or the baseline is not among the results.
    """
    grouped = LongRows.of(rows)
    primary = settings.primary_metric
    if primary not in grouped.metrics:
        raise RaterbenchError(f"the primary metric {primary!r} is not among the results{nearest(primary, grouped.metrics)}")
    names = grouped.methods
    if baseline not in names:
        raise RaterbenchError(f"the baseline {baseline!r} has no results{nearest(baseline, names)}")
    measured = [m for m in grouped.metrics if not {reference, "none"}.isdisjoint(grouped.references(m))]
    wanted = measured if metrics is None else list(metrics)
    if not wanted:
        references = map(str, pd.unique(grouped.rows["reference"]))
        raise RaterbenchError(f"no metric was measured against {reference!r}{nearest(reference, references)}")
    terms = Terms(
        primary_metric=primary,
        reference=reference,
        baseline=baseline,
        class_=class_,
        protocol=protocol,
        alpha=settings.alpha,
        smallest_difference=settings.smallest_difference,
        test_to_train=split_ratio(units),
        expected=_expected(units, names),
        better=directions(wanted) if better is None else better,
        never_best=never_best,
        absent=_absent(units, names),
    )
    table = pd.concat([metric_table(grouped, metric, terms) for metric in wanted], ignore_index=True)[COLUMNS]
    metric = primary if primary in wanted else wanted[0]
    found = metric_values(grouped, metric, terms)
    cells = found.values.rows.iloc[:0]
    if found.complete:
        cells = found.values.rows.iloc[np.flatnonzero(np.isfinite(found.values.only(found.complete).values).all(axis=1))]
    return Comparison(
        table=table,
        terms=terms,
        metric=metric,
        values=found.values,
        n_subjects=int(cells["subject"].nunique()),
        n_cases=int(cells["case"].nunique()),
        n_repeats=int(cells["repeat"].nunique()),
        n_models=len(cells[["repeat", "fold"]].drop_duplicates()),
    )


def directions(metrics: Sequence[str]) -> dict[str, str]:
    """What is better for each metric, as the metrics say themselves; ``none`` for one that is not known here (a plug-in's)."""
    from ..metrics import METRICS

    known = set(METRICS.names())
    # A metric that is listed twice has its parameters behind its name: "surface dice (tolerance=2.0)".
    named = {m: m if m in known else m.partition(" (")[0] for m in metrics}
    return {m: METRICS.get(name).better if name in known else "none" for m, name in named.items()}


def split_ratio(units: pd.DataFrame) -> float:
    """Mean over finished units of test cases / cases of the training part (validation included); NaN if not known."""
    if units.empty:
        return np.nan
    done = units[(units["kind"] == "method") & (units["status"] == "done")]
    n_test, n_train, n_validation = (pd.to_numeric(done[k]) for k in ("n_test", "n_train", "n_validation"))
    trained = n_train + n_validation.fillna(0)
    return float((n_test / trained.where(trained > 0)).mean())


def breakdown(
    rows: pd.DataFrame | LongRows,
    metric: str,
    reference: str,
    by: str = "class",
    *,
    kind: str = "method",
) -> pd.DataFrame:
    """One metric for each class or centre (``by``): ``candidate group n mean std``, over the group's subjects.

    Described only, over what all candidates share: splitting the subjects further leaves too few to test.
    """
    grouped = LongRows.of(rows)
    chosen = grouped.rows
    chosen = chosen[(chosen["metric"] == metric) & (chosen["kind"] == kind) & (chosen["reference"] == reference)]
    entries = []
    for group in sorted(map(str, pd.unique(chosen[by].dropna()))):
        part = LongRows(chosen[chosen[by] == group])
        values, _ = part.values(metric, reference, group if by == "class" else subjects.FOREGROUND, kind)
        shared = values.entries() if kind == "method" else None
        for name in values.candidates:
            own = values.entries([name]) if shared is None else shared
            column = 0 if shared is None else values.candidates.index(name)
            by_subject = np.empty(0) if own is None else own.design.subject_means(own.values)[:, column]
            mean, std = mean_and_std(by_subject)
            entries.append({"candidate": name, "group": group, "n": len(by_subject), "mean": mean, "std": std})
    return pd.DataFrame(entries, columns=["candidate", "group", "n", "mean", "std"])


def _expected(units: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Candidates with results, then those of which every unit failed: they stay in the table and in the size of the family."""
    if units.empty:
        return list(names)
    planned = units[(units["kind"] == "method") & (units["status"] != "skipped")]["candidate"]
    return [*names, *(str(c) for c in pd.unique(planned) if c not in names)]


def _absent(units: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """Why candidates have nothing to compare."""
    reasons = {"missing": "not run yet", "failed": "all its units failed", "damaged": "all its units are damaged"}
    found = {}
    for name, part in units[units["kind"] == "method"].groupby("candidate", sort=False) if len(units) else ():
        states = set(part["status"])
        if name in names or states == {"skipped"}:
            continue
        only = next(iter(states)) if len(states) == 1 else ""
        found[str(name)] = reasons.get(only, "none of its units is finished")
    return found
