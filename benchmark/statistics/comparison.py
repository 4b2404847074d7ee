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
from .metric_table import WHY, Protocol, Terms, metric_table
from .shared_units import SharedUnits, shared_units
from .significance import bootstrap_interval, smallest_p
from .verdict.as_published import smallest_published_p

if TYPE_CHECKING:
    from ..experiment.experiment import Statistics

COLUMNS = [
    *("metric", "class", "reference", "candidate", "kind", "family", "n", "mean", "std", "ci_low", "ci_high"),
    *("difference", "difference_low", "difference_high", "p", "p_holm", "significant", "effect", "p_corrected_t"),
    *("rank", "best", "complete", "n_pairs", "n_differ", "n_undefined", *WHY),
]
"""Columns of ``Comparison.table``, one row a metric and candidate:

* ``metric``, ``class``, ``reference`` (``none`` for a metric that needs none), ``candidate``, ``kind``;
* ``family``: ``confirmatory`` (candidates against the baseline on the primary metric), ``exploratory``, or ``""`` for rows
  that are described only (the baseline itself, raters, fused labels);
* ``n`` subjects behind the row (trained models when as published), ``mean``, ``std`` (ddof 1) over them, ``ci_low`` to
  ``ci_high`` the bootstrap interval of the mean;
* ``difference``: mean of candidate minus baseline over the subjects of both, with its interval;
* ``p`` of the Wilcoxon test, ``p_holm`` over the candidates of this metric, ``significant`` at alpha after Holm, ``effect`` the
  rank-biserial (positive: larger values than the baseline's), ``p_corrected_t`` of the corrected resampled t-test;
* ``rank``: mean rank over subjects, 1 is best; ``best``: has the best mean among complete candidates (never for those
  in ``never_best``);
* ``complete``: has at least half of the units and subjects, and so a say in which ones are compared;
* ``n_pairs``: subjects (or models) that both candidate and baseline have, ``n_differ``: those of them on which the two differ
  at all, which alone are evidence;
* ``n_undefined``: values that were not finite (or beyond 1e300) and were left out;
* ``why_no_mean``, ``why_no_interval``, ``why_no_p``, ``why_no_corrected_t``: the reason where such a number was to be expected
  and is missing, else empty.
"""


@dataclass(frozen=True, eq=False)
class Comparison:
    """``table`` (``COLUMNS``), what it was declared with, and how much data it rests on.

    The numbers of subjects, cases, repeats and models are those of the primary metric, or of the first if it was not asked for,
    and of what all compared candidates have. ``left_out``: folds, of all repeats, that some have and not all.

    ``dropped``: for each metric the subjects left out because not all candidates have them (as published: (repeat, fold)s).
    ``few_repeats``: fewer than 3, so that chance in training is not averaged out. ``few_subjects``: no comparison can reach
    ``alpha``, even if one candidate wins on every subject that differs (alone: fewer than 6 of them at .05; with Holm more are
    needed).
    """

    table: pd.DataFrame
    terms: Terms
    n_subjects: int
    n_cases: int
    n_repeats: int
    n_models: int
    dropped: Mapping[str, Sequence[str]]
    left_out: int = 0

    @property
    def n_comparisons(self) -> int:
        """Candidates tested against the baseline: the size of the confirmatory family."""
        return len(self.terms.expected) - 1

    @property
    def few_repeats(self) -> bool:
        """Fewer than 3 repeats."""
        return self.n_repeats < 3

    @property
    def tested(self) -> pd.DataFrame:
        """The rows of the primary metric (or the first) that hold a test against the baseline, indexed by candidate."""
        primary = self.terms.primary_metric
        table = self.rows_for(primary if primary in self.dropped else next(iter(self.dropped)))
        return table[table["n_pairs"].notna()]

    @property
    def most_differ(self) -> int:
        """Subjects (or models) that differ from the baseline, of the candidate for which most do; all, if none is tested."""
        everyone = self.n_subjects if self.terms.per_subject else self.n_models
        return int(self.tested["n_differ"].max()) if len(self.tested) else everyone

    @property
    def smallest_p(self) -> float:
        """The smallest (corrected) p that these subjects, or models, can give: those that do not differ are no evidence."""
        if not self.terms.per_subject:
            return smallest_published_p(self.most_differ)
        return min(1.0, max(self.n_comparisons, 1) * smallest_p(self.most_differ))

    @property
    def few_subjects(self) -> bool:
        """Nothing can be significant."""
        return self.smallest_p > self.terms.alpha

    def rows_for(self, metric: str, kind: str = "method") -> pd.DataFrame:
        """The rows of one metric and kind, indexed by candidate."""
        return self.table[(self.table["metric"] == metric) & (self.table["kind"] == kind)].set_index("candidate")


def compare_results(  # noqa: PLR0917 -- data, settings, and what is asked of them
    rows: pd.DataFrame,
    units: pd.DataFrame,
    settings: Statistics,
    reference: str,
    baseline: str,
    metrics: Sequence[str] | None = None,
    *,
    better: Mapping[str, str] | None = None,
    class_: str = subjects.FOREGROUND,
    protocol: Protocol = "per-subject",
    never_best: Collection[str] = (),
    seed: int = 0,
) -> Comparison:
    """Compare every candidate with the baseline on every metric, from the long table and the table of units.

    Compared are the repeats, or else the folds, that all candidates finished (``shared_units``). The family is the one that was
    planned: a candidate of ``units`` without a result has a row and counts, unless it was skipped.

    ``reference`` holds for all metrics that need one. ``metrics``: by default all that have it. ``better``: ``higher``,
    ``lower``, ``zero`` or ``none`` for each metric, by default what the metric says of itself. ``protocol``: ``per-subject``,
    or ``as-published``, which tests over the trained models' means without correction, as papers do, and is anti-conservative.
    ``never_best``: candidates that are not marked as the best, however good a mean of theirs is.

    Raises:
        RaterbenchError: the primary metric, an asked metric or the baseline is not among the results.
    """
    known = [str(m) for m in pd.unique(rows["metric"])]
    primary = settings.primary_metric
    if primary not in known:
        raise RaterbenchError(f"the primary metric {primary!r} is not among the results{nearest(primary, known)}")
    methods = rows[rows["kind"] == "method"]
    names = [str(c) for c in pd.unique(methods["candidate"])]
    if baseline not in names:
        raise RaterbenchError(f"the baseline {baseline!r} has no results{nearest(baseline, names)}")
    measured = methods.loc[methods["reference"].isin([reference, "none"]), "metric"]
    wanted = [str(m) for m in pd.unique(measured)] if metrics is None else list(metrics)
    if not wanted:
        raise RaterbenchError(
            f"no metric was measured against {reference!r}{nearest(reference, map(str, pd.unique(rows['reference'])))}"
        )
    shared = shared_units(units)
    compared = shared.only(rows)
    terms = Terms(
        primary_metric=primary,
        reference=reference,
        baseline=baseline,
        class_=class_,
        protocol=protocol,
        alpha=settings.alpha,
        resamples=settings.resamples,
        seed=seed,
        test_to_train=split_ratio(units),
        expected=_expected(units, names),
        better=directions(wanted) if better is None else better,
        never_best=never_best,
        apart=shared.apart,
        absent=_absent(units, compared),
    )
    made = {metric: metric_table(compared, metric, terms) for metric in wanted}
    table = pd.concat([t for t, _ in made.values()], ignore_index=True)[COLUMNS]
    dropped = {metric: found for metric, (_, found) in made.items()}
    if shared.folds is not None and terms.per_subject:
        everybody = set(map(str, methods["subject"])) - set(map(str, compared.loc[compared["kind"] == "method", "subject"]))
        dropped = {metric: sorted({*found, *everybody}) for metric, found in dropped.items()}
    return _counted(table, dropped, compared[compared["kind"] == "method"], terms, shared)


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
    rows: pd.DataFrame,
    settings: Statistics,
    metric: str,
    reference: str,
    by: str = "class",
    *,
    kind: str = "method",
    seed: int = 0,
) -> pd.DataFrame:
    """One metric for each class or centre (``by``): ``candidate group n mean std ci_low ci_high``, over the group's subjects.

    Described only, over the subjects that all candidates have: splitting the subjects further leaves too few to test.
    """
    reference = subjects.reference_of(rows, metric, reference)
    chosen = rows[(rows["metric"] == metric) & (rows["kind"] == kind) & (rows["reference"] == reference)]
    entries = []
    for group in sorted(map(str, pd.unique(chosen[by].dropna()))):
        part = chosen[chosen[by] == group]
        values = subjects.subject_values(part, metric, reference, group if by == "class" else subjects.FOREGROUND, kind)
        values = subjects.paired(values).values if kind == "method" else values
        for candidate in values:
            own = values[candidate].dropna()
            low, high = bootstrap_interval(own, confidence=1 - settings.alpha, resamples=settings.resamples, seed=seed)
            mean, std = mean_and_std(own)
            entry = {"n": len(own), "mean": mean, "std": std, "ci_low": low, "ci_high": high}
            entries.append({"candidate": candidate, "group": group, **entry})
    return pd.DataFrame(entries, columns=["candidate", "group", "n", "mean", "std", "ci_low", "ci_high"])


def _expected(units: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Candidates with results, then those of which every unit failed: they stay in the table and in the size of the family."""
    if units.empty:
        return list(names)
    planned = units[(units["kind"] == "method") & (units["status"] != "skipped")]["candidate"]
    return [*names, *(str(c) for c in pd.unique(planned) if c not in names)]


def _absent(units: pd.DataFrame, compared: pd.DataFrame) -> dict[str, str]:
    """Why candidates have nothing to compare."""
    have = set(compared.loc[compared["kind"] == "method", "candidate"])
    reasons = {"missing": "not run yet", "failed": "all its units failed", "damaged": "all its units are damaged"}
    found = {}
    for name, part in units[units["kind"] == "method"].groupby("candidate", sort=False) if len(units) else ():
        states = set(part["status"])
        if name in have or states == {"skipped"}:
            continue
        only = next(iter(states)) if len(states) == 1 else ""
        nothing = "none of its finished units is of a fold that all compared candidates have"
        found[str(name)] = nothing if "done" in states else reasons.get(only, "none of its units is finished")
    return found


def _counted(
    table: pd.DataFrame, dropped: Mapping[str, Sequence[str]], methods: pd.DataFrame, terms: Terms, shared: SharedUnits
) -> Comparison:
    metric = terms.primary_metric if terms.primary_metric in dropped else next(iter(dropped))
    cases = subjects.case_values(methods, metric, terms.reference, terms.class_)
    pairs = subjects.paired(subjects.subject_means(cases), terms.apart)
    kept = cases[cases["subject"].isin(pairs.values.index)]
    repeats = int(cases["repeat"].nunique())
    if not shared.whole_repeats and len(kept):
        # As many repeats as the subject with the fewest has.
        mine = kept[kept["candidate"].isin(pairs.complete)]
        repeats = int(mine.groupby(["candidate", "subject"])["repeat"].nunique().min())
    return Comparison(
        table=table,
        terms=terms,
        n_subjects=len(pairs.values),
        n_cases=int(kept["case"].nunique()),
        n_repeats=repeats,
        n_models=len(subjects.paired(subjects.fold_values(cases), terms.apart).values),
        dropped=dropped,
        left_out=shared.left_out,
    )
