"""The raters as a panel: how close candidates are to each of them, and whether other raters would change the order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..benchmark.statistics.arithmetic import LARGEST
from ..benchmark.statistics.shared_units import shared_units
from ..benchmark.statistics.verdict.interchangeability import ALL_RATERS, COLUMNS, interchangeability
from ..benchmark.statistics.verdict.rater_influence import NOBODY, leave_a_rater_out, rater_curve
from ..benchmark.statistics.verdict.verdicts import Better
from ..benchmark.store.metric_facts import MetricFacts
from ..benchmark.store.results import Results
from ..errors import RaterbenchError

VALUES = ["candidate", "rater", "repeat", "fold", "subject", "case", "value"]


@dataclass(frozen=True, eq=False)
class Panel:
    """The primary metric against every single rater, case by case (mean over the foreground classes), and what follows.

    Args:
        candidates, fused: ``VALUES``: the segmentations of candidates, and the labels that fusions make of the raters.
        raters: ``rater other case value``: the labels of ``other`` against those of ``rater``. Where raters are anonymous there
            is one ``other`` a case, the mean of all.
        compared: ``candidates`` on the folds that all compared candidates have.
        names: the raters that candidates were measured against, in the order of the data set.
        label: the name of the metric in tables.
        reason: why nothing is known, as the end of a sentence; empty if something is.
        anonymous: a name may be another person in each case, so there is no rater to leave out.
    """

    candidates: pd.DataFrame
    fused: pd.DataFrame
    raters: pd.DataFrame
    compared: pd.DataFrame
    names: tuple[str, ...]
    label: str
    better: Better
    smallest_difference: float = 0.01
    alpha: float = 0.05
    reason: str = ""
    anonymous: bool = False

    @classmethod
    def of(cls, results: Results) -> Panel:
        """From the results of an experiment."""
        declared = results.experiment.statistics
        metric, rows = results.metric(declared.primary_metric), results.single_raters
        better = "none" if metric is None else metric.better
        # An error with a sign is better the closer it is to 0.
        value = rows["value"].abs() if better == "zero" else rows["value"]
        rows = rows.assign(value=value.where(value.abs() <= LARGEST))
        by_case = rows.groupby(["kind", *VALUES[:-1]], sort=False, dropna=False)["value"].mean().reset_index()
        methods, fused, raters = (by_case[by_case["kind"] == kind] for kind in ("method", "fusion", "rater"))
        shared = shared_units(results.units)
        compared = shared.only(methods)
        have = set(methods["rater"].unique())
        return cls(
            candidates=methods[VALUES].reset_index(drop=True),
            fused=fused[VALUES].reset_index(drop=True),
            raters=raters.rename(columns={"candidate": "other"})[["rater", "other", "case", "value"]],
            compared=compared.loc[~compared["candidate"].isin(shared.apart), VALUES].reset_index(drop=True),
            names=tuple(str(name) for name in results.facts["raters"] if name in have),
            label=declared.primary_metric.capitalize() if metric is None else metric.label,
            better="higher" if better == "higher" else "lower",
            smallest_difference=declared.smallest_difference,
            alpha=declared.alpha,
            reason="" if len(methods) else _why_nothing(metric),
            anonymous=bool(results.facts["anonymous_raters"]),
        )

    @cached_property
    def interchangeability(self) -> pd.DataFrame:
        """The columns of ``statistics.verdict.interchangeability``, and ``verdict``; the mean over raters is the first row.

        ``verdict``: ``closer``, ``not farther``, ``farther, by less than is relevant``, ``farther``, ``undecided``, or ``no
        test``. Where raters are anonymous only the mean over the raters of each case is there. Empty where
        ``why_not_interchangeable`` says why.
        """
        return self._interchangeability[0]

    @property
    def why_not_interchangeable(self) -> str:
        """Why candidates cannot be compared with raters, as the end of a sentence; empty if they can."""
        return self._interchangeability[1]

    @cached_property
    def _interchangeability(self) -> tuple[pd.DataFrame, str]:
        nothing = pd.DataFrame(columns=[*COLUMNS, "verdict"])
        if self.reason:
            return nothing, self.reason
        try:
            found = interchangeability(
                self.candidates, self.raters,
                better=self.better, smallest_difference=self.smallest_difference, alpha=self.alpha,
            )  # fmt: skip
        except RaterbenchError as error:
            return nothing, str(error)
        order = {name: place for place, name in enumerate((ALL_RATERS, *self.names))}
        places = {name: place for place, name in enumerate(pd.unique(found["candidate"]))}
        found = found.assign(verdict=[_closeness(row, self.better) for _, row in found.iterrows()])
        by_place = found["candidate"].map(places) * len(order) + found["rater"].map(order)
        found = found.loc[by_place.sort_values(kind="stable").index]
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
            return pd.DataFrame(columns=["left_out", "candidate", "mean", "rank"])
        found = leave_a_rater_out(self.compared, better=self.better)
        order = {name: place for place, name in enumerate((NOBODY, *self.names))}
        return found.sort_values("left_out", key=lambda names: names.map(order), kind="stable", ignore_index=True)

    @cached_property
    def curve(self) -> pd.DataFrame:
        """``n_raters panels same_best agreement``: the order against fewer raters; empty where ``why_no_order`` says why."""
        if self.why_no_order:
            return pd.DataFrame(columns=["n_raters", "panels", "same_best", "agreement"])
        return rater_curve(self.compared, better=self.better)

    @cached_property
    def consensus(self) -> pd.Series:
        """By fusion: the value of its labels against a rater minus the other raters', mean over raters, cases and subjects.

        A fusion has seen the labels it is compared with, so this is no result of it: it shows what consensus alone is worth.
        """
        among = self.raters.groupby(["rater", "case"], sort=False)["value"].mean().rename("among").reset_index()
        both = self.fused.merge(among, on=["rater", "case"])
        both["gap"] = both["value"] - both["among"]
        by_case = both.groupby(["candidate", "subject", "case"], sort=False)["gap"].mean()
        return by_case.groupby(["candidate", "subject"], sort=False).mean().groupby("candidate", sort=False).mean()


def _closeness(row: pd.Series, better: Better) -> str:
    if np.isnan(row["p"]):
        return "no test"
    if row["words"] == "superior":
        return "closer"
    farther = row["high"] < 0 if better == "higher" else row["low"] > 0
    if row["words"] == "not inferior":
        return "farther, by less than is relevant" if farther else "not farther"
    return "farther" if farther else "undecided"


def _why_nothing(metric: MetricFacts | None) -> str:
    if metric is not None and (metric.references != "any" or metric.of_raters):
        return f"{metric.label} is not measured against single raters"
    again = "run the experiment again, which measures this from what is stored and trains nothing"
    return f"no candidate was measured against the single raters: {again}"
