"""One metric of a comparison: every candidate described, and compared with the baseline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from .arithmetic import mean_and_std
from .long_rows import LongRows
from .ranking import best_of
from .shared_units import LEAST
from .significance import corrected_resampled_t, wilcoxon
from .verdict.as_published import as_published
from .verdict.model_t import model_t, model_t_in
from .verdict.power import power_of
from .verdict.shared_cells import CaseValues, Difference
from .verdict.tie_groups import rank_intervals, tie_group
from .verdict.verdicts import Better, Verdict, verdicts

Protocol = Literal["model-t", "as-published"]
UNTESTED_KINDS = ("fusion", "rater")
WHY = ("why_no_mean", "why_no_interval", "why_no_p", "why_no_corrected_t")
"""Columns that say why a number is missing where one was to be expected; empty where it is there, or belongs to no such row."""
ONE_SUBJECT = "one subject has no spread"
DIRECTIONS = {"better": "higher", "worse": "lower"}
"""What the verdict on a metric is where neither larger nor smaller values are better."""
_TEST = {
    **dict.fromkeys(("difference", "low", "high", "level", "p", "p_holm", "df", "p_false_claim"), np.nan),
    **dict.fromkeys(("equivalence_low", "equivalence_high"), np.nan),
    **dict.fromkeys(("n_pairs", "n_trainings", "n_higher", "n_lower", "variance_ratio", "smallest_found"), np.nan),
    **dict.fromkeys(("subjects_needed", "repeats_needed", "p_wilcoxon", "effect", "p_corrected_t"), np.nan),
    **dict.fromkeys(("verdict", "exploratory", "why_no_p", "why_no_corrected_t"), ""),
}
"""The columns of a test, of a row without one."""


@dataclass(frozen=True, eq=False)
class Terms:
    """What a comparison is made by: the same for all its metrics.

    ``smallest_difference`` is the smallest that is relevant, in the unit of the primary metric. ``expected``: the candidates in
    order, those without any result included. ``test_to_train``: test cases / training cases. ``never_best``: candidates that
    are ranked and tested as all are, and never marked as the best. ``absent``: why a candidate has no value to compare.
    """

    primary_metric: str
    reference: str
    baseline: str
    class_: str
    protocol: Protocol
    alpha: float
    smallest_difference: float
    test_to_train: float
    expected: Sequence[str]
    better: Mapping[str, str]
    never_best: Collection[str] = ()
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_model_t(self) -> bool:
        """Tested by ``model t``; else over trained models, as papers do."""
        return self.protocol == "model-t"


@dataclass(frozen=True, eq=False)
class MetricValues:
    """The values of one metric, those without half of the others' values apart.

    ``complete``: the candidates with at least half of the cells of the fullest one; they have a say in which are shared.
    ``undefined``: how many values of each candidate are not defined.
    """

    values: CaseValues
    complete: Sequence[str]
    undefined: Mapping[str, int]


def metric_values(rows: LongRows, metric: str, terms: Terms) -> MetricValues:
    """The candidates' values on one metric.

    Raises:
        RaterbenchError: the metric was not measured, or not against the reference.
    """
    reference = rows.reference_of(metric, terms.reference)
    values, undefined = rows.values(metric, reference, terms.class_)
    known = np.isfinite(values.values).sum(axis=0)
    most = known.max(initial=0)
    complete = [name for name, n in zip(values.candidates, known, strict=True) if n > 0 and n >= LEAST * most]
    return MetricValues(values, complete, undefined)


def metric_table(rows: LongRows, metric: str, terms: Terms) -> pd.DataFrame:
    """All rows of one metric (the columns of ``Comparison.table``)."""
    found = metric_values(rows, metric, terms)
    if metric != terms.primary_metric:
        terms = replace(terms, absent={}, smallest_difference=0.0)  # Both are said of the primary metric alone.
    table = pd.DataFrame({"candidate": list(terms.expected), "kind": "method"})
    table["complete"] = table["candidate"].isin(found.complete)
    table["n_undefined"] = [found.undefined.get(name, 0) for name in terms.expected]
    described = _described if terms.by_model_t else _described_as_published
    table = table.join(pd.DataFrame([described(found, name, terms) for name in terms.expected]))
    compared = _compared if terms.by_model_t else _compared_as_published
    table = table.join(pd.DataFrame(compared(found, terms.better.get(metric, "none"), terms)))
    tested = table["candidate"] != terms.baseline
    family = "confirmatory" if metric == terms.primary_metric and terms.by_model_t else "exploratory"
    table["family"] = np.where(tested, family, "")
    table["significant"] = table["p_holm" if terms.by_model_t else "p"] <= terms.alpha
    table = _ranked(table, found, terms.better.get(metric, "none"), terms)
    reference = rows.reference_of(metric, terms.reference)
    others = [_untested(rows, metric, reference, kind, terms) for kind in UNTESTED_KINDS]
    table = pd.concat([table, *(part for part in others if len(part))], ignore_index=True)
    return table.assign(metric=metric, reference=reference, **{"class": terms.class_})


def _described(found: MetricValues, name: str, terms: Terms) -> dict[str, object]:
    """Mean over subjects of what all complete candidates share, with the interval of ``model t``."""
    values = found.values
    if name not in values.candidates or not np.isfinite(values.only([name]).values).any():
        return _no_mean(found, name, terms, "")
    shared = values.entries(list(dict.fromkeys([name, *found.complete])))
    if shared is None:
        return _no_mean(found, name, terms, f"no subject and training of {name} is one that all compared candidates have")
    mine = shared.values[:, 0]
    by_subject = shared.design.subject_means(mine[:, None])[:, 0]
    mean, std = mean_and_std(by_subject)
    test = model_t_in(shared.design, mine)
    if np.ptp(mine) == 0:
        low, high, why = mean, mean, ""  # Equal values have no spread, as equal differences have none.
    else:
        (low, high), why = test.interval(1 - terms.alpha), test.reason
    return {
        "n": len(by_subject),
        "mean": mean,
        "std": std,
        "ci_low": low,
        "ci_high": high,
        "why_no_mean": "",
        "why_no_interval": why,
    }


def _no_mean(found: MetricValues, name: str, terms: Terms, why: str) -> dict[str, object]:
    """A row without a mean, and the reason."""
    if not why:
        measured = name in found.values.candidates
        n = found.undefined.get(name, 0)
        why = f"none of the {n} values of {name} is defined" if measured else terms.absent.get(name, "")
    return {"n": 0, **dict.fromkeys(("mean", "std", "ci_low", "ci_high"), np.nan), "why_no_mean": why, "why_no_interval": ""}


def _compared(found: MetricValues, better: str, terms: Terms) -> list[dict[str, object]]:
    """The test of each expected candidate against the baseline, with what follows from it; the baseline's row has none."""
    others = [name for name in terms.expected if name != terms.baseline]
    differences = {name: _difference(found.values, name, terms.baseline) for name in others}
    nothing = model_t([], [], [])
    tests = {name: nothing if difference is None else difference.test for name, difference in differences.items()}
    direction: Better = "lower" if better == "lower" else "higher"
    judged = verdicts(tests, better=direction, alpha=terms.alpha, smallest_difference=terms.smallest_difference)
    rows = []
    for name in terms.expected:
        row: dict[str, object] = dict(_TEST)
        difference = differences.get(name)
        if name == terms.baseline:
            row["verdict"] = "baseline"
        elif difference is None:
            nobody = f"no subject and training has a value of both {name} and {terms.baseline}"
            row |= {"verdict": "undecided", "why_no_p": terms.absent.get(name, nobody)}
        else:
            row |= _tested(difference, judged[name], found.values, terms)
            if better not in ("higher", "lower"):
                head, comma, tail = str(row["verdict"]).partition(",")
                row["verdict"] = DIRECTIONS.get(head, head) + comma + tail
        rows.append(row)
    return rows


def _difference(values: CaseValues, name: str, baseline: str) -> Difference | None:
    have = values.candidates
    return values.difference(name, baseline) if name in have and baseline in have else None


def _tested(difference: Difference, verdict: Verdict, values: CaseValues, terms: Terms) -> dict[str, object]:
    """The columns of a test; beside ``model t`` the two tests that answer other questions."""
    test = verdict.test
    row: dict[str, object] = {"difference": test.mean, "low": verdict.low, "high": verdict.high, "level": verdict.level}
    row |= {"p": test.p, "p_holm": verdict.p_holm, "df": test.df, "verdict": verdict.words, "p_false_claim": test.p_false_claim}
    row |= dict(zip(("equivalence_low", "equivalence_high"), test.interval(1 - 2 * terms.alpha), strict=True))
    row |= {"n_pairs": test.n_subjects, "n_trainings": test.n_models, "exploratory": test.exploratory, "why_no_p": test.reason}
    row |= {"n_higher": difference.n_higher, "n_lower": difference.n_lower}
    power = power_of(test, repeats=values.n_repeats, alpha=1 - verdict.level)
    row |= {key: np.nan if value is None else value for key, value in vars(power).items()}
    over_subjects = wilcoxon(difference.by_subject)
    p = corrected_resampled_t(difference.by_training, terms.test_to_train)
    row |= {"p_wilcoxon": over_subjects.p, "effect": over_subjects.effect, "p_corrected_t": p, "why_no_corrected_t": ""}
    if np.isnan(p):
        row["why_no_corrected_t"] = _why_no_corrected_t(len(difference.by_training), terms)
    return row


def _why_no_corrected_t(trainings: int, terms: Terms) -> str:
    """Why the corrected resampled t-test gave nothing."""
    if trainings < 2:
        return "fewer than two trained models have values of both candidates"
    if not np.isfinite(terms.test_to_train):
        return "the sizes of the training parts are not known"
    return "the difference is the same for all trained models, so nothing says how far chance could move it"


def _ranked(table: pd.DataFrame, found: MetricValues, better: str, terms: Terms) -> pd.DataFrame:
    """With ranks, their intervals, and who belongs to the group that cannot be told from the best."""
    table = table.assign(rank=np.nan, rank_low=np.nan, rank_high=np.nan, best=False)
    allowed = [name for name in terms.expected if name in found.complete and name not in terms.never_best]
    if not terms.by_model_t:
        may = table["candidate"].isin(allowed)
        return table.assign(best=best_of(table["mean"].where(may), better), rank=_plain_ranks(table["mean"], better))
    direction: Better | None = "higher" if better == "higher" else "lower" if better == "lower" else None
    if direction is not None:
        complete = [name for name in terms.expected if name in found.complete]
        if complete:
            ranks = rank_intervals(found.values.only(complete), better=direction, level=1 - terms.alpha)
            places = table["candidate"].map({name: place for place, name in enumerate(ranks.index)})
            known = places.notna()
            for column in ranks:
                table.loc[known, column] = ranks[column].to_numpy()[places[known].astype(int)]
        if allowed:
            tied = tie_group(found.values.only(allowed), better=direction, alpha=terms.alpha)
            table["best"] = table["candidate"].isin(tied.group)
            if terms.baseline in tied.best:
                # The family of comparisons with the baseline is smaller, so it may tell apart what all pairs do not.
                table["best"] &= ~table["verdict"].str.startswith("worse")
    elif better == "zero":
        table["best"] = best_of(table["mean"].where(table["candidate"].isin(allowed)), better)
    return table


def _plain_ranks(means: pd.Series, better: str) -> pd.Series:
    """Ranks of means, 1 is best; NaN without a direction."""
    return means.rank(ascending=better == "lower") if better in ("higher", "lower") else means * np.nan


def _training_means(values: CaseValues) -> pd.DataFrame:
    """Trained models x candidates: the mean over the test cases of each."""
    return pd.DataFrame(values.values, columns=list(values.candidates)).groupby(values.cells.model).mean()


def _described_as_published(found: MetricValues, name: str, terms: Terms) -> dict[str, object]:
    """Mean and standard deviation over trained models, as papers have them, without an interval."""
    if name not in found.values.candidates:
        return _no_mean(found, name, terms, "")
    shared = _training_means(found.values.only(list(dict.fromkeys([name, *found.complete])))).dropna()[name]
    if shared.empty:
        nothing = not np.isfinite(found.values.only([name]).values).any()
        return _no_mean(found, name, terms, "" if nothing else f"no trained model of {name} is one that all candidates have")
    mean, std = mean_and_std(shared)
    return {
        "n": len(shared),
        "mean": mean,
        "std": std,
        "ci_low": np.nan,
        "ci_high": np.nan,
        "why_no_mean": "",
        "why_no_interval": "",
    }


def _compared_as_published(found: MetricValues, better: str, terms: Terms) -> list[dict[str, object]]:
    """Over trained models, uncorrected, as papers test."""
    means = _training_means(found.values)
    rows = []
    for name in terms.expected:
        row: dict[str, object] = dict(_TEST)
        if name == terms.baseline:
            row["verdict"] = "baseline"
        elif name not in means or terms.baseline not in means or means[[name, terms.baseline]].dropna().empty:
            nobody = f"no trained model has a value of both {name} and {terms.baseline}"
            row |= {"verdict": "undecided", "why_no_p": terms.absent.get(name, nobody)}
        else:
            test = as_published(means[name], means[terms.baseline])
            ahead = "better" if (test.difference > 0) == (better != "lower") else "worse"
            words = ahead if better in ("higher", "lower") else DIRECTIONS[ahead]
            row |= {"difference": test.difference, "p": test.p, "n_trainings": test.n_models, "exploratory": "as published"}
            row["verdict"] = words if test.p <= terms.alpha else "undecided"
        rows.append(row)
    return rows


def _untested(rows: LongRows, metric: str, reference: str, kind: str, terms: Terms) -> pd.DataFrame:
    """Rows that need no network: each over its own subjects, with a t interval over them."""
    if not rows.candidates(metric, reference, kind):
        return pd.DataFrame()
    values, undefined = rows.values(metric, reference, terms.class_, kind)
    table = []
    for name in values.candidates:
        own = values.entries([name])
        by_subject = np.empty(0) if own is None else own.design.subject_means(own.values)[:, 0]
        mean, std = mean_and_std(by_subject)
        n = len(by_subject)
        half = float(special.stdtrit(n - 1, 1 - terms.alpha / 2)) * std / np.sqrt(n) if n > 1 else np.nan
        row: dict[str, object] = {"candidate": name, "n": len(by_subject), "mean": mean, "std": std, **_TEST}
        row |= {"ci_low": mean - half, "ci_high": mean + half, "n_undefined": undefined[name]}
        row["why_no_mean"] = "" if len(by_subject) else f"none of the values of {name} is defined"
        row["why_no_interval"] = ONE_SUBJECT if len(by_subject) == 1 else ""
        table.append(row)
    made = pd.DataFrame(table).assign(kind=kind, family="", complete=True, best=False, significant=False)
    return made.assign(rank=np.nan, rank_low=np.nan, rank_high=np.nan)
