"""Calibration from counts: exact, of constant size, and independent of the order in which cases are merged.

The confidence of a voxel is its largest probability. Bins 0 to 9 are ``[t_i, t_{i+1})`` with float64 edges
``linspace(0, 1, 11)``; bin 10 holds confidence exactly 1, so that both treatments of it come from the same counts.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ...datasets.base import IGNORE, Floats, Labels
from ...voxel_counts import Counts, Doubles, argmax_with_confidence, blocks, ratio
from .base import Mask, PooledMetric, Segmentation

N_BINS = 11
UNIT = 2.0**-24
"""The unit of stored sums of confidence: a float32 confidence of 0.5 or more is a whole number of these."""

LastBin = Literal["open", "closed"]

_EDGES = np.linspace(0.0, 1.0, N_BINS)


def _float32_edges() -> Floats:
    """The smallest float32 not below each float64 edge: a float32 passes the one exactly when it passes the other."""
    near = _EDGES.astype(np.float32)
    return np.where(near.astype(np.float64) < _EDGES, np.nextafter(near, np.float32(2)), near)


class Confidence(NamedTuple):
    """The predicted class [*S], bin [*S] and confidence [*S] of each voxel; confidence is in units of 2^-24."""

    labels: Labels
    bins: Labels
    fixed: npt.NDArray[np.int32]


def confidence_of(probability: Floats) -> Confidence:
    """Predicted class (the lowest on ties), bin, and confidence in units of 2^-24, each [*S], of a map [K, *S]."""
    channels = np.asarray(probability, np.float32).reshape(len(probability), -1)
    n_voxels, edges = channels.shape[1], _float32_edges()[1:]
    found = Confidence(np.empty(n_voxels, np.uint8), np.zeros(n_voxels, np.uint8), np.empty(n_voxels, np.int32))
    for block in blocks(n_voxels):
        labels, best = argmax_with_confidence(channels[:, block])
        np.minimum(best, np.float32(1), out=best)
        for edge in edges:
            found.bins[block] += best >= edge
        found.labels[block], found.fixed[block] = labels, np.rint(best * np.float32(1 / UNIT))
    shape = probability.shape[1:]
    return Confidence(found.labels.reshape(shape), found.bins.reshape(shape), found.fixed.reshape(shape))


def count_confidence(confidence: Confidence, labels: Labels, region: Mask | None = None) -> Counts:
    """Counts [11, 3] of ``calibration_counts`` from a map that is binned already."""
    predicted, bins, fixed, true = (array.reshape(-1) for array in (*confidence, labels))
    inside = None if region is None else region.reshape(-1)
    counts = np.zeros((N_BINS, 3), np.int64)
    for block in blocks(true.size):
        code = 2 * bins[block].astype(np.intp)
        code += predicted[block] == true[block]
        weights = fixed[block]
        keep = true[block] != IGNORE
        if inside is not None:
            keep &= inside[block]
        if not keep.all():
            code, weights = code[keep], weights[keep]
        counts[:, :2] += np.bincount(code, minlength=2 * N_BINS).reshape(N_BINS, 2)
        # bincount adds weights as float64: whole numbers below 2^24 stay exact in a block, and int64 takes over.
        counts[:, 2] += np.bincount(code >> 1, weights=weights, minlength=N_BINS).astype(np.int64)
    counts[:, 0] += counts[:, 1]
    return counts


def calibration_counts(probability: Floats, labels: Labels, region: Mask | None = None) -> Counts:
    """Calibration counts [11, 3] int64: columns n, correct, and the sum of confidence in units of 2^-24.

    ``probability`` [K, *S] float32; ``labels`` [*S], ``IGNORE`` is left out; ``region`` [*S] bool, all voxels for None.
    Counts of several cases are added to pool them.
    """
    return count_confidence(confidence_of(probability), labels, region)


class Reliability(NamedTuple):
    """A reliability curve, one entry a bin [..., 10]: NaN confidence and accuracy in an empty bin; ``n`` counts voxels."""

    confidence: Doubles
    accuracy: Doubles
    n: Counts


def reliability_curve(counts: Counts, last_bin: LastBin = "closed") -> Reliability:
    """The reliability curve of counts [..., 11, 3].

    ``"closed"`` puts confidence exactly 1 into the last bin; ``"open"`` drops it, as the reference code of published
    calibration errors does.
    """
    merged = counts[..., :10, :].copy()
    if last_bin == "closed":
        merged[..., 9, :] += counts[..., 10, :]
    n, correct, confidence = np.moveaxis(merged, -1, 0)
    return Reliability(ratio(confidence * UNIT, n), ratio(correct, n), n)


def expected_calibration_error(counts: Counts, last_bin: LastBin = "closed") -> Doubles:
    """ECE [...] = sum_b n_b / N |accuracy_b - confidence_b| of counts [..., 11, 3]; NaN without a voxel (Naeini et al., 2015).

    Leading axes are any: a bootstrap over subjects, say. Of one table [11, 3] it is a scalar.
    """
    n, gap = _gaps(counts, last_bin)
    return ratio((n * gap).sum(axis=-1), n.sum(axis=-1))


def maximum_calibration_error(counts: Counts, last_bin: LastBin = "closed") -> Doubles:
    """MCE [...] = max_b |accuracy_b - confidence_b| of counts [..., 11, 3]; NaN without a voxel."""
    n, gap = _gaps(counts, last_bin)
    return np.where(n.any(axis=-1), gap.max(axis=-1), np.nan)


def _gaps(counts: Counts, last_bin: LastBin) -> tuple[Counts, Doubles]:
    """Voxels and |accuracy - confidence| of each bin, both [..., 10]; an empty bin has no gap."""
    curve = reliability_curve(counts, last_bin)
    return curve.n, np.nan_to_num(np.abs(curve.accuracy - curve.confidence))


class ExpectedCalibrationError(PooledMetric):
    """The mean over voxels of all cases of |accuracy - confidence| in ten bins of confidence (Naeini et al., 2015).

    Args:
        last_bin: "closed" counts voxels of confidence exactly 1 in the last bin, "open" leaves them out.
        region: "image" counts every voxel, "foreground" those near what any rater marked.
    """

    name, label = "expected calibration error", "Expected calibration error"
    better, range = "lower", (0.0, 1.0)
    empty = "The expected calibration error counts every judged voxel, so an empty reference or prediction changes nothing."

    def __init__(self, *, last_bin: LastBin = "closed", region: Literal["image", "foreground"] = "image") -> None:
        self.last_bin, self.region = last_bin, region

    def count(self, prediction: Segmentation, reference: Segmentation) -> Counts:
        """Counts [11, 3]: voxels, correct ones, and their sum of confidence, of each bin. Nothing is near no region."""
        region = None
        if self.region == "foreground":
            region = np.zeros(reference.labels.shape, bool) if reference.region is None else reference.region
        judged = np.where(prediction.labels == IGNORE, np.uint8(IGNORE), reference.labels)
        return calibration_counts(prediction.probability, judged, region)

    def value(self, counts: Counts) -> Doubles:
        return expected_calibration_error(counts, self.last_bin)
