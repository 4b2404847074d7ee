"""Whether a rating lies on its image, voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import RaterbenchError
from .formats import WITH_GEOMETRY, suffix_of
from .picture import Picture

TOLERANCE = 1e-3
"""How far two geometries may differ: a share of the spacing, and of the unit length of a direction. NIfTI rounds to float32."""


def check_agreement(image: Picture, rating: Picture) -> Picture:
    """The rating in the shape of its image, once it is seen to lie on it.

    An axis of length 1 is no axis: a 2-D picture and a volume of one slice have the same pixels. A file that knows no
    geometry of its own, such as a PNG, is compared by size alone.

    Raises:
        RaterbenchError: the sizes, spacings, origins or directions differ; both files and the difference are named.
    """
    size, other = image.pixels.shape[1:], rating.pixels.shape
    known = suffix_of(image.file) in WITH_GEOMETRY and suffix_of(rating.file) in WITH_GEOMETRY
    # Of two volumes, slices along different axes are different slices.
    comparable = size == other or ((len(size) != len(other) or not known) and _long(size) == _long(other))
    if not comparable:
        raise _disagree(image, rating, "size", (size, other), _hint(size, rating))
    if known:
        _check_geometry(image, rating)
    if size == other:
        return rating
    return rating._replace(pixels=rating.pixels.reshape(size), geometry=image.geometry)


def _check_geometry(image: Picture, rating: Picture) -> None:
    size, other = image.pixels.shape[1:], rating.pixels.shape
    step = min(image.geometry.spacing)
    if size != other:  # Origin and direction of a plane and of a volume cannot be compared.
        spacings = [
            tuple(step for step, length in zip(picture.geometry.spacing, shape, strict=True) if length > 1)
            for picture, shape in ((image, size), (rating, other))
        ]
        if not np.allclose(spacings[0], spacings[1], rtol=0, atol=TOLERANCE * step):
            raise _disagree(image, rating, "spacing", spacings)
        return
    for what, tolerance in (("spacing", step), ("origin", step), ("direction", 1.0)):
        one, two = getattr(image.geometry, what), getattr(rating.geometry, what)
        if not np.allclose(one, two, rtol=0, atol=TOLERANCE * tolerance):
            raise _disagree(image, rating, what, (one, two))


def _long(size: Sequence[int]) -> tuple[int, ...]:
    return tuple(length for length in size if length > 1)


def _hint(size: Sequence[int], rating: Picture) -> str:
    """The likely cause of another size, and what to do."""
    one, other = _long(size), _long(rating.pixels.shape)
    if sorted(one) == sorted(other):
        order = ", ".join("zyx"[-len(rating.pixels.shape) :])
        return f"; the axes look exchanged: save the rating with its axes in the order [{order}]"
    if rating.file.name.lower().endswith(".seg.nrrd"):
        return "; 3D Slicer saves the region around the segments alone: export it as a labelmap on the grid of the image"
    return ""


def _disagree(image: Picture, rating: Picture, what: str, both: Sequence[Sequence[float]], hint: str = "") -> RaterbenchError:
    one, other = (", ".join(f"{value:.6g}" for value in values) for values in both)
    return RaterbenchError(f"{image.file} and {rating.file} differ in {what}: ({one}) against ({other}){hint}")
