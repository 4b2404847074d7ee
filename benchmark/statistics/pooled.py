"""Calibration of all candidates, pooled over voxels: errors, curves, and whose error is lowest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..experiment.experiment import Statistics
from .calibration import MODEL_COLUMNS, calibration_by_model, calibration_table, reliability_curves
from .ranking import best_of

KINDS = ("method", "fusion", "rater")
PUBLISHED_REFERENCE = "staple"
"""What the calibration errors of the SoftSeg papers are against."""


@dataclass(frozen=True, eq=False)
class PooledCalibration:
    """What follows from the stored ``counts``; every part is computed when it is first asked for.

    ``never_best``: candidates that are shown and never called the best calibrated.
    """

    counts: pd.DataFrame
    primary_reference: str
    baseline: str
    settings: Statistics
    never_best: Collection[str] = ()

    @cached_property
    def reference(self) -> str:
        """What calibration is counted against: the primary reference where it was counted; empty if nothing was."""
        have = [str(r) for r in pd.unique(self.counts["reference"])]
        return next((r for r in (self.primary_reference, *have) if r in have), "")

    @cached_property
    def table(self) -> pd.DataFrame:
        """Pooled calibration errors of all candidates (columns: ``statistics.calibration``); empty without counts."""
        if not self.reference:
            return pd.DataFrame()
        parts = []
        for kind in KINDS:
            mine = self.counts[(self.counts["kind"] == kind) & (self.counts["reference"] == self.reference)]
            if len(mine):
                table = calibration_table(mine, self.reference, self.baseline, kind=kind,
                                          resamples=self.settings.resamples, confidence=1 - self.settings.alpha)  # fmt: skip
                parts.append(table.assign(kind=kind))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    @cached_property
    def by_model(self) -> pd.DataFrame:
        """Errors of each trained model, their mean and spread (columns: ``calibration.MODEL_COLUMNS``).

        Against the same reference as the pooled ones, and against STAPLE, as papers have them, where that was counted.
        """
        have = set(self.counts["reference"].unique())
        wanted = [r for r in dict.fromkeys([self.reference, PUBLISHED_REFERENCE]) if r in have]
        methods = self.counts[self.counts["kind"] == "method"]
        tables = [calibration_by_model(methods, reference) for reference in wanted]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=MODEL_COLUMNS)

    def image(self, last_bin: str) -> pd.DataFrame:
        """The candidates' rows over the whole image, indexed by candidate; empty without counts."""
        if self.table.empty:
            return pd.DataFrame(columns=["ece", "ece_low", "ece_high"])
        rows = self.table[(self.table["region"] == "image") & (self.table["last_bin"] == last_bin)]
        return rows[rows["kind"] == "method"].set_index("candidate")

    def ece_of(self, candidate: str, last_bin: str) -> float:
        """The pooled calibration error over the whole image, 0 to 1; NaN if nothing was counted."""
        return float(self.image(last_bin)["ece"].get(candidate, np.nan))

    def lowest(self, last_bin: str) -> Sequence[str]:
        """Who has the lowest error over the whole image, without those who are never the best; empty if nobody has one."""
        errors = self._rivals(last_bin)["ece"].astype(float)
        return [str(name) for name in errors.index[best_of(errors, "lower")]]

    def close_to(self, candidate: str, last_bin: str) -> Sequence[str]:
        """The others whose interval overlaps with the candidate's, or is not known, without those who are never the best."""
        rows = self._rivals(last_bin)
        others = rows[rows.index != candidate]
        apart = (others["ece_low"] > rows["ece_high"][candidate]) | (others["ece_high"] < rows["ece_low"][candidate])
        return [str(name) for name in others.index[~apart]]

    def _rivals(self, last_bin: str) -> pd.DataFrame:
        rows = self.image(last_bin)
        return rows[~rows.index.isin(list(self.never_best))]

    @cached_property
    def curves(self) -> dict[str, pd.DataFrame]:
        """Reliability curves over the whole image: candidate to a table of ``bin n confidence accuracy low high thin``."""
        mine = self.counts[(self.counts["kind"] == "method") & (self.counts["region"] == "image")]
        if mine[mine["reference"] == self.reference].empty:
            return {}
        settings = self.settings
        table = reliability_curves(mine, self.reference, resamples=settings.resamples, confidence=1 - settings.alpha)
        curves = {str(c): part[part["n"] > 0] for c, part in table.groupby("candidate", sort=False)}
        return {name: curve for name, curve in curves.items() if len(curve)}
