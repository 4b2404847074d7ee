"""What a metric is, what it compares, and what all metrics share: who judged a voxel, and how labels meet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ...datasets.base import IGNORE, Floats, Labels, Unit, read_only
from ...errors import RaterbenchError
from ...voxel_counts import label_counts

Doubles = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
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


class Metric(ABC):
    """A pure function of a prediction and a reference, and what tables need to know about it.

    ``name`` is the key in tables and experiments, ``label`` the head of a column, without the unit of a ``quantity`` that
    depends on the data set (``label_in`` adds it). ``references`` says what it can be measured against: any reference, only
    one with soft labels, only the one that it names, or none. ``empty`` is one plain sentence (or more) on what happens where
    the reference or the prediction is empty. Voxels that the reference (or the prediction) did not judge are left out, and a
    pair without a judged voxel is NaN.
    """

    name: ClassVar[str]
    label: str
    quantity: ClassVar[Quantity] = "none"
    better: ClassVar[Better]
    range: ClassVar[tuple[float, float]]
    per_class: ClassVar[bool]
    references: ClassVar[Literal["any", "soft", "none", "truth", "soft average"]] = "any"
    empty: str

    def unit_in(self, unit: Unit, ndim: int) -> str:
        """What the values are measured in, such as ``mm`` or ``px³``; an empty text for a metric that is no length or size.

        ``unit`` is the data set's unit of length, ``ndim`` the number of axes of its images.
        """
        power = {"length": 1, "size": ndim, "none": 0}[self.quantity]
        return f"{UNIT_SYMBOLS[unit]}{('', '²', '³')[power - 1]}" if power else ""

    def label_in(self, unit: Unit, ndim: int) -> str:
        """The label with the unit of the data set: ``95 % Hausdorff distance [px]``."""
        symbol = self.unit_in(unit, ndim)
        return f"{self.label} [{symbol}]" if symbol else self.label

    def check_parameters(self) -> None:  # noqa: B027 - most metrics have no parameter
        """Raise a RaterbenchError if a parameter is out of its range; nothing to check by default."""

    @abstractmethod
    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        """The value of each foreground class, [K-1], or of all classes together, [] (``per_class`` says which).

        ``spacing`` [ndim] in the unit of the case's geometry, array order. ``reference`` is None only for metrics that need
        none.
        """


class RaterMetric(Metric):
    """A metric of what is believed of a rater, where others are of a prediction.

    It has no value for a candidate that estimates no rater. Over several raters of a case the mean is taken.
    """

    per_class: ClassVar[bool] = False

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        """There is no such value.

        Raises:
            RaterbenchError: always.
        """
        del prediction, reference, spacing
        raise RaterbenchError(f"metric {self.name!r} compares confusions of raters and no predictions: use measure_rater")

    @abstractmethod
    def measure_rater(self, estimate: Doubles, truth: Doubles) -> float:
        """The value of one rater from the estimated and the true confusion [K, K]; NaN entries are not known."""


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
    classes = np.arange(n_classes, dtype=np.uint8).reshape(-1, *[1] * labels.ndim)
    probability = (labels[None] == classes).astype(np.float32)
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
