"""Metrics of probability maps: Brier score and entropy. Sums are float64, maps stay float32."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import ClassVar, Literal

import numpy as np
from scipy.special import entr

from ...datasets.base import IGNORE, Floats
from ...voxel_counts import Doubles, blocks
from .base import Mask, Metric, Segmentation, judged, needed, remember

SMALLEST = np.finfo(np.float32).tiny
"""A probability below it counts as 0 in an entropy."""


def mean_over(values: Floats, mask: Mask | None) -> Doubles:
    """The float64 mean of ``values`` [*S] where ``mask`` is true (everywhere for None); NaN if that is nowhere."""
    chosen = values if mask is None else values[mask]
    return np.asarray(chosen.mean(dtype=np.float64) if chosen.size else np.nan)


def entropy_map(probability: Floats) -> Floats:
    """-sum_k p_k ln p_k of each voxel, [*S]; 0 ln 0 is 0."""
    total = np.zeros(probability.shape[1:], np.float32)
    channels, sums = probability.reshape(len(probability), -1), total.reshape(-1)
    for block in blocks(sums.size):
        for channel in channels:
            p = channel[block]
            sums[block] -= p * np.log(np.maximum(p, SMALLEST))
    return total


def _entropy(segmentation: Segmentation) -> Floats:
    return remember(segmentation, segmentation, "entropy", lambda: entropy_map(segmentation.probability))


def _squares(prediction: Segmentation, reference: Segmentation) -> Floats:
    """The mean over classes of the squared difference, of each voxel."""

    def compute() -> Floats:
        total = np.zeros(prediction.labels.shape, np.float32)
        sums, share = total.reshape(-1), np.float32(1 / prediction.n_classes)
        maps = [segmentation.probability.reshape(prediction.n_classes, -1) for segmentation in (prediction, reference)]
        for block in blocks(sums.size):
            for p, g in zip(*maps, strict=True):
                sums[block] += np.square(p[block] - g[block])
            sums[block] *= share
        return total

    return remember(prediction, reference, "squares", compute)


class Brier(Metric):
    """Mean over voxels and classes of (p - g)^2 (Brier, 1950).

    The mean over classes makes the value of two classes that of the binary score, (p_1 - g_1)^2; the sum over classes,
    which others print, is K times as large. g is what the reference says: the share of the raters against the soft average,
    0 or 1 against the majority or another fusion.
    """

    name, label = "brier", "Brier score"
    better, range, per_class = "lower", (0.0, 1.0), False
    uses: ClassVar[Literal["labels", "probability"]] = "probability"
    empty = "The Brier score counts every judged voxel, so an empty reference or prediction changes nothing."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        reference = needed(self, reference)
        mask = judged(prediction, reference)
        return mean_over(_squares(prediction, reference), mask)


class BrierByClass(Metric):
    """Mean over voxels of (p_k - g_k)^2 of each class k, as Lemay (2022) reports it for grey and white matter.

    The mean over all classes, the background included, is :class:`Brier`.
    """

    name, label = "brier by class", "Brier score by class"
    better, range, per_class = "lower", (0.0, 1.0), True
    uses: ClassVar[Literal["labels", "probability"]] = "probability"
    empty = "The Brier score by class counts every judged voxel, so an empty reference or prediction changes nothing."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        reference = needed(self, reference)
        mask = judged(prediction, reference)
        pairs = zip(prediction.probability[1:], reference.probability[1:], strict=True)
        return np.array([mean_over(np.square(p - g), mask) for p, g in pairs])


class BrierForeground(Metric):
    """The Brier score over the reference's region, the voxels near what any rater marked; NaN without a region.

    The background of the whole image is easy and outnumbers everything else. The region depends on the raters alone,
    never on the prediction, so that all candidates are measured on the same voxels.
    """

    name, label = "brier foreground", "Brier score near the foreground"
    better, range, per_class = "lower", (0.0, 1.0), False
    uses: ClassVar[Literal["labels", "probability"]] = "probability"
    empty = "The Brier score near the foreground is left out where no rater marked anything."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        reference = needed(self, reference)
        mask = judged(prediction, reference)
        if reference.region is None:
            return np.asarray(np.nan)
        region = reference.region if mask is None else reference.region & mask
        return mean_over(_squares(prediction, reference), region)


class Entropy(Metric):
    """Mean over voxels of the predicted entropy, -sum_k p_k ln p_k, in nat."""

    name, label = "entropy", "Predicted entropy [nat]"
    better, range, per_class, references = "none", (0.0, inf), False, "none"
    uses: ClassVar[Literal["labels", "probability"]] = "probability"
    empty = "The entropy counts every voxel, so an empty prediction changes nothing."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del reference, spacing
        known = prediction.labels != IGNORE
        return mean_over(_entropy(prediction), None if known.all() else known)


class EntropyError(Metric):
    """|mean predicted entropy - mean entropy of the raters' soft average| in nat: is the amount of uncertainty right?

    (Lemay et al., 2022, MAE of the entropy, with the mean over voxels in place of their sum.) It is measured against the soft
    average alone, whatever the primary reference; against the truth it is :class:`EntropyErrorAgainstTruth`.
    """

    name, label = "entropy error", "Entropy MAE [nat]"
    better, range, per_class = "lower", (0.0, inf), False
    uses: ClassVar[Literal["labels", "probability"]] = "probability"
    references: ClassVar[Literal["truth", "soft average"]] = "soft average"
    empty = "The entropy MAE counts every judged voxel, so an empty reference or prediction changes nothing."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        reference = needed(self, reference)
        mask = judged(prediction, reference)
        return np.abs(mean_over(_entropy(prediction), mask) - mean_over(_entropy(reference), mask))


class EntropyErrorAgainstTruth(EntropyError):
    """|mean predicted entropy - mean entropy of the truth| in nat, where the truth is known; a hard truth has none."""

    name, label = "entropy error against truth", "Entropy error against the truth [nat]"
    references = "truth"
    empty = (
        "The entropy error against the truth counts every judged voxel, so an empty reference or prediction changes nothing."
    )


class SingleTermEntropy(Metric):
    """-sum of p ln p over voxels and foreground classes, in nat: the entropy of the image as Lemay (2022) prints it.

    Of each voxel only the foreground's term counts, and not that of the background. The sum grows with the size of the
    image, so only images of one size can be compared.
    """

    name, label = "single-term entropy", "Single-term entropy of the image [nat]"
    better, range, per_class, references = "none", (0.0, inf), False, "none"
    uses: ClassVar[Literal["labels", "probability"]] = "probability"
    empty = "The single-term entropy counts every voxel, so an empty prediction changes nothing."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del reference, spacing
        known = prediction.labels != IGNORE
        return _single_term_sum(prediction, None if known.all() else known)


class SingleTermEntropyError(Metric):
    """|single-term entropy of the prediction - that of the raters' soft average| in nat; its mean over cases is Lemay's MAE."""

    name, label = "single-term entropy error", "Single-term entropy MAE [nat]"
    better, range, per_class = "lower", (0.0, inf), False
    uses: ClassVar[Literal["labels", "probability"]] = "probability"
    references = "soft average"
    empty = "The single-term entropy MAE counts every judged voxel, so an empty reference or prediction changes nothing."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        reference = needed(self, reference)
        mask = judged(prediction, reference)
        return np.abs(_single_term_sum(prediction, mask) - _single_term_sum(reference, mask))


def _single_term_sum(segmentation: Segmentation, mask: Mask | None) -> Doubles:
    """-sum p ln p over the foreground classes of the voxels where ``mask`` is true (all for None); NaN if that is nowhere."""
    foreground = segmentation.probability[1:]
    chosen = foreground if mask is None else foreground[:, mask]
    total = sum((entr(channel).sum(dtype=np.float64) for channel in chosen), 0.0)
    return np.asarray(total if chosen[0].size else np.nan, np.float64)


class VoxelEntropyError(Metric):
    """Mean over voxels of |predicted entropy - entropy of the reference| in nat: is it also in the right place?"""

    name, label = "voxel entropy error", "Voxel-wise entropy error [nat]"
    better, range, per_class, references = "lower", (0.0, inf), False, "soft"
    uses: ClassVar[Literal["labels", "probability"]] = "probability"
    empty = "The voxel-wise entropy error counts every judged voxel, so an empty reference or prediction changes nothing."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        reference = needed(self, reference)
        mask = judged(prediction, reference)
        return mean_over(np.abs(_entropy(prediction) - _entropy(reference)), mask)
