"""Annotation errors on instance maps: objects left out or taken in, noise, and outlines drawn too far in or out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...errors import RaterbenchError
from ...parameters import Parameterised, Range, as_hinted, check_arguments, check_keys, check_stored, parameter_hints
from ..base import Instances, Labels

Share = Annotated[float, Range(0, 1)]
Steps = Annotated[int, Range(0, 1000)]
Direction = Literal["either", "out", "in"]
Segments = npt.NDArray[np.int32]
"""The segments of an image [*S], numbered from 1 (``segments.find_segments``)."""

PLANE = (-2, -1)
"""The axes along which outlines move: a volume is annotated slice by slice."""
NEIGHBOURS = np.ones((3, 3), bool)


class AnnotationErrors(Parameterised):
    """A rater of objects who errs in known ways, in this order; without parameters, one who does not err.

    As the perturbations of Vadineanu (2025, equations 3.9 to 3.11, and the case study for segments, noise and the order). A
    share r of n objects is exactly ``round(r * n)`` of them, drawn anew in each annotation. Each kind of error has its own
    random numbers: what one setting draws does not depend on the others, and a larger share contains a smaller one.

    Args:
        omission: share of the objects that are left out.
        inclusion: share of the distractors that are taken for objects.
        segments: share of the segments of the image that are marked (``segments.find_segments``), its largest, the background,
            excepted.
        salt_and_pepper: share of the voxels that become 0 or 1, each with probability 1/2, whatever they were.
        bias: the most steps by which all outlines lie too far out or in; each image draws one number of steps, evenly from
            ``least_bias`` to ``bias``. A step is a dilation or an erosion of the whole mask by 3 x 3 voxels, so neighbours may
            merge and objects may vanish. What lies beyond the border of the image erodes nothing.
        least_bias: the fewest steps; none are drawn where ``bias`` is 0.
        direction: ``either``: each image draws ``out`` (dilation) or ``in`` (erosion) with probability 1/2.

    >>> import numpy as np
    >>> from raterbench.datasets import AnnotationErrors, Instances
    >>> numbers = np.arange(10)[None]  # nine objects of one voxel
    >>> truth = Instances(numbers, classes=np.array([0] + [1] * 9), rater="expert")
    >>> int(AnnotationErrors(omission=0.7).rate(truth, np.random.default_rng(0)).sum())
    3
    """

    def __init__(
        self,
        *,
        omission: Share = 0.0,
        inclusion: Share = 0.0,
        segments: Share = 0.0,
        salt_and_pepper: Share = 0.0,
        bias: Steps = 0,
        least_bias: Annotated[int, Range(1, 1000)] = 1,
        direction: Direction = "either",
    ) -> None:
        self.omission, self.inclusion, self.segments, self.salt_and_pepper = omission, inclusion, segments, salt_and_pepper
        self.bias, self.least_bias, self.direction = bias, least_bias, direction

    @classmethod
    def from_table(cls, values: Mapping[str, Any], where: str) -> Self:
        """Errors from plain values, as a TOML table has them.

        Raises:
            RaterbenchError: a key is unknown, or a value is of another kind or out of range; ``where`` begins the message.
        """
        kind: Any = cls
        hints = parameter_hints(kind)
        check_keys(values, hints, where)
        check_arguments(cls, values, where)
        errors = cls(**{key: as_hinted(hints[key], value) for key, value in values.items()})
        errors.check_parameters(where)
        return errors

    def check_parameters(self, where: str = "") -> None:
        """Check the parameters against their type hints, and against one another.

        Raises:
            RaterbenchError: a parameter is of another kind or out of range, or the fewest steps of bias are more than the most.
        """
        check_stored(self, where)
        if 0 < self.bias < self.least_bias:
            raise RaterbenchError(
                f"{where or type(self).__name__}: least_bias = {self.least_bias} must not be more than bias = {self.bias}"
            )

    def rate(self, instances: Instances, random: np.random.Generator, *, segments: Segments | None = None) -> Labels:
        """An annotation [*S] uint8, 0 or 1, of the true ``instances``; equal generators give the same annotation.

        ``segments`` of the image are found once and handed to every annotation of it; only errors that mark some use them.

        Raises:
            RaterbenchError: the objects are of several classes, or segments are to be marked and none are given.
        """
        return self._drawn(instances, random, segments)[1]

    def redraw(self, instances: Instances, random: np.random.Generator, *, segments: Segments | None = None) -> Instances:
        """The same annotation as ``rate`` gives, with the object of each voxel: what a rater who errs believes to be there.

        Marked voxels belong to the nearest object that they are connected with, or else to a new one. Distractors that were not
        taken in stay where nothing was marked.

        Raises:
            RaterbenchError: as ``rate``.
        """
        classes, labels = self._drawn(instances, random, segments)
        known = classes[instances.numbers] > 0
        others = (instances.classes[instances.numbers] == 0) & ~known & (labels == 0)
        numbers = np.where((labels > 0) & known | others, instances.numbers, 0)
        marked, free = (labels > 0) & known, (labels > 0) & ~known
        parts = _connected(labels)
        if marked.any():
            nearest = tuple(ndimage.distance_transform_edt(~marked, return_distances=False, return_indices=True))
            joined = free & (parts[nearest] == parts)
            numbers[joined] = numbers[nearest][joined]
            free &= ~joined
        new, places = np.unique(parts[free], return_inverse=True)
        numbers[free] = len(classes) + places
        classes = np.append(classes, np.ones(len(new), np.uint8))
        return Instances(numbers, classes, instances.rater)

    def _drawn(
        self, instances: Instances, random: np.random.Generator, segments: Segments | None
    ) -> tuple[npt.NDArray[np.uint8], Labels]:
        """The class that each object was given, by its number, and the mask."""
        if instances.classes.max() > 1:
            raise RaterbenchError(
                f"annotation errors are defined for one class of objects, but these are of the classes 1 to "
                f"{instances.classes.max()}: give the others the class 0, as distractors"
            )
        omitted, included, marked, noise, bias = random.spawn(5)
        classes = instances.classes.copy()
        classes[_chosen(instances.targets, self.omission, omitted)] = 0
        classes[_chosen(instances.distractors, self.inclusion, included)] = 1
        labels = classes[instances.numbers]
        if self.segments:
            labels |= _marked_segments(segments, self.segments, marked)
        if self.salt_and_pepper:
            drawn = noise.random(labels.shape, np.float32)
            labels[drawn < self.salt_and_pepper] = 0
            labels[drawn < self.salt_and_pepper / 2] = 1
        return classes, self._with_bias(labels, bias) if self.bias else labels

    def _with_bias(self, labels: Labels, random: np.random.Generator) -> Labels:
        """The mask [*S] after some steps of dilation or of erosion: a filter as wide as all steps, which is the same."""
        outward = bool(random.random() < 0.5) if self.direction == "either" else self.direction == "out"
        width = 2 * int(random.integers(self.least_bias, self.bias, endpoint=True)) + 1
        extreme = ndimage.maximum_filter1d if outward else ndimage.minimum_filter1d
        for axis in PLANE:
            labels = extreme(labels, width, axis=axis, mode="constant", cval=0 if outward else 1)
        return labels


def _chosen(numbers: npt.NDArray[np.intp], share: float, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """Exactly the rounded share of the numbers; with equal random numbers a larger share contains a smaller one."""
    return random.permutation(numbers)[: round(share * len(numbers))]


def _marked_segments(segments: Segments | None, share: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Where the chosen segments lie [*S]."""
    if segments is None:
        raise RaterbenchError("to mark segments of the image they must be given: pass segments=find_segments(image)")
    sizes = np.bincount(segments.ravel(), minlength=2)
    sizes[0] = 0  # numbered from 1
    there = np.flatnonzero(sizes)
    is_marked = np.zeros(len(sizes), bool)
    is_marked[_chosen(there[there != sizes.argmax()], share, random)] = True
    return is_marked[segments]


def _connected(labels: Labels) -> Segments:
    """The connected parts of a mask [*S], numbered from 1; diagonal neighbours in the plane are connected."""
    structure = np.zeros((3,) * labels.ndim, bool)
    structure[(1,) * (labels.ndim - 2)] = NEIGHBOURS
    return np.asarray(ndimage.label(labels, structure)[0], np.int32)


def components(labels: Labels, rater: str) -> Instances:
    """The objects of a mask [*S] of 0 and 1 without numbers: its connected parts in the plane, diagonal neighbours included."""
    numbers = _connected(labels)
    classes = np.ones(int(numbers.max(initial=0)) + 1, np.uint8)
    classes[0] = 0
    return Instances(numbers, classes, rater)
