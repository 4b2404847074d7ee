"""Calibration of a whole benchmark: counts pooled over cases, and intervals from resampling subjects.

A pooled error is no mean over subjects, so it gets a bootstrap over subjects and no Wilcoxon test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import RaterbenchError, nearest
from ..metrics.calibration import N_BINS, UNIT, LastBin, expected_calibration_error
from .significance import expanded_quantiles

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FEWEST_VOXELS, FEWEST_SUBJECTS = 100, 3
"""A bin with fewer voxels, or from fewer subjects, is thin: its accuracy is mostly chance. MCE skips it."""
COUNTED = ["n", "correct", "confidence"]
TREATMENTS: tuple[LastBin, ...] = ("open", "closed")
CALIBRATION_COLUMNS = [
    *("candidate", "reference", "region", "last_bin", "n_subjects", "n_voxels", "counted"),
    *("ece", "ece_low", "ece_high", "ece_debiased", "mce", "difference", "difference_low", "difference_high"),
]
MODEL_COLUMNS = ["candidate", "reference", "region", "last_bin", "n_models", "ece", "std"]


def subject_counts(calibration: pd.DataFrame, reference: str, region: str, kind: str = "method") -> dict[str, pd.DataFrame]:
    """For each candidate its counts, pooled over the cases and repeats of a subject: subjects x (bin, column) int64.

    Columns are a MultiIndex of bin 0 to 10 and ``n``, ``correct``, ``confidence`` (units of 2^-24), in the order of the
    counts [11, 3] that metrics use. Sums are whole numbers, so that the order of cases does not matter.

    Raises:
        RaterbenchError: nothing was counted against this reference in this region.
    """
    of_kind = calibration[calibration["kind"] == kind]
    for column, wanted in (("reference", reference), ("region", region)):
        if wanted not in set(of_kind[column].unique()):
            known = nearest(wanted, map(str, of_kind[column].unique()))
            raise RaterbenchError(f"calibration has no {column} {wanted!r}{known}")
    chosen = of_kind[(of_kind["reference"] == reference) & (of_kind["region"] == region)]
    candidate, candidates = pd.factorize(chosen["candidate"])
    subject, subjects = pd.factorize(chosen["subject"], sort=True)
    subjects = pd.Index(subjects.astype(str), name="subject")
    # Each column is summed where it belongs: grouping by words takes several times as long.
    counts = np.zeros((len(candidates), len(subjects), N_BINS, len(COUNTED)), np.int64)
    np.add.at(counts, (candidate, subject, chosen["bin"].to_numpy(int)), chosen[COUNTED].to_numpy(np.int64))
    has = np.zeros((len(candidates), len(subjects)), bool)
    has[candidate, subject] = True
    layout = pd.MultiIndex.from_product([range(N_BINS), COUNTED])
    return {
        str(name): pd.DataFrame(own[mine].reshape(-1, N_BINS * len(COUNTED)), subjects[mine], layout)
        for name, own, mine in zip(candidates, counts, has, strict=True)
    }


def calibration_table(
    calibration: pd.DataFrame,
    reference: str,
    baseline: str,
    *,
    regions: Sequence[str] | None = None,
    kind: str = "method",
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Pooled calibration error of every candidate, with subject bootstrap intervals: columns ``CALIBRATION_COLUMNS``.

    One row a candidate, region (all stored ones by default) and ``last_bin``: ``open`` drops confidence exactly 1 as the
    reference code of the papers does, ``closed`` merges it into the bin below. ``n_voxels`` were counted, ``counted`` is their
    share of all voxels. ``ece``, ``mce`` are shares (0 to 1); ``mce`` skips thin bins (:func:`thin_bins`). ``difference`` is
    to the baseline, over the subjects of both, with both resampled alike. A calibration error of 0 is never measured as 0,
    and its interval cannot contain 0:
    ``ece_debiased`` corrects for that (:func:`debiased_calibration_error`).
    """
    draw = _Draw(resamples, confidence, seed)
    tables = []
    for region in regions or list(pd.unique(calibration.loc[calibration["kind"] == kind, "region"])):
        counts = subject_counts(calibration, reference, region, kind)
        for last_bin in TREATMENTS:
            rows = [_row(counts, c, baseline, last_bin, draw) for c in counts]
            tables.append(pd.DataFrame(rows).assign(reference=reference, region=region, last_bin=last_bin))
    return pd.concat(tables, ignore_index=True)[CALIBRATION_COLUMNS]


def calibration_by_model(calibration: pd.DataFrame, reference: str) -> pd.DataFrame:
    """ECE as papers report it, over the voxels of each trained model alone: columns ``MODEL_COLUMNS``.

    One row a candidate, region and ``last_bin``: the mean and the standard deviation (ddof 1) of ``ece`` over the
    ``n_models`` trained models of which voxels were counted. A trained model's error is larger than that of all models
    pooled where their errors differ in direction; chance adds to each, too.
    """
    tables = []
    for last_bin in TREATMENTS:
        grouped = model_errors(calibration, reference, last_bin).groupby(level=["candidate", "region"], sort=False)
        found = grouped.agg(n_models="count", ece="mean", std="std").reset_index()
        tables.append(found.assign(reference=reference, last_bin=last_bin))
    return pd.concat(tables, ignore_index=True)[MODEL_COLUMNS]


def model_errors(calibration: pd.DataFrame, reference: str, last_bin: LastBin) -> pd.Series:
    """ECE of each trained model, by (candidate, region, repeat, fold); NaN where no voxel was counted."""
    model = ["candidate", "region", "repeat", "fold"]
    mine = calibration[calibration["reference"] == reference]
    number, models = mine.groupby(model, sort=False, observed=True).ngroup(), mine[model].drop_duplicates()
    models = models.astype({"candidate": str, "region": str})
    counts = np.zeros((len(models), N_BINS, len(COUNTED)), np.int64)
    np.add.at(counts, (number.to_numpy(), mine["bin"].to_numpy(int)), mine[COUNTED].to_numpy(np.int64))
    return pd.Series(expected_calibration_error(counts, last_bin), pd.MultiIndex.from_frame(models))


def _row(counts: dict[str, pd.DataFrame], candidate: str, baseline: str, last_bin: LastBin, draw: _Draw) -> dict[str, object]:
    own = as_counts(counts[candidate])
    pooled = own.sum(axis=0)
    total = int(pooled[:, 0].sum())
    voxels = total - (int(pooled[N_BINS - 1, 0]) if last_bin == "open" else 0)
    row: dict[str, object] = {
        "candidate": candidate,
        "n_subjects": len(own),
        "n_voxels": voxels,
        "counted": voxels / total if total else np.nan,
        "ece": float(expected_calibration_error(pooled, last_bin)),
        "ece_debiased": debiased_calibration_error(own, last_bin),
        "mce": maximum_error_of_full_bins(own, last_bin),
        **dict.fromkeys(("difference", "difference_low", "difference_high"), np.nan),
    }
    row["ece_low"], row["ece_high"] = draw.interval(draw.errors(own, last_bin), len(own))
    if baseline in counts and candidate != baseline:
        both = counts[candidate].index.intersection(counts[baseline].index)
        ours, theirs = (as_counts(counts[c].loc[both]) for c in (candidate, baseline))
        ours_ece, theirs_ece = (expected_calibration_error(c.sum(axis=0), last_bin) for c in (ours, theirs))
        row["difference"] = float(ours_ece - theirs_ece)
        drawn = draw.errors(ours, last_bin) - draw.errors(theirs, last_bin)
        row["difference_low"], row["difference_high"] = draw.interval(drawn, len(both))
    return row


def thin_bins(counts: Counts) -> npt.NDArray[np.bool_]:
    """Which bins of counts [subjects, bins, 3] have voxels, and fewer than 100 or from fewer than 3 subjects: [bins]."""
    n = counts[:, :, 0]
    voxels, subjects = n.sum(axis=0), (n > 0).sum(axis=0)
    thin: npt.NDArray[np.bool_] = (voxels > 0) & ((voxels < FEWEST_VOXELS) | (subjects < FEWEST_SUBJECTS))
    return thin


def maximum_error_of_full_bins(counts: Counts, last_bin: LastBin = "closed") -> float:
    """The largest |accuracy - confidence| of the bins of counts [subjects, 11, 3] that are not thin; NaN if all are."""
    merged = _merged(counts, last_bin)
    n, correct, confidence = merged.sum(axis=0).T
    full = (n > 0) & ~thin_bins(merged)
    gaps = np.abs(correct[full] - confidence[full] * UNIT) / n[full]
    return float(gaps.max()) if gaps.size else np.nan


def _merged(counts: Counts, last_bin: LastBin) -> Counts:
    """Counts [subjects, 10, 3]: voxels with a confidence of exactly 1 join the bin below, or are left out."""
    merged = counts[:, : N_BINS - 1].copy()
    if last_bin == "closed":
        merged[:, -1] += counts[:, -1]
    return merged


def debiased_calibration_error(counts: Counts, last_bin: LastBin = "closed") -> float:
    """ECE of counts [subjects, 11, 3] with its upward bias removed; NaN without a voxel or with fewer than two subjects.

    The gap of a bin is never exactly 0, even where confidence is right, so its size is too large on average. In each bin the
    square of the gap is reduced by its variance over subjects and cut at 0. The gap is a ratio of sums over subjects; its
    variance is that of the linearised ratio (Cochran, 1977, section 6.4). A bin that a single subject fills has no known
    variance, and counts as it is.
    """
    merged = _merged(counts, last_bin).astype(float)
    n = merged[:, :, 0]
    error = merged[:, :, 1] - merged[:, :, 2] * UNIT
    total = n.sum(axis=0)
    if len(counts) < 2 or not total.any():
        return np.nan
    gap = np.divide(error.sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
    subjects = (n > 0).sum(axis=0)
    squares = np.square(error - gap * n).sum(axis=0) * subjects
    variance = np.divide(squares, (subjects - 1) * np.square(total), out=np.zeros_like(total), where=subjects > 1)
    return float(total @ np.sqrt(np.maximum(np.square(gap) - variance, 0)) / total.sum())


@dataclass(frozen=True)
class _Draw:
    """How subjects are drawn: the same subjects for the same seed and number of subjects, so that candidates are paired."""

    resamples: int
    confidence: float
    seed: int

    def errors(self, counts: Counts, last_bin: LastBin) -> Floats:
        """ECE [resamples] of subjects drawn with replacement."""
        return expected_calibration_error(resampled(counts, self.resamples, self.seed), last_bin)

    def interval(self, drawn: Floats, n: int) -> tuple[float, float]:
        """From the drawn errors of n subjects; NaN where there is nothing to draw from."""
        drawn = drawn[~np.isnan(drawn)]
        if n < 2 or not drawn.size:
            return np.nan, np.nan
        low, high = np.quantile(drawn, expanded_quantiles(n, self.confidence))
        return float(low), float(high)


def as_counts(table: pd.DataFrame) -> Counts:
    """Counts [subjects, 11, 3] of one of :func:`subject_counts`' tables."""
    counts: Counts = table.to_numpy(dtype=np.int64).reshape(len(table), N_BINS, 3)
    return counts


def resampled(counts: Counts, resamples: int, seed: int) -> Counts:
    """Pooled counts [resamples, 11, 3] of subjects drawn with replacement from [subjects, 11, 3].

    How often a subject is drawn times its counts: one product of matrices, and the same draws for the same seed and n.
    """
    n = len(counts)
    draws, flat = _draws(n, resamples, seed), counts.reshape(n, N_BINS * 3)
    # Sums of whole numbers below 2^53 are exact as floating-point numbers, whose product is many times faster.
    exact = n * int(counts.max(initial=0)) < 2**53
    pooled: Counts = (draws.astype(float) @ flat.astype(float)).astype(np.int64) if exact else draws @ flat
    return pooled.reshape(resamples, N_BINS, 3)


@lru_cache(maxsize=2)
def _draws(n: int, resamples: int, seed: int) -> Counts:
    """How often each of n subjects is drawn [resamples, n]; kept, because all candidates and regions are drawn alike."""
    if n == 0:
        return np.zeros((resamples, 0), np.int64)
    draws: Counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    return draws


def reliability_curves(
    calibration: pd.DataFrame,
    reference: str,
    region: str = "image",
    kind: str = "method",
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Reliability curves: ``candidate bin n share confidence accuracy low high thin``, one row a candidate and bin 0 to 10.

    ``confidence`` is the mean in the bin, ``accuracy`` the share of correct voxels, both NaN in an empty bin; ``share`` the
    share of all the candidate's voxels. Bin 10, confidence exactly 1, is apart, so that a diagram can show both treatments.
    ``low`` to ``high``: bootstrap interval of the accuracy over subjects, NaN in an empty or ``thin`` bin (:func:`thin_bins`).
    """
    frames = []
    for candidate, table in subject_counts(calibration, reference, region, kind).items():
        counts = as_counts(table)
        n, correct, sums = counts.sum(axis=0).T
        some, thin = np.where(n > 0, n, np.nan), thin_bins(counts)
        low, high = _accuracy_interval(counts, ~thin, resamples, confidence, seed)
        values = {"n": n, "share": n / max(n.sum(), 1), "confidence": sums * UNIT / some, "accuracy": correct / some}
        values |= {"low": low, "high": high, "thin": thin}
        frames.append(pd.DataFrame({"candidate": candidate, "bin": range(N_BINS), **values}))
    return pd.concat(frames, ignore_index=True)


def _accuracy_interval(
    counts: Counts, wanted: npt.NDArray[np.bool_], resamples: int, confidence: float, seed: int
) -> tuple[Floats, Floats]:
    """Ends [11] of the interval of each wanted bin's accuracy, subjects drawn with replacement."""
    low, high = np.full((2, N_BINS), np.nan)
    if len(counts) < 2:
        return low, high
    drawn = resampled(counts, resamples, seed)
    for place in np.flatnonzero(wanted & (counts[:, :, 0] > 0).any(axis=0)):
        n, correct = drawn[:, place, 0], drawn[:, place, 1]
        ends = np.quantile(correct[n > 0] / n[n > 0], expanded_quantiles(len(counts), confidence))
        low[place], high[place] = ends
    return low, high
