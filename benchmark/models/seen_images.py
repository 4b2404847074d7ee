"""What the images were like that a method learned from: a model says so where a new image is another kind of image."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import SimpleITK as sitk

from ...datasets.base import Case, Dataset, Geometry, Subset, Unit

VOLUME = 3
"""Axes of an image whose orientation in the body is known."""

Span = tuple[float, float]


@dataclass(frozen=True)
class SeenImages:
    """The images that were read in training, validation cases included.

    Args:
        cases: how many.
        channels: the number of channels, or several.
        dims: the number of spatial axes, or several.
        unit: what lengths are measured in.
        spacing: the smallest and the largest of each axis, in array order; empty where images differ in their number of axes.
        orientations: of volumes, where the axes point in the body (``LPS``).
        class_values: what the classes are called in the data set's label files, the background first.
    """

    cases: int
    channels: tuple[int, ...]
    dims: tuple[int, ...]
    unit: Unit
    spacing: tuple[Span, ...]
    orientations: tuple[str, ...]
    class_values: tuple[int, ...]


class SeenCases:
    """Notes what images are like while a method reads them."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._seen: dict[str, tuple[int, Geometry]] = {}

    def watched(self, positions: Iterable[int], needs: Collection[str]) -> Dataset:
        """The cases at these positions as ``Dataset.subset`` gives them to a method that learns."""
        return _Watched(self, self.dataset, positions, blind=True, needs=needs)

    def note(self, case: Case) -> None:
        self._seen[case.id] = (len(case.image), case.geometry)

    def found(self) -> SeenImages:
        """What the images were like that have been read."""
        channels = tuple(sorted({channels for channels, _ in self._seen.values()}))
        geometries = [geometry for _, geometry in self._seen.values()]
        dims = tuple(sorted({len(geometry.spacing) for geometry in geometries}))
        spacings = zip(*(geometry.spacing for geometry in geometries), strict=True) if len(dims) == 1 else ()
        return SeenImages(
            cases=len(self._seen),
            channels=channels,
            dims=dims,
            unit=self.dataset.unit,
            spacing=tuple((float(min(steps)), float(max(steps))) for steps in spacings),
            orientations=tuple(sorted({name for geometry in geometries if (name := orientation(geometry))})),
            class_values=class_values(self.dataset),
        )


class _Watched(Subset):
    listed = False

    def __init__(
        self, seen: SeenCases, parent: Dataset, positions: Iterable[int], *, blind: bool, needs: Collection[str]
    ) -> None:
        super().__init__(parent, positions, blind=blind, needs=needs)
        self._seen = seen

    def load(self, position: int) -> Case:
        case = super().load(position)
        self._seen.note(case)
        return case


def class_values(dataset: Dataset) -> tuple[int, ...]:
    """What the classes are called in label files; 0 to K - 1 where the data set says nothing else."""
    return dataset.class_values or tuple(range(dataset.n_classes))


def orientation(geometry: Geometry) -> str:
    """Where the axes of a volume point in the body, such as ``LPS``; empty for two axes, and where lengths are in pixels.

    >>> orientation(Geometry.axis_aligned(3, (1, 1, 1)))
    'LPS'
    """
    if len(geometry.spacing) != VOLUME or geometry.unit == "pixel":
        return ""
    directions: Sequence[float] = geometry.direction
    return str(sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(list(directions)))
