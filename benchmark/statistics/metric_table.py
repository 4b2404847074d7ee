"""One metric of a comparison: every candidate described, and tested against the baseline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import subjects
from .arithmetic import mean_and_std
from .ranking import best_of, mean_ranks
from .significance import bootstrap_interval, corrected_resampled_t, holm, paired_differences, wilcoxon
from .verdict.as_published import as_published

Protocol = Literal["per-subject", "as-published"]
UNTESTED_KINDS = ("fusion", "rater")
WHY = ("why_no_mean", "why_no_interval", "why_no_p", "why_no_corrected_t")
"""Columns that say why a number is missing where one was to be expected; empty where it is there, or belongs to no such row."""
ONE_SUBJECT = "one subject has no spread"
_TESTED = ("difference", "difference_low", "difference_high", "p", "effect", "p_corrected_t", "n_pairs", "n_differ")


@dataclass(frozen=True, eq=False)
class Terms:
    """What a comparison is made by: the same for all its metrics.

    ``expected``: the candidates in order, those without any result included. ``test_to_train``: test cases / training cases.
    ``never_best``: candidates that are ranked and tested as all are, and never marked as the best. ``apart``: candidates with
    less than half of the others' units. ``absent``: why a candidate has no value to compare.
    """

    primary_metric: str
    reference: str
    baseline: str
    class_: str
    protocol: Protocol
    alpha: float
    resamples: int
    seed: int
    test_to_train: float
    expected: Sequence[str]
    better: Mapping[str, str]
    never_best: Collection[str] = ()
    apart: Collection[str] = ()
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def per_subject(self) -> bool:
        """One value a subject goes into the tests; else one value a trained model, as papers do."""
        return self.protocol == "per-subject"

    def interval(self, values: pd.Series | npt.NDArray[np.float64]) -> tuple[float, float]:
        """Bootstrap interval of the mean; none over trained models, where it would be as anti-conservative as the test."""
        if not self.per_subject:
            return np.nan, np.nan
        return bootstrap_interval(values, confidence=1 - self.alpha, resamples=self.resamples, seed=self.seed)


def metric_table(rows: pd.DataFrame, metric: str, terms: Terms) -> tuple[pd.DataFrame, Sequence[str]]:
    """All rows of one metric (the columns of ``Comparison.table``), and the subjects (or models) that were left out."""
    reference = subjects.reference_of(rows, metric, terms.reference)
    rows = rows[(rows["metric"] == metric) & (rows["reference"] == reference)]  # once, for all kinds: the long table is long
    cases = subjects.case_values(rows, metric, reference, terms.class_)
    values = subjects.subject_means(cases) if terms.per_subject else subjects.fold_values(cases)
    pairs = subjects.paired(values, terms.apart)
    undefined = cases.groupby("candidate")["undefined"].sum()
    if metric != terms.primary_metric:
        terms = replace(terms, absent={})  # Who has no result at all is said once, on the primary metric.
    table = pd.DataFrame([_entry(pairs, cases, name, terms) for name in terms.expected])
    table["kind"] = "method"
    table["n_undefined"] = [int(undefined.get(name, 0)) for name in terms.expected]
    table["why_no_mean"] = [_why_no_mean(values, pairs, cases, name, terms) for name in terms.expected]
    better = terms.better.get(metric, "none")
    table["rank"] = table["candidate"].map(mean_ranks(pairs.values[list(pairs.complete)], better))
    may_be_best = table["complete"] & ~table["candidate"].isin(terms.never_best)
    table["best"] = best_of(table["mean"].where(may_be_best), better)
    _correct(table, "confirmatory" if metric == terms.primary_metric else "exploratory", terms)
    described = [_described(rows, metric, reference, kind, terms) for kind in UNTESTED_KINDS]
    table = pd.concat([table, *(d for d in described if len(d))], ignore_index=True)
    table["metric"], table["class"], table["reference"] = metric, terms.class_, reference
    return table, pairs.dropped


def _entry(pairs: subjects.Paired, cases: pd.DataFrame, candidate: str, terms: Terms) -> dict[str, object]:
    values = pairs.values.get(candidate, pd.Series(np.nan, index=pairs.values.index))
    entry = {"candidate": candidate, "complete": candidate in pairs.complete, **_summary(values, terms)}
    entry |= dict.fromkeys(_TESTED, np.nan) | {"why_no_p": "", "why_no_corrected_t": ""}
    if candidate == terms.baseline:
        return entry
    baseline = pairs.values.get(terms.baseline, pd.Series(np.nan, index=pairs.values.index))
    difference = paired_differences(values, baseline)
    if not difference.size:
        where = "subject" if terms.per_subject else "trained model"
        nobody = f"no {where} has a value of both {candidate} and {terms.baseline}"
        return entry | {"why_no_p": terms.absent.get(candidate, nobody)}
    test = wilcoxon(difference, "pratt" if terms.per_subject else "wilcox")
    p = test.p if terms.per_subject else as_published(values, baseline).p
    low, high = terms.interval(difference)
    folds = subjects.fold_differences(cases, candidate, terms.baseline).to_numpy()
    entry |= {"difference": mean_and_std(difference)[0], "difference_low": low, "difference_high": high}
    entry |= {"p": p, "effect": test.effect, "n_pairs": difference.size, "n_differ": test.n_nonzero}
    if terms.per_subject and difference.size == 1:
        entry["why_no_interval"] = ONE_SUBJECT
    p_corrected_t = corrected_resampled_t(folds, terms.test_to_train)
    entry["p_corrected_t"] = p_corrected_t
    if np.isnan(p_corrected_t):
        entry["why_no_corrected_t"] = _why_no_corrected_t(len(folds), terms)
    return entry


def _summary(values: pd.Series, terms: Terms) -> dict[str, object]:
    n = int(values.notna().sum())
    mean, std = mean_and_std(values)
    low, high = terms.interval(values)
    why = ONE_SUBJECT if terms.per_subject and n == 1 else ""
    return {"n": n, "mean": mean, "std": std, "ci_low": low, "ci_high": high, "why_no_interval": why}


def _why_no_mean(values: pd.DataFrame, pairs: subjects.Paired, cases: pd.DataFrame, candidate: str, terms: Terms) -> str:
    """Why a candidate has no mean; empty if it has one, or if the metric was never measured for it."""
    if candidate not in values:
        return terms.absent.get(candidate, "")
    if pairs.values[candidate].notna().any():
        return ""
    if values[candidate].isna().all():
        n = int(cases.loc[cases["candidate"] == candidate, "undefined"].sum())
        return f"none of the {n} values of {candidate} is defined"
    return f"no {'subject' if terms.per_subject else 'trained model'} of {candidate} is one that all compared candidates have"


def _why_no_corrected_t(models: int, terms: Terms) -> str:
    """Why the corrected resampled t-test gave nothing."""
    if models < 2:
        return "fewer than two trained models have values of both candidates"
    if not np.isfinite(terms.test_to_train):
        return "the sizes of the training parts are not known"
    return "the difference is the same for all trained models, so nothing says how far chance could move it"


def _correct(table: pd.DataFrame, family: str, terms: Terms) -> None:
    """Fill ``family``, ``p_holm`` and ``significant``; the baseline belongs to no family."""
    tested = (table["candidate"] != terms.baseline).to_numpy()
    table["family"] = np.where(tested, family, "")
    p_holm = np.full(len(table), np.nan)
    if terms.per_subject:
        p_holm[tested] = holm(table["p"].to_numpy()[tested])
    table["p_holm"] = p_holm
    table["significant"] = table["p_holm" if terms.per_subject else "p"] <= terms.alpha


def _described(rows: pd.DataFrame, metric: str, reference: str, kind: str, terms: Terms) -> pd.DataFrame:
    """Rows that need no network: each over its own subjects, untested."""
    cases = subjects.case_values(rows, metric, reference, terms.class_, kind)
    if cases.empty:
        return pd.DataFrame()
    values = subjects.subject_means(cases)
    undefined = cases.groupby("candidate")["undefined"].sum()
    fixed = {"kind": kind, "family": "", "complete": True, "best": False, "significant": False}
    table = pd.DataFrame(
        [
            {"candidate": str(c), "n_undefined": int(undefined[str(c)]), **_summary(values[str(c)], terms), **fixed}
            for c in values
        ]
    )
    table[["why_no_mean", "why_no_p", "why_no_corrected_t"]] = ""
    nothing = table["mean"].isna()
    table.loc[nothing, "why_no_mean"] = "none of the values of " + table["candidate"] + " is defined"
    return table
