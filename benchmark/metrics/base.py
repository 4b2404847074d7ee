"""The contracts of the four kinds of metrics, what they compare, and what several of them need of a pair."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ...datasets.base import IGNORE, Floats, Labels, Unit, read_only
from ...errors import RaterbenchError
from ...parameters import Parameterised, check_stored
from ...voxel_counts import Counts, Doubles, label_counts, one_hot

Mask = npt.NDArray[np.bool_]
Better = Literal["higher", "lower", "zero", "none"]
Quantity = Literal["length", "size", "none"]
"""What the values of a metric measure: a length, a size (area in 2-D, volume in 3-D), or neither."""
UNIT_SYMBOLS: dict[Unit, str] = {"mm": "mm", "pixel": "px"}
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A prediction or a reference. Its arrays are read-only: what metrics share is computed once.

    ``labels`` [*S] uint8 class indices, ``IGNORE`` where nothing was judged; ``probability`` [K, *S] float32.
    ``region`` [*S] bool, on references only: the voxels near what any rater marked, for metrics of a region.

    Raises:
        RaterbenchError: shapes do not fit, or a label is no class.
    """

    labels: Labels
    probability: Floats
    region: Mask | None = None

    def __post_init__(self) -> None:
        if self.labels.shape != self.probability.shape[1:]:
            raise RaterbenchError(
                f"labels {self.labels.shape} and probability {self.probability.shape} do not fit: give [*S] and [K, *S]"
            )
        if self.region is not None and self.region.shape != self.labels.shape:
            raise RaterbenchError(f"the region has shape {self.region.shape}, the labels have {self.labels.shape}")
        strange = (self.labels >= self.n_classes) & (self.labels != IGNORE)
        if strange.any():
            raise RaterbenchError(f"label {self.labels[strange].flat[0]} is none of the {self.n_classes} classes")
        for name in ("labels", "probability"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def n_classes(self) -> int:
        """Number of classes K, the background included."""
        return int(self.probability.shape[0])


class MetricBase(Parameterised, ABC):
    """What tables and captions need to know of a metric, whatever it measures.

    A metric is a subclass of one of the four below, by what it looks at:

    ==================  ==============================================  ==================================================
    :class:`Metric`        a prediction and a reference                    Dice, Brier score
    :class:`RaterMetric`   the estimate of a rater and the truth           confusion RMSE
    :class:`SampleMetric`  sampled segmentations and the set of raters     generalised energy distance
    :class:`PooledMetric`  predictions and references of all cases         expected calibration error
    ==================  ==============================================  ==================================================

    Parameters are keyword arguments of ``__init__``, which only stores them under their own names; type hints such as
    ``Annotated[float, Range(0, 10)]`` are checked. An experiment sets them where it lists the metric,
    ``metrics = ["dice", { name = "surface dice", tolerance = 2.0 }]``.

    Attributes:
        name: the key in tables and experiments.
        label: the head of a column, without the unit of a ``quantity``, which depends on the data set (``label_in`` adds it).
        better: whether "higher" or "lower" values are better, values near "zero", or "none".
        range: the lowest and the highest value.
        references: what it can be measured against: "any" reference, only one with "soft" labels, only the one that it names,
            or "none".
        empty: a plain sentence (or more) on what happens where the reference or the prediction is empty.
        shown_parameters: parameters that ``parameters`` names even where they have their default.
    """

    name: ClassVar[str]
    label: str
    quantity: ClassVar[Quantity] = "none"
    better: ClassVar[Better]
    range: ClassVar[tuple[float, float]]
    references: ClassVar[Literal["any", "soft", "none", "truth", "soft average"]] = "any"
    empty: str
    shown_parameters: ClassVar[tuple[str, ...]] = ()

    def parameters(self) -> str:
        """The parameters for the column ``parameters`` of the long table, such as ``tolerance=2.0``; empty for none.

        Only those that are not at their default are named, and those in ``shown_parameters`` always.
        """
        defaults = {name: p.default for name, p in inspect.signature(type(self)).parameters.items()}
        values = self.get_params(deep=False)
        named = [key for key in defaults if key in values]
        return ", ".join(
            f"{key}={values[key]}" for key in named if key in self.shown_parameters or values[key] != defaults[key]
        )

    def unit_in(self, unit: Unit, ndim: int) -> str:
        """What the values are measured in, such as ``mm`` or ``px³``; an empty text for a metric that is no length or size.

        ``unit`` is the data set's unit of length, ``ndim`` the number of axes of its images.
        """
        power = {"length": 1, "size": ndim, "none": 0}[self.quantity]
        return f"{UNIT_SYMBOLS[unit]}{('', '²', '³')[power - 1]}" if power else ""

    def label_in(self, unit: Unit, ndim: int) -> str:
        """The label with the unit of the data set: ``95 % Hausdorff distance [px]``.

        A metric with a parameter in that unit, such as a tolerance, must name the parameter with its unit here, as
        ``SurfaceDice`` does. It is how the harness knows that the metric depends on lengths.
        """
        symbol = self.unit_in(unit, ndim)
        return f"{self.label} [{symbol}]" if symbol else self.label

    def check_parameters(self) -> None:
        """Check the parameters against their type hints.

        Raises:
            RaterbenchError: one is of another kind, or out of range.
        """
        check_stored(self, f"metric {self.name!r}")


class Metric(MetricBase):
    """A pure function of a prediction and a reference, one case at a time.

    Voxels that the reference (or the prediction) did not judge are left out, and a pair without a judged voxel is NaN.

    Attributes:
        per_class: whether there is a value for each foreground class, or one for all classes together.
        uses: "labels" if only ``prediction.labels`` matter, "probability" if only ``prediction.probability`` does: its value
            does not depend on the threshold that makes labels, and is not measured again for another one.
    """

    per_class: ClassVar[bool]
    uses: ClassVar[Literal["labels", "probability"]] = "labels"

    @abstractmethod
    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        """The value of each foreground class, [K-1], or of all classes together, [] (``per_class`` says which).

        ``spacing`` [ndim] in the unit of the case's geometry, array order. ``reference`` is None only for metrics that need
        none.
        """


class RaterMetric(MetricBase):
    """A pure function of what is estimated of a rater and what is true of that rater.

    It has no value for a candidate that estimates no rater. Over several raters of a case the mean is taken.
    """

    per_class: ClassVar[bool] = False

    @abstractmethod
    def measure_rater(self, estimate: Doubles, truth: Doubles) -> float:
        """The value of one rater from the estimated and the true confusion [K, K]; NaN entries are not known."""


class SampleMetric(MetricBase):
    """A pure function of segmentations that a method sampled for a case and of the labels of all raters of that case.

    The labels of a candidate that gives no samples are a set of one sample. ``sample_sets.sample_sets`` has the overlaps of all
    pairs, which are counted once for a case.

    Attributes:
        per_class: whether there is a value for each foreground class, or one for all classes together.
        best_if_equal: whether samples that equal the raters have the best value of all.
    """

    per_class: ClassVar[bool]
    best_if_equal: ClassVar[bool] = True

    @abstractmethod
    def measure_samples(
        self, samples: Sequence[Segmentation], raters: Sequence[Segmentation], *, spacing: Sequence[float]
    ) -> Doubles:
        """The value of each foreground class, [K-1], or of all classes together, []; NaN where nothing can be compared."""


class PooledMetric(MetricBase):
    """A metric of many cases together, from whole numbers that are counted case by case and added.

    Sums of whole numbers are exact, so the value does not depend on the order of cases or on how they are grouped.
    """

    @abstractmethod
    def count(self, prediction: Segmentation, reference: Segmentation) -> Counts:
        """The counts of one case, an int64 array whose shape is the same for all cases."""

    @abstractmethod
    def value(self, counts: Counts) -> Doubles:
        """The value [...] of summed counts; more axes may come first, such as draws of a bootstrap. NaN without a voxel."""


def table_names(metrics: Sequence[MetricBase]) -> list[str]:
    """What each metric is called in tables: its name, and with its parameters where two metrics have that name."""
    names = [metric.name for metric in metrics]
    return [
        f"{metric.name} ({metric.parameters() or 'default'})" if names.count(metric.name) > 1 else metric.name
        for metric in metrics
    ]


def needed(metric: Metric, reference: Segmentation | None) -> Segmentation:
    """The reference, for metrics that cannot do without.

    Raises:
        RaterbenchError: there is none.
    """
    if reference is None:
        raise RaterbenchError(f"metric {metric.name!r} needs a reference")
    return reference


def from_labels(labels: Labels, n_classes: int, *, region: Mask | None = None) -> Segmentation:
    """Hard labels as a segmentation: one-hot probability, uniform where nothing was judged."""
    probability = one_hot(labels, n_classes)
    unjudged = labels == IGNORE
    if unjudged.any():
        probability[:, unjudged] = 1.0 / n_classes
    return Segmentation(labels, probability, region)


_MEMORY: WeakKeyDictionary[Segmentation, WeakKeyDictionary[Segmentation, dict[Hashable, Any]]] = WeakKeyDictionary()


def remember(first: Segmentation, second: Segmentation, key: Hashable, compute: Callable[[], T]) -> T:
    """What ``compute`` gives for this pair of segmentations, computed once and forgotten together with them.

    Metrics of one family share it (five of them need the same label counts, two the same surfaces) and stay pure.
    """
    pairs = _MEMORY.setdefault(first, WeakKeyDictionary())
    known = pairs.setdefault(second, {})
    if key not in known:
        known[key] = compute()
    return cast(T, known[key])


def judged(prediction: Segmentation, reference: Segmentation) -> Mask | None:
    """Voxels [*S] that both judged, or None where that is every voxel.

    Raises:
        RaterbenchError: the two differ in shape or in the number of classes.
    """
    if prediction.probability.shape != reference.probability.shape:
        shapes = f"{prediction.probability.shape} and {reference.probability.shape}"
        raise RaterbenchError(f"prediction and reference have different [K, *S]: {shapes}")

    def compute() -> Mask | None:
        mask = (prediction.labels != IGNORE) & (reference.labels != IGNORE)
        return None if mask.all() else mask

    return remember(prediction, reference, "judged", compute)


def pair_counts(prediction: Segmentation, reference: Segmentation) -> Counts:
    """``[i, j]`` = number of voxels predicted i and referred to as j, [K, K]; computed once for a pair."""
    judged(prediction, reference)

    def compute() -> Counts:
        return label_counts(prediction.labels, reference.labels, prediction.n_classes)

    return remember(prediction, reference, "counts", compute)
