"""Measure one case: every metric against every reference, and calibration counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...datasets.base import Case, Dataset, Floats
from ...errors import RaterbenchError
from ...voxel_counts import Counts, Doubles
from ..experiment.references import REFERENCE_NAMES, SOME_RATERS
from ..metrics.base import (
    UNIT_SYMBOLS,
    Metric,
    MetricBase,
    RaterMetric,
    Segmentation,
    table_names,
)
from ..metrics.calibration import N_BINS, confidence_of, count_confidence
from .references import NO_REFERENCE, RATERS, SOFT_REFERENCES, References

Row = tuple[str, str, str, float]
"""Class (or ``all``), reference, metric, value."""

ALL_CLASSES = "all"

ANY_RATER = "any rater"
"""The name of the row that holds the mean over the raters of a case where raters are anonymous."""
REGIONS = ("image", "foreground")


def measures_lengths(metric: MetricBase) -> bool:
    """Whether the metric has a unit: lengths, sizes, and what depends on a tolerance."""
    return metric.label_in("mm", 2) != metric.label_in("pixel", 2)


def check_unit(case: Case, dataset: Dataset) -> None:
    """Whether the case measures lengths in the data set's unit: millimetres and pixels must not be averaged.

    Raises:
        RaterbenchError: it does not.
    """
    if case.geometry.unit != dataset.unit:
        raise RaterbenchError(
            f"case {case.id!r} measures lengths in {UNIT_SYMBOLS[case.geometry.unit]}, and the data set {dataset.name!r} in "
            f"{UNIT_SYMBOLS[dataset.unit]}: give every image a spacing or none (a data set in Python says which in its "
            "attribute unit), or leave out the metrics that measure lengths and preparation.pixel_size or voxel_size"
        )


def measure_case(
    case: Case,
    prediction: Segmentation,
    *,
    metrics: Sequence[MetricBase],
    references: Sequence[str],
    classes: Sequence[str],
    sources: References | None = None,
) -> list[Row]:
    """Every metric of a pair against every reference that makes sense for it; other kinds of metrics give no row here.

    ``classes`` [K] with the background first. ``raters`` is the mean of the metric over each single rater who rated the
    case (values that are NaN left out; NaN if none is left). A reference that the case does not have gives no row.
    ``sources`` are references that were built before, or ones that leave a rater out.

    Raises:
        RaterbenchError: the prediction does not fit the case, or there is no such reference.
    """
    if prediction.labels.shape != case.shape or prediction.n_classes != len(classes):
        expected = (len(classes), *case.shape)
        raise RaterbenchError(f"case {case.id!r}: the prediction has shape {prediction.probability.shape}, not {expected}")
    sources = sources or References(case, len(classes))
    named = {m: n for n, m in zip(table_names(metrics), metrics, strict=True) if isinstance(m, Metric)}
    pairs = [(metric, name) for metric in named for name in (NO_REFERENCE, *references) if makes_sense(metric, name)]
    values = measure_pairs(prediction, pairs, sources)
    rows: list[Row] = []
    for metric, name in pairs:
        if (metric, name) in values:
            heads = classes[1:] if metric.per_class else [ALL_CLASSES]
            rows.extend((c, name, named[metric], float(v)) for c, v in zip(heads, values[metric, name], strict=True))
    return rows


def measure_pairs(
    prediction: Segmentation, pairs: Sequence[tuple[Metric, str]], sources: References
) -> dict[tuple[Metric, str], Doubles]:
    """The values [classes] of each pair of a metric and a reference's name; a reference that the case lacks gives none.

    ``raters`` is the mean over each single rater of the case, without NaN, and so is a reference that names some of them; each
    is measured once.
    """
    by_reference: dict[str, list[Metric]] = {}
    for metric, name in pairs:
        for single in sources.parts(name):
            metrics = by_reference.setdefault(single, [])
            if metric not in metrics:
                metrics.append(metric)
    found: dict[tuple[Metric, str], Doubles] = {}
    # References are the outer loop, so that the arrays of only one rater are in memory at a time.
    for name, metrics in by_reference.items():
        reference = None if name == NO_REFERENCE else sources[name]
        if reference is not None or name == NO_REFERENCE:
            for metric in metrics:
                values = metric.measure(prediction, reference, spacing=sources.case.geometry.spacing)
                found[metric, name] = np.atleast_1d(values)
    for metric, name in pairs:
        if name == RATERS or name.startswith(SOME_RATERS):
            size = prediction.n_classes - 1 if metric.per_class else 1
            singles = [found[metric, single] for single in sources.parts(name)]
            found[metric, name] = mean_without_nan(singles) if singles else np.full(size, np.nan)
    return found


def makes_sense(metric: MetricBase, reference: str) -> bool:
    """Whether the metric can be measured against the reference: some need soft labels, a certain reference, or none."""
    if isinstance(metric, RaterMetric):
        return reference in ("truth", RATERS)
    if not isinstance(metric, Metric):
        return False
    if metric.references == "none" or reference == NO_REFERENCE:
        return metric.references == "none" and reference == NO_REFERENCE
    if metric.references in REFERENCE_NAMES:
        return reference == metric.references
    return metric.references == "any" or reference in SOFT_REFERENCES


def mean_without_nan(values: Sequence[Doubles]) -> Doubles:
    """The mean of arrays of one shape, entry by entry, without NaN; NaN where nothing is left."""
    table = np.array(values, np.float64)
    known = ~np.isnan(table)
    n = known.sum(axis=0)
    return np.where(n > 0, np.where(known, table, 0.0).sum(axis=0) / np.maximum(n, 1), np.nan)


def calibrate_case(
    case: Case, probability: Floats, references: Sequence[str] = REFERENCE_NAMES, *, sources: References | None = None
) -> Counts:
    """Calibration counts [n_references, 2, 11, 3] of a map [K, *S]; the regions are the image and near the foreground.

    For several raters the counts of each are added. A reference that the case does not have counts nothing.
    """
    sources = sources or References(case, len(probability))
    confidence = confidence_of(probability)
    counts = np.zeros((len(references), len(REGIONS), N_BINS, 3), np.int64)
    for i, name in enumerate(references):
        for source in sources.parts(name):
            if (reference := sources[source]) is not None:
                counts[i, 0] += count_confidence(confidence, reference.labels)
                counts[i, 1] += count_confidence(confidence, reference.labels, reference.region)
    return counts
