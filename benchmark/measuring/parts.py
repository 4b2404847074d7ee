"""The parts of measuring units: which there are, what they are called, and how each is measured case by case."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ...datasets.base import Case, Dataset
from ...methods.base import Fusion
from ...voxel_counts import is_judged
from ..experiment.factory import identity
from ..experiment.settings import canonical
from ..metrics.base import Metric, MetricBase, PooledMetric, RaterMetric, SampleMetric, Segmentation, from_labels
from ..store.predictions import StoredPrediction
from ..store.units import RATER, Calibration, Estimates, Kind, Pooled, Rows, SingleRaters, ValueCounts
from .pairs import (
    ALL_CLASSES,
    ANY_RATER,
    REGIONS,
    calibrate_case,
    check_unit,
    makes_sense,
    mean_without_nan,
    measure_pairs,
    measures_lengths,
)
from .rater_estimates import RaterEstimates, observed_confusions
from .references import NO_REFERENCE, RATERS, References


@dataclass(frozen=True)
class PlannedRows:
    """One metric against one reference, a part of a measuring unit."""

    metric: Metric | RaterMetric | SampleMetric
    reference: str


@dataclass(frozen=True)
class PlannedPool:
    """One metric of all cases together against one reference, a part of a measuring unit."""

    metric: PooledMetric
    reference: str


@dataclass(frozen=True)
class Parts:
    """The parts that a measuring unit should have, by name.

    ``rows``: metrics against references. ``single``: the primary metric against each single rater, where that makes sense.
    ``pooled``: metrics of all cases together. ``calibration``: references by the part's name. ``values``: the part that counts
    predicted probabilities, empty for none. ``raters``: the part with the errors of estimated raters, empty for none.
    ``pictures``: the part with kept cases, empty for none.
    """

    rows: Mapping[str, PlannedRows]
    single: Mapping[str, Metric]
    pooled: Mapping[str, PlannedPool]
    calibration: Mapping[str, str]
    values: str
    raters: str
    pictures: str

    @property
    def names(self) -> tuple[str, ...]:
        """All names."""
        listed = (*self.rows, *self.single, *self.pooled, *self.calibration)
        return (*listed, *(name for name in (self.values, self.raters, self.pictures) if name))


def plan_parts(
    kind: Kind,
    metrics: Sequence[MetricBase],
    references: Sequence[str],
    kept: Mapping[str, str],
    primary: str,
    *,
    fusions: Mapping[str, Fusion] = MappingProxyType({}),
) -> Parts:
    """The parts of units of one kind; ``kept`` maps the cases that are kept for pictures to the reason.

    ``fusions`` are those that make references of their own, by the reference's name.

    Only the metric called ``primary`` is measured against each single rater, whatever the references: what depends on who
    the raters are is asked of the main result.

    The name of a part has a hash of whatever decides about its numbers, apart from what the unit's key says.
    """
    rows: dict[str, PlannedRows] = {}
    pooled: dict[str, PlannedPool] = {}
    made_by = {name: identity(fusion) for name, fusion in fusions.items()}
    for metric in metrics:
        for reference in references_of(metric, references, kind):
            decisive = [metric.name, identity(metric), reference, *([made_by[reference]] if reference in made_by else [])]
            if isinstance(metric, SampleMetric):
                decisive.append("labels at each threshold")  # Once the labels of samples were always those at one half.
            tag = f"{metric.name}/{reference}/{_hash(decisive)}"
            if isinstance(metric, PooledMetric):
                pooled[f"pooled/{tag}"] = PlannedPool(metric, reference)
            elif isinstance(metric, Metric | RaterMetric | SampleMetric):
                rows[f"rows/{tag}"] = PlannedRows(metric, reference)
    single = {
        f"single/{metric.name}/{_hash([metric.name, identity(metric)])}": metric
        for metric in metrics
        if metric.name == primary and isinstance(metric, Metric) and makes_sense(metric, RATERS)
    }
    counted = {}
    for reference in references if kind == "method" else ():
        counted[f"calibration/{reference}" + (f"/{_hash(made_by[reference])}" if reference in made_by else "")] = reference
    pictures = {"method": "predicted", "raters": "pictures", "fusion": ""}[kind]
    named = f"{pictures}/{_hash(sorted(kept.items()))}" if pictures and kept else ""
    values = "values" if kind == "method" else ""
    return Parts(rows, single, pooled, counted, values, "" if kind == "raters" else "raters", named)


def references_of(metric: MetricBase, references: Sequence[str], kind: Kind) -> list[str]:
    """What a metric is measured against in units of one kind; raters have neither estimates nor samples."""
    if isinstance(metric, RaterMetric):
        return [] if kind == "raters" else ["truth", RATERS]
    if isinstance(metric, SampleMetric):
        return [RATERS] if kind == "method" else []
    if isinstance(metric, PooledMetric):
        return [name for name in references if kind == "method" and metric.references in ("any", name)]
    return [name for name in (NO_REFERENCE, *references) if makes_sense(metric, name)]


def _hash(values: object) -> str:
    return hashlib.sha256(canonical(values).encode()).hexdigest()[:8]


class PartsInProgress:
    """Measures the ``wanted`` parts of one unit, case by case, of ``n_cases`` cases."""

    def __init__(
        self,
        wanted: Sequence[str],
        parts: Parts,
        *,
        names: Sequence[str],
        dataset: Dataset,
        n_cases: int,
        thresholds: Sequence[str],
    ) -> None:
        self.dataset, self.names, self.thresholds = dataset, tuple(names), tuple(thresholds)
        self.rows = {name: planned for name, planned in parts.rows.items() if name in wanted}
        self.single = {name: metric for name, metric in parts.single.items() if name in wanted}
        self.pooled = {name: planned for name, planned in parts.pooled.items() if name in wanted}
        self.calibration = {name: reference for name, reference in parts.calibration.items() if name in wanted}
        self.value_counts = parts.values if parts.values in wanted else ""
        self.raters = parts.raters if parts.raters in wanted else ""
        self.pictures = parts.pictures if parts.pictures in wanted else ""
        self.position = -1
        self.values: dict[str, npt.NDArray[np.float64]] = {}
        self.measured = {name: np.zeros((len(names), n_cases), bool) for name in self.rows}
        for name, planned in self.rows.items():
            shape = (len(names), n_cases, len(self._classes(planned.metric)), len(self._thresholds(planned.metric)))
            self.values[name] = np.full(shape, np.nan)
        self.singles: dict[str, list[tuple[tuple[int, int, int], npt.NDArray[np.float64]]]] = {name: [] for name in self.single}
        self.counts: dict[str, list[npt.NDArray[np.int64]]] = {name: [] for name in (*self.calibration, *self.pooled)}
        self.counted_values: list[npt.NDArray[np.int64]] = []
        self.estimates = RaterEstimates(dataset.classes, list({planned.metric: None for planned in self.rows.values()}))
        self.lengths = any(measures_lengths(m) for m in (*(p.metric for p in self.rows.values()), *self.single.values()))

    def start(self, case: Case) -> None:
        """Go on to the next case.

        Raises:
            RaterbenchError: a metric measures lengths, and the case not in the data set's unit.
        """
        self.position += 1
        if self.lengths:
            check_unit(case, self.dataset)

    def measure(self, name: str, predictions: Sequence[Segmentation], sources: References) -> None:
        """Measure one segmentation of the present case, once for each threshold that makes its labels."""
        place = self.names.index(name)
        pairs = {
            (planned.metric, planned.reference): part
            for part, planned in self.rows.items()
            if isinstance(planned.metric, Metric)
        }
        singles: dict[tuple[Metric, str], npt.NDArray[np.float64]] = {}
        for part, metric in self.single.items():
            for single in sources.raters:
                values = np.full((len(self._classes(metric)), len(self._thresholds(metric))), np.nan)
                rater = self.dataset.raters.index(single.removeprefix(RATER))
                self.singles[part].append(((place, self.position, rater), values))
                singles[metric, single] = values
        done: dict[tuple[Metric, str], npt.NDArray[np.float64]] = {}
        for number, prediction in enumerate(predictions):
            todo = [*pairs, *singles]
            if number:
                same = (prediction.labels == predictions[0].labels).all()
                todo = [] if same else [pair for pair in todo if pair[0].uses == "labels"]
            done |= measure_pairs(prediction, todo, sources)
            for pair, values in done.items():
                if pair in pairs and number < self.values[pairs[pair]].shape[-1]:
                    self.values[pairs[pair]][place, self.position, :, number] = values
                    self.measured[pairs[pair]][place, self.position] = True
            for pair, values in singles.items():
                values[:, number] = done[pair]

    def count(self, case: Case, prediction: Segmentation, sources: References) -> None:
        """Add the present case to the calibration counts and to metrics of all cases together."""
        probability = prediction.probability
        for part, planned in self.pooled.items():
            against = [reference for name in sources.parts(planned.reference) if (reference := sources[name]) is not None]
            counts = [planned.metric.count(prediction, reference) for reference in against]
            # A prediction against itself gives the shape, for a case without this reference.
            nothing = np.zeros_like(planned.metric.count(prediction, prediction))
            self.counts[part].append(sum(counts, nothing))
        if self.calibration:
            found = calibrate_case(case, probability, list(self.calibration.values()), sources=sources)
            for part, counted in zip(self.calibration, found, strict=True):
                self.counts[part].append(counted)

    def count_values(self, stored: StoredPrediction) -> None:
        """Count how many voxels of the present case have which predicted probability."""
        if self.value_counts:
            self.counted_values.append(stored.value_counts())

    def measure_samples(self, name: str, sets: Sequence[Sequence[Segmentation]], case: Case) -> None:
        """Measure the samples of the present case against all its raters, once for each threshold that makes their labels."""
        metrics = {part: planned.metric for part, planned in self.rows.items() if isinstance(planned.metric, SampleMetric)}
        given = [labels for labels in case.ratings.values() if is_judged(labels)]
        if not (metrics and given):
            return
        place = self.names.index(name)
        # The same objects for all metrics, so that what these share is computed once.
        raters = [from_labels(labels, self.dataset.n_classes) for labels in given]
        found: dict[str, npt.NDArray[np.float64]] = {}
        for number, samples in enumerate(sets):
            same = number and all((one.labels == first.labels).all() for one, first in zip(samples, sets[0], strict=True))
            for part, metric in metrics.items():
                if not same:
                    found[part] = metric.measure_samples(samples, raters, spacing=case.geometry.spacing)
                self.values[part][place, self.position, :, number] = found[part]
                self.measured[part][place, self.position] = True

    def compare_raters(self, name: str, estimates: Estimates | None, case: Case) -> None:
        """Compare the estimates of the raters of the present case with what they did."""
        if estimates is None:
            self.estimates.images.append({})
            return
        place, given = self.names.index(name), dict(zip(estimates.raters, estimates.confusion, strict=True))
        values = self.estimates.add(given, case, observed_confusions(case, self.dataset.n_classes))
        for part, planned in self.rows.items():
            metric = planned.metric
            if isinstance(metric, RaterMetric) and (metric, planned.reference) in values:
                self.values[part][place, self.position] = values[metric, planned.reference]
                self.measured[part][place, self.position] = True

    def mean_over_names(self) -> None:
        """Replace the rows of all names by one with their mean, for raters who are anonymous."""
        for part, values in self.values.items():
            measured = self.measured[part]
            known = ~np.isnan(values) & measured[:, :, None, None]
            n = known.sum(axis=0, keepdims=True)
            total = np.where(known, values, 0).sum(axis=0, keepdims=True)
            self.values[part] = np.where(n > 0, total / np.maximum(n, 1), np.nan)
            self.measured[part] = np.asarray(measured.any(axis=0, keepdims=True))
        for part, entries in self.singles.items():
            groups: dict[tuple[int, int, int], list[npt.NDArray[np.float64]]] = {}
            for (_, case, rater), value in entries:
                groups.setdefault((0, case, rater), []).append(value)
            self.singles[part] = [(place, mean_without_nan(found)) for place, found in groups.items()]
        self.names = (ANY_RATER,)

    def finished(self) -> dict[str, object]:
        """The measured parts by name, without pictures."""
        found: dict[str, object] = {}
        for part, planned in self.rows.items():
            found[part] = Rows(
                planned.metric.name,
                planned.metric.parameters(),
                planned.reference,
                tuple(self._classes(planned.metric)),
                self._thresholds(planned.metric),
                self.values[part],
                self.measured[part],
            )
        for part, metric in self.single.items():
            entries, classes, thresholds = self.singles[part], tuple(self._classes(metric)), self._thresholds(metric)
            places = np.array([place for place, _ in entries], np.int32).reshape(-1, 3)
            measured = np.array([values for _, values in entries]).reshape(-1, len(classes), len(thresholds))
            found[part] = SingleRaters(
                metric.name, metric.parameters(), tuple(self.dataset.raters), classes, thresholds, places, measured
            )
        for part, pool in self.pooled.items():
            counts = np.stack(self.counts[part])
            value = np.asarray(pool.metric.value(counts.sum(axis=0)), np.float64)
            found[part] = Pooled(pool.metric.name, pool.metric.parameters(), pool.reference, counts, value)
        for part, reference in self.calibration.items():
            found[part] = Calibration(reference, REGIONS, np.stack(self.counts[part]))
        if self.value_counts:
            found[self.value_counts] = ValueCounts(tuple(self.dataset.classes[1:]), np.stack(self.counted_values))
        if self.raters:
            found[self.raters] = self.estimates.errors(self.dataset.raters)
        return found

    def _classes(self, metric: Metric | RaterMetric | SampleMetric) -> Sequence[str]:
        return self.dataset.classes[1:] if metric.per_class else (ALL_CLASSES,)

    def _thresholds(self, metric: Metric | RaterMetric | SampleMetric) -> tuple[str, ...]:
        return ("",) if isinstance(metric, RaterMetric) else self.thresholds
