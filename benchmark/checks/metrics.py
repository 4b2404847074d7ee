"""The contract of a metric as checks that can be run on any class, the suite's own or a plug-in's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...datasets.base import IGNORE, Labels
from ...voxel_counts import Doubles
from ..metrics.base import Metric, MetricBase, PooledMetric, RaterMetric, SampleMetric, Segmentation, from_labels
from .parameters import parameters_are_stored
from .result import CheckResult, NotApplicableError, require, run_checks

K, SHAPE = 3, (12, 14)
ATTRIBUTES = {"name": str, "label": str, "better": str, "range": tuple, "references": str, "empty": str}


def check_metric(metric: MetricBase | type[MetricBase]) -> list[CheckResult]:
    """Try a metric, or a class of metrics with its default parameters, against the whole contract."""
    first = {"parameters are stored": parameters_are_stored, "it describes itself": describes_itself}
    results = run_checks(first, metric)
    if not all(result.passed for result in results):
        return results
    built = metric if isinstance(metric, MetricBase) else metric()
    kinds: dict[type[MetricBase], dict[str, Callable[[Any], None]]] = {
        Metric: CHECKS,
        RaterMetric: RATER_CHECKS,
        SampleMetric: SAMPLE_CHECKS,
        PooledMetric: POOLED_CHECKS,
    }
    return results + [
        result for kind, checks in kinds.items() if isinstance(built, kind) for result in run_checks(checks, built)
    ]


def describes_itself(metric: MetricBase | type[MetricBase]) -> None:
    """Raise ``BrokenContractError`` unless the metric has all that tables and captions need to know of it."""
    built = metric if isinstance(metric, MetricBase) else metric()
    require(
        isinstance(built, Metric | RaterMetric | SampleMetric | PooledMetric),
        "it is none of the four kinds of metrics: subclass Metric, RaterMetric, SampleMetric or PooledMetric",
    )
    more: dict[str, type] = {} if isinstance(built, PooledMetric) else {"per_class": bool}
    for name, kind in (ATTRIBUTES | more).items():
        value = getattr(built, name, None)
        require(isinstance(value, kind), f"its attribute {name} is {value!r}: give a {kind.__name__}")
    better, references = ("higher", "lower", "zero", "none"), ("any", "soft", "none", "truth", "soft average")
    require(built.better in better, f"its attribute better is {built.better!r}: one of {', '.join(better)}")
    require(built.references in references, f"its attribute references is {built.references!r}: one of {', '.join(references)}")
    uses = getattr(built, "uses", "labels")
    require(uses in ("labels", "probability"), f'its attribute uses is {uses!r}: "labels" or "probability"')
    strange = set(built.shown_parameters) - set(built.get_params(deep=False))
    require(not strange, f"its attribute shown_parameters names {', '.join(sorted(strange))}, which is no parameter of it")
    require(built.range[0] < built.range[1], f"its range {built.range} is empty: give the lowest and the highest value")
    require(
        built.empty.endswith("."),
        "its attribute empty must be a sentence on what happens to empty masks: it goes into captions",
    )


def segmentation(seed: int, *, shape: tuple[int, ...] = SHAPE) -> Segmentation:
    """A random map of three classes, all of them there."""
    drawn = np.random.default_rng(seed).dirichlet(np.ones(K), size=shape)
    p = np.ascontiguousarray(np.moveaxis(drawn, -1, 0).astype(np.float32))
    return Segmentation(p.argmax(axis=0).astype(np.uint8), p, np.ones(shape, dtype=bool))


def measured(metric: Metric, prediction: Segmentation, reference: Segmentation) -> Doubles:
    """The metric's values, after a look at their form."""
    other = None if metric.references == "none" else reference
    values = metric.measure(prediction, other, spacing=[1.0, 2.0, 3.0][: prediction.labels.ndim])
    return _checked(metric, "measure", values, (prediction.n_classes - 1,) if metric.per_class else ())


def _checked(metric: MetricBase, function: str, values: Any, expected: tuple[int, ...]) -> Doubles:
    """Values after a look at their form and range."""
    values = np.asarray(values)
    require(
        values.shape == expected and values.dtype == np.float64,
        f"{function} gave {values.dtype} {values.shape} for {K} classes: return float64 {expected}",
    )
    known = values[~np.isnan(values)]
    low, high = metric.range
    inside = bool(((known >= low - 1e-9) & (known <= high + 1e-9)).all())
    require(inside, f"{function} gave {known.tolist()}, and its range is {low} to {high}: mend one of them")
    found: Doubles = values
    return found


def _same(one: Doubles, other: Doubles) -> bool:
    return bool(np.allclose(one, other, rtol=1e-6, atol=1e-9, equal_nan=True))


def _is_pure(metric: Metric) -> None:
    prediction, reference = segmentation(0), segmentation(1)
    before: tuple[Any, ...] = prediction.labels.copy(), prediction.probability.copy(), reference.labels.copy()
    one = measured(metric, prediction, reference)
    now: tuple[Any, ...] = prediction.labels, prediction.probability, reference.labels
    same = all(np.array_equal(a, b) for a, b in zip(before, now, strict=True))
    require(same, "measure changed what it was given: work on a copy")
    again = measured(metric, segmentation(0), segmentation(1))
    require(np.array_equal(one, again, equal_nan=True), "measured twice, the same pair had other values: use no randomness")


def _volumes(metric: Metric) -> None:
    measured(metric, segmentation(0, shape=(3, 8, 9)), segmentation(1, shape=(3, 8, 9)))


def _class_relabelling(metric: Metric) -> None:
    def rename(given: Segmentation) -> Segmentation:
        labels = np.array([0, 2, 1], dtype=np.uint8)[given.labels]
        return Segmentation(labels, np.ascontiguousarray(given.probability[[0, 2, 1]]), given.region)

    prediction, reference = segmentation(0), segmentation(1)
    before, after = measured(metric, prediction, reference), measured(metric, rename(prediction), rename(reference))
    sentence = "the values changed when the foreground classes got other numbers: value k belongs to class k + 1"
    require(_same(before, after[::-1] if metric.per_class else after), sentence)


def _unjudged_voxels(metric: Metric) -> None:
    if metric.references == "none":
        raise NotApplicableError("it looks at no reference")
    reference, prediction, other = segmentation(1), segmentation(0), segmentation(2)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:, :5] = True
    labels = np.where(mask, IGNORE, reference.labels).astype(np.uint8)
    judged = Segmentation(labels, reference.probability, reference.region)
    elsewhere = Segmentation(
        np.where(mask, other.labels, prediction.labels), np.where(mask, other.probability, prediction.probability)
    )
    same = _same(measured(metric, prediction, judged), measured(metric, elsewhere, judged))
    require(
        same, f"the prediction at voxels that the reference did not judge (label {IGNORE}) changed the value: leave them out"
    )
    nobody = from_labels(np.full(SHAPE, IGNORE, dtype=np.uint8), K, region=np.ones(SHAPE, dtype=bool))
    values = measured(metric, prediction, nobody)
    require(bool(np.isnan(values).all()), f"where nothing was judged it gave {values.tolist()}: give NaN")


def _empty_masks(metric: Metric) -> None:
    empty = from_labels(np.zeros(SHAPE, dtype=np.uint8), K, region=np.zeros(SHAPE, dtype=bool))
    full: Labels = np.ones(SHAPE, dtype=np.uint8)
    for prediction, reference in ((empty, empty), (segmentation(0), empty), (empty, segmentation(0))):
        measured(metric, prediction, reference)
    measured(metric, from_labels(full, K), from_labels(full, K))


def _perfection(metric: Metric) -> None:
    if metric.references == "none" or metric.better == "none":
        raise NotApplicableError("it compares nothing")
    best = metric.range[1] if metric.better == "higher" else 0.0
    values = measured(metric, segmentation(0), segmentation(0))
    require(_same(values, np.full_like(values, best)), f"a perfect prediction has {values.tolist()} and should have {best:g}")


def _uses_what_it_says(metric: Metric) -> None:
    prediction, reference, other = segmentation(0), segmentation(1), segmentation(2)
    if metric.uses == "labels":
        changed, what = Segmentation(prediction.labels, other.probability, prediction.region), "probability"
    else:
        changed, what = Segmentation(other.labels, prediction.probability, prediction.region), "labels"
    same = _same(measured(metric, prediction, reference), measured(metric, changed, reference))
    wanted = "probability" if metric.uses == "labels" else "labels"
    require(same, f"its attribute uses is {metric.uses!r}, but the {what} of the prediction changed the value: use {wanted!r}")


CHECKS: dict[str, Callable[[Metric], None]] = {
    "it is a pure function": _is_pure,
    "it uses what it says": _uses_what_it_says,
    "3-D volumes": _volumes,
    "class relabelling": _class_relabelling,
    "unjudged voxels": _unjudged_voxels,
    "empty masks": _empty_masks,
    "nothing is better than perfect": _perfection,
}


def confusion(seed: int) -> Doubles:
    """A random confusion [K, K] whose columns sum to 1."""
    return np.ascontiguousarray(np.random.default_rng(seed).dirichlet(np.ones(K), size=K).T)


def measured_rater(metric: RaterMetric, estimate: Doubles, truth: Doubles) -> float:
    """The metric's value, after a look at its form."""
    value = metric.measure_rater(estimate, truth)
    require(isinstance(value, float), f"measure_rater gave {type(value).__name__}: return a float")
    low, high = metric.range
    require(
        np.isnan(value) or low - 1e-9 <= value <= high + 1e-9,
        f"measure_rater gave {value}, and its range is {low} to {high}: mend one of them",
    )
    return float(value)


def _rater_is_pure(metric: RaterMetric) -> None:
    estimate, truth = confusion(0), confusion(1)
    one = measured_rater(metric, estimate, truth)
    unchanged = np.array_equal(estimate, confusion(0)) and np.array_equal(truth, confusion(1))
    require(unchanged, "measure_rater changed what it was given: work on a copy")
    require(one == measured_rater(metric, confusion(0), confusion(1)), "measured twice, the same pair had other values")


def _rater_relabelling(metric: RaterMetric) -> None:
    order = np.array([2, 0, 1])
    before = measured_rater(metric, confusion(0), confusion(1))
    after = measured_rater(metric, confusion(0)[np.ix_(order, order)], confusion(1)[np.ix_(order, order)])
    require(_same(np.array(before), np.array(after)), "the value changed when the classes got other numbers")


def _rater_unknown(metric: RaterMetric) -> None:
    truth = confusion(1)
    truth[:, 0] = np.nan
    other = confusion(0)
    other[:, 0] = confusion(2)[:, 0]
    same = measured_rater(metric, confusion(0), truth) == measured_rater(metric, other, truth)
    require(same, "the estimate of a class that the truth lacks (NaN) changed the value: leave it out")
    nobody = measured_rater(metric, np.full((K, K), np.nan), confusion(1))
    require(bool(np.isnan(nobody)), f"of a rater who was never seen (NaN) it gave {nobody}: give NaN")


def _rater_perfection(metric: RaterMetric) -> None:
    best = metric.range[1] if metric.better == "higher" else 0.0
    value = measured_rater(metric, confusion(0), confusion(0))
    require(_same(np.array(value), np.array(best)), f"a perfect estimate has {value} and should have {best:g}")


RATER_CHECKS: dict[str, Callable[[RaterMetric], None]] = {
    "it is a pure function": _rater_is_pure,
    "class relabelling": _rater_relabelling,
    "unknown entries": _rater_unknown,
    "nothing is better than perfect": _rater_perfection,
}


def measured_samples(metric: SampleMetric, samples: list[Segmentation], raters: list[Segmentation]) -> Doubles:
    """The metric's values, after a look at their form."""
    values = metric.measure_samples(samples, raters, spacing=[1.0, 2.0])
    return _checked(metric, "measure_samples", values, (K - 1,) if metric.per_class else ())


def _groups() -> tuple[list[Segmentation], list[Segmentation]]:
    return [segmentation(seed) for seed in (0, 1, 2)], [segmentation(seed) for seed in (3, 4)]


def _samples_are_pure(metric: SampleMetric) -> None:
    one, again = measured_samples(metric, *_groups()), measured_samples(metric, *_groups())
    require(np.array_equal(one, again, equal_nan=True), "measured twice, the same samples had other values: use no randomness")


def _samples_have_no_order(metric: SampleMetric) -> None:
    samples, raters = _groups()
    same = _same(measured_samples(metric, samples, raters), measured_samples(metric, samples[::-1], raters[::-1]))
    require(same, "the values changed with the order of samples or raters: they are sets")


def _samples_unjudged(metric: SampleMetric) -> None:
    samples, _ = _groups()
    nobody = from_labels(np.full(SHAPE, IGNORE, dtype=np.uint8), K)
    values = measured_samples(metric, samples, [nobody])
    require(bool(np.isnan(values).all()), f"where nothing was judged it gave {values.tolist()}: give NaN")


def _samples_perfect(metric: SampleMetric) -> None:
    if not metric.best_if_equal or metric.better == "none":
        raise NotApplicableError("samples that equal the raters need not be best")
    _, raters = _groups()
    best = metric.range[1] if metric.better == "higher" else 0.0
    values = measured_samples(metric, raters, raters)
    require(_same(values, np.full_like(values, best)), f"samples like the raters have {values.tolist()}, not {best:g}")


SAMPLE_CHECKS: dict[str, Callable[[SampleMetric], None]] = {
    "it is a pure function": _samples_are_pure,
    "order of samples and raters": _samples_have_no_order,
    "unjudged voxels": _samples_unjudged,
    "nothing is better than perfect": _samples_perfect,
}


def counted(metric: PooledMetric, prediction: Segmentation, reference: Segmentation) -> Any:
    """The metric's counts of a case, after a look at their form."""
    counts = np.asarray(metric.count(prediction, reference))
    require(counts.dtype == np.int64, f"count gave {counts.dtype}: return whole numbers, int64, whose sums are exact")
    return counts


def _pooled_form(metric: PooledMetric) -> None:
    one, other = (counted(metric, segmentation(a), segmentation(b)) for a, b in ((0, 1), (2, 3)))
    require(one.shape == other.shape, f"count gave {one.shape} and {other.shape}: the shape must be that of every case")
    _checked(metric, "value", metric.value(one + other), ())
    _checked(metric, "value", metric.value(np.stack([one, other])), (2,))
    again = counted(metric, segmentation(0), segmentation(1))
    require(np.array_equal(one, again), "counted twice, the same pair had other counts: use no randomness")


def _pooled_nothing(metric: PooledMetric) -> None:
    nobody = from_labels(np.full(SHAPE, IGNORE, dtype=np.uint8), K, region=np.ones(SHAPE, dtype=bool))
    counts = counted(metric, segmentation(0), nobody)
    require(not counts.any(), "it counted voxels that the reference did not judge: leave them out")
    value = float(metric.value(counts))
    require(np.isnan(value), f"where nothing was judged it gave {value}: give NaN")


POOLED_CHECKS: dict[str, Callable[[PooledMetric], None]] = {
    "counts are whole numbers that can be added": _pooled_form,
    "unjudged voxels": _pooled_nothing,
}
