"""The raters as a panel: how close candidates are to each of them, and whether other raters would change the order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import pandas as pd

from ..benchmark.statistics.arithmetic import LARGEST
from ..benchmark.statistics.shared_units import shared_units
from ..benchmark.statistics.verdict.interchangeability import ALL_RATERS, COLUMNS, interchangeability
from ..benchmark.statistics.verdict.rater_influence import leave_a_rater_out, rater_curve
from ..benchmark.statistics.verdict.verdicts import Better
from ..benchmark.store.results import Results
from ..errors import RaterbenchError

VALUES = ["candidate", "rater", "repeat", "fold", "subject", "case", "value"]
ORDER_COLUMNS = ["left_out", "candidate", "mean", "rank"]
CURVE_COLUMNS = ["n_raters", "panels", "same_best", "agreement"]


@dataclass(frozen=True, eq=False)
class Panel:
    """The primary metric against every single rater, case by case (mean over the foreground classes), and what follows.

    Args:
        candidates, fused: ``VALUES``: the segmentations of candidates, and the labels that fusions make of the raters.
        raters: ``rater other case value``: the labels of ``other`` against those of ``rater``. Where raters are anonymous there
            is one ``other`` a case, the mean of all.
        compared: ``candidates`` on the folds that all compared candidates have.
        names: the raters that somebody was measured against, in the order of the data set.
        anonymous: a name may be another person in each case, so there is no rater to leave out.
        reason: why nothing is known, as the end of a sentence; empty if something is.
    """

    candidates: pd.DataFrame
    fused: pd.DataFrame
    raters: pd.DataFrame
    compared: pd.DataFrame
    names: tuple[str, ...]
    better: Better
    smallest_difference: float
    alpha: float
    anonymous: bool
    reason: str

    @classmethod
    def of(cls, results: Results) -> Panel:
        """From the results of an experiment."""
        declared, metric = results.experiment.statistics, results.metric(results.experiment.statistics.primary_metric)
        better = "none" if metric is None else metric.better
        rows = results.single_raters
        # An error with a sign is better the closer it is to 0.
        value = rows["value"].abs() if better == "zero" else rows["value"]
        rows = rows.assign(value=value.where(value.abs() <= LARGEST))
        by_case = rows.groupby(["kind", *VALUES[:-1]], sort=False, dropna=False)["value"].mean().reset_index()
        of_kind = {kind: by_case.loc[by_case["kind"] == kind].reset_index(drop=True) for kind in ("method", "fusion", "rater")}
        shared = shared_units(results.units)
        compared = shared.only(of_kind["method"])
        have = set(rows["rater"])
        return cls(
            of_kind["method"][VALUES],
            of_kind["fusion"][VALUES],
            of_kind["rater"].rename(columns={"candidate": "other"})[["rater", "other", "case", "value"]],
            compared.loc[~compared["candidate"].isin(shared.apart), VALUES].reset_index(drop=True),
            tuple(str(name) for name in results.facts["raters"] if name in have),
            "higher" if better == "higher" else "lower",
            declared.smallest_difference,
            declared.alpha,
            bool(results.facts["anonymous_raters"]),
            _why_nothing(results, of_kind["method"]),
        )

    @cached_property
    def interchangeability(self) -> pd.DataFrame:
        """The columns of ``statistics.verdict.interchangeability``; empty where ``why_not_interchangeable`` says why.

        Where raters are anonymous only the mean over the raters of each case is there.
        """
        return self._interchangeability[0]

    @property
    def why_not_interchangeable(self) -> str:
        """Why candidates cannot be compared with raters, as the end of a sentence; empty if they can."""
        return self._interchangeability[1]

    @cached_property
    def _interchangeability(self) -> tuple[pd.DataFrame, str]:
        if self.reason:
            return pd.DataFrame(columns=COLUMNS), self.reason
        difference, alpha = self.smallest_difference, self.alpha
        try:
            found = interchangeability(
                self.candidates, self.raters, better=self.better, smallest_difference=difference, alpha=alpha
            )
        except RaterbenchError as error:
            return pd.DataFrame(columns=COLUMNS), str(error)
        return (found[found["rater"] == ALL_RATERS] if self.anonymous else found).reset_index(drop=True), ""

    @property
    def why_no_order(self) -> str:
        """Why no rater can be left out, as the end of a sentence; empty if one can."""
        if self.reason:
            return self.reason
        if self.anonymous:
            return "the raters are anonymous, so a name may be another person in each case, and nobody can be left out"
        if len(self.names) < 2:
            return "there is one rater"
        return "there is one candidate" if self.compared["candidate"].nunique() < 2 else ""

    @cached_property
    def without_each_rater(self) -> pd.DataFrame:
        """``left_out candidate mean rank``, the whole panel first; empty where ``why_no_order`` says why."""
        if self.why_no_order:
            return pd.DataFrame(columns=ORDER_COLUMNS)
        return leave_a_rater_out(self.compared, better=self.better)

    @cached_property
    def curve(self) -> pd.DataFrame:
        """``n_raters panels same_best agreement``: the order against fewer raters; empty where ``why_no_order`` says why."""
        if self.why_no_order:
            return pd.DataFrame(columns=CURVE_COLUMNS)
        return rater_curve(self.compared, better=self.better)

    @cached_property
    def consensus(self) -> pd.Series:
        """By fusion: how much closer its labels are to a rater than the other raters are, mean over raters, cases and subjects.

        A fusion has seen the labels it is compared with, so this is no result of it: it shows what consensus alone is worth.
        """
        among = self.raters.groupby(["rater", "case"], sort=False)["value"].mean().rename("among").reset_index()
        both = self.fused.merge(among, on=["rater", "case"])
        gaps = (
            both.assign(gap=both["value"] - both["among"]).groupby(["candidate", "subject", "case"], sort=False)["gap"].mean()
        )
        return gaps.groupby(["candidate", "subject"], sort=False).mean().groupby("candidate", sort=False).mean()


def _why_nothing(results: Results, candidates: pd.DataFrame) -> str:
    name = results.experiment.statistics.primary_metric
    metric = results.metric(name)
    if candidates.empty and metric is not None and (metric.references != "any" or metric.of_raters):
        return f"{metric.label} is not measured against single raters"
    if candidates.empty:
        again = "run the experiment again, which measures them from what is stored and trains nothing"
        return f"no candidate was measured against the single raters: {again}"
    return ""


_PANELS: WeakKeyDictionary[Results, Panel] = WeakKeyDictionary()


def panel_of(results: Results) -> Panel:
    """The panel of these results, made once."""
    if results not in _PANELS:
        _PANELS[results] = Panel.of(results)
    return _PANELS[results]
