"""What a benchmark measured of a candidate: what whoever uses its model must know beside a result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ..statistics.comparison import compare_results
from ..statistics.pooled import PooledCalibration
from ..statistics.shared_units import shared_units
from ..store.results import Results

ALWAYS = ("dice", "brier")
"""Metrics that a model tells beside the primary one, where they were measured."""


@dataclass(frozen=True)
class MeasuredValue:
    """The mean of a metric over subjects, with its interval at the experiment's level; None where a number is not known."""

    metric: str
    label: str
    better: str
    reference: str
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class CalibrationError:
    """The expected calibration error, 0 to 1, over the voxels of whole test images, with its interval over subjects.

    ``last_bin``: whether voxels of confidence exactly 1 are counted (``closed``) or left out (``open``).
    """

    reference: str
    last_bin: str
    error: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Measured:
    """What was measured of the fold models of a candidate, each on cases that it had not seen.

    Args:
        experiment: its name.
        level: of the intervals.
        subjects, cases: how many were tested.
        repeats, models: how many repeats, and how many trained models.
        values: the metrics, the primary one first.
        calibration: the calibration errors.
        complete: whether all planned units are there.
    """

    experiment: str
    level: float
    subjects: int
    cases: int
    repeats: int
    models: int
    values: tuple[MeasuredValue, ...]
    calibration: tuple[CalibrationError, ...]
    complete: bool


def measured_of(results: Results, candidate: str) -> Measured:
    """What was measured of a candidate, the numbers of the report.

    Raises:
        RaterbenchError: nothing was, of the candidate or of the experiment's primary metric.
    """
    settings = results.experiment.statistics
    rows = shared_units(results.units).only(results.rows)
    methods = rows[rows["kind"] == "method"]
    mine = methods[methods["candidate"] == candidate]
    names = [m for m in dict.fromkeys([settings.primary_metric, *ALWAYS]) if m in set(mine["metric"])]
    baseline = results.experiment.baseline if results.experiment.baseline in results.candidates else results.candidates[0]
    values = []
    for metric in names:
        reference = _reference(methods, metric, results.primary_reference)
        facts = results.metric(metric)
        better = facts.better if facts is not None else "none"
        found = compare_results(
            results.rows, results.units, settings, reference, baseline, [metric], better={metric: better}
        ).rows_for(metric)
        row = found.loc[candidate]
        mean, low, high = (_known(row[name]) for name in ("mean", "ci_low", "ci_high"))
        values.append(MeasuredValue(metric, facts.label if facts is not None else metric, better, reference, mean, low, high))
    tested = mine[["repeat", "fold", "case", "subject"]].drop_duplicates()
    return Measured(
        experiment=results.experiment.name,
        level=1 - settings.alpha,
        subjects=int(tested["subject"].nunique()),
        cases=int(tested["case"].nunique()),
        repeats=int(tested["repeat"].nunique()),
        models=len(tested[["repeat", "fold"]].drop_duplicates()),
        values=tuple(values),
        calibration=tuple(_calibration(results, candidate, baseline)),
        complete=results.completeness.is_complete,
    )


def _reference(methods: pd.DataFrame, metric: str, primary: str) -> str:
    """What a metric is shown against, as in reports: the primary reference, none, or the first one that it has."""
    have = [str(name) for name in pd.unique(methods.loc[methods["metric"] == metric, "reference"])]
    return next(name for name in (primary, "none", *have) if name in have)


def _calibration(results: Results, candidate: str, baseline: str) -> Sequence[CalibrationError]:
    counts = shared_units(results.units).only(results.calibration)
    if counts.empty:
        return []
    pooled = PooledCalibration(counts, results.primary_reference, baseline, results.experiment.statistics)
    found = []
    for last_bin in ("closed", "open"):
        rows = pooled.image(last_bin)
        if candidate in rows.index:
            error, low, high = (_known(rows.loc[candidate, name]) for name in ("ece", "ece_low", "ece_high"))
            found.append(CalibrationError(pooled.reference, last_bin, error, low, high))
    return found


def _known(value: object) -> float | None:
    """A number, or None for NaN, which JSON does not know."""
    number = float(str(value))
    return number if math.isfinite(number) else None
