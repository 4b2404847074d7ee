"""Reading and writing image files, by SimpleITK alone: pixels in array order, and where they lie."""
# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from .base import Floats, Geometry
from .errors import RaterbenchError

WITH_GEOMETRY = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd")
"""Formats that say where a voxel lies; the others at most give a printing resolution, which no rating is held to."""

WITHOUT_GEOMETRY = (".png", ".tif", ".tiff", ".jpg", ".jpeg")

LOSSY = (".jpg", ".jpeg")

TOLERANCE = 1e-3
"""How far two geometries may differ: a share of the spacing, and of the unit length of a direction. NIfTI rounds to float32."""


class Picture(NamedTuple):
    """What a file holds: ``pixels`` [C, *S] of an image or [*S] of labels, their geometry, and the file."""

    pixels: npt.NDArray[Any]
    geometry: Geometry
    file: Path


def suffix_of(file: Path) -> str | None:
    """The ending by which an image file is known (``.nii.gz`` is one), in lower case, or None if it is no image."""
    name = file.name.lower()
    return next((s for s in WITH_GEOMETRY + WITHOUT_GEOMETRY if name.endswith(s) and len(name) > len(s)), None)


def stem_of(file: Path) -> str:
    """The name of an image file without its ending."""
    return file.name[: len(file.name) - len(suffix_of(file) or "")]


def read_image(file: Path | str) -> Picture:
    """Read an image, grey or colour, 2-D or 3-D: pixels [C, *S] float32.

    The alpha channel of a PNG is left out: it says how to show a pixel, not what was seen.

    Raises:
        RaterbenchError: the file cannot be read, or a value is NaN or infinite.
    """
    file = Path(file)
    image = _read(file)
    pixels = _channels_first(image, file).astype(np.float32)
    wrong = pixels[~np.isfinite(pixels)]
    if wrong.size:
        raise RaterbenchError(
            f"{file} has {wrong.size} values that are no numbers, such as {wrong[0]}: an image must be finite"
        )
    return Picture(pixels, _geometry(image, file), file)


def read_labels(file: Path | str, *, whole: bool = True) -> Picture:
    """Read a label map: whole numbers [*S] as they are in the file; colours are accepted if all channels are equal.

    Without ``whole`` any finite numbers are accepted, as a map of probabilities has them.

    Raises:
        RaterbenchError: the file cannot be read, is a JPEG, is in colours, or holds a value that is no whole number.
    """
    file = Path(file)
    if suffix_of(file) in LOSSY:
        raise RaterbenchError(
            f"{file} is a JPEG, whose compression changes labels: save the rating as PNG, TIFF, NIfTI, MHA or NRRD"
        )
    image = _read(file)
    channels = _channels_first(image, file)
    if len(channels) > 1 and (channels != channels[:1]).any():
        raise RaterbenchError(
            f"{file} is in colours (its channels differ): a rating needs one label for each voxel, in one channel"
        )
    labels = channels[0]
    if labels.dtype.kind not in "iu":
        wrong = np.unique(labels[~np.isfinite(labels) | (whole & (labels != np.round(labels)))])
        if wrong.size:
            raise RaterbenchError(
                f"{file} has labels that are no whole numbers: {', '.join(f'{v:g}' for v in wrong[:5])}; a map of "
                "probabilities becomes a mask with threshold = 0.5"
            )
        labels = labels.astype(np.int64) if whole else labels
    return Picture(np.ascontiguousarray(labels), _geometry(image, file), file)


def image_form(file: Path | str) -> tuple[int, int]:
    """Number of channels and of spatial axes that ``read_image`` will give, from the header alone."""
    file = Path(file)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(file) from error
    channels = reader.GetNumberOfComponents()
    return channels - _alpha(file, channels), reader.GetDimension()


def write_labels(file: Path | str, labels: npt.NDArray[Any], geometry: Geometry, values: Sequence[int] | None = None) -> None:
    """Write a label map [*S] of whole numbers; ``values`` [K] are what the classes are called in the file, if not as they are.

    Raises:
        RaterbenchError: the format is unknown or lossy, or the file cannot be written.
    """
    file = Path(file)
    if suffix_of(file) in LOSSY:
        raise RaterbenchError(f"{file}: JPEG changes labels; write PNG, TIFF, NIfTI, MHA or NRRD")
    if values is not None:
        table = np.arange(256)
        table[: len(values)] = values
        labels = table[labels].astype(np.uint8 if max(values) < 256 else np.int32)
    _write(file, sitk.GetImageFromArray(labels), geometry)


def write_probability(file: Path | str, probability: Floats, geometry: Geometry) -> None:
    """Write probabilities [K, *S] as one image with K channels; [1, *S] may also be a TIFF.

    Raises:
        RaterbenchError: the format cannot hold them, or the file cannot be written.
    """
    file, single = Path(file), len(probability) == 1
    if suffix_of(file) not in (*WITH_GEOMETRY, *((".tif", ".tiff") if single else ())):
        raise RaterbenchError(f"{file}: probabilities are real numbers, which need NIfTI, MHA or NRRD")
    values = probability[0] if single else np.moveaxis(probability, 0, -1)
    _write(file, sitk.GetImageFromArray(values.astype(np.float32), isVector=not single), geometry)


def check_agreement(image: Picture, rating: Picture) -> None:
    """See that a rating lies on its image, voxel by voxel.

    A PNG, TIFF or JPEG rating knows no geometry of its own: it is held to the image's size alone.

    Raises:
        RaterbenchError: the sizes, spacings, origins or directions differ; both files and the difference are named.
    """
    sizes = image.pixels.shape[1:], rating.pixels.shape
    if sizes[0] != sizes[1]:
        raise _disagree(image, rating, "size", *sizes)
    if suffix_of(rating.file) not in WITH_GEOMETRY:
        return
    step = min(image.geometry.spacing)
    for what, tolerance in (("spacing", step), ("origin", step), ("direction", 1.0)):
        one, other = getattr(image.geometry, what), getattr(rating.geometry, what)
        if not np.allclose(one, other, rtol=0, atol=TOLERANCE * tolerance):
            raise _disagree(image, rating, what, one, other)


def _disagree(image: Picture, rating: Picture, what: str, one: Sequence[float], other: Sequence[float]) -> RaterbenchError:
    numbers = [", ".join(f"{value:.6g}" for value in values) for values in (one, other)]
    return RaterbenchError(f"{image.file} and {rating.file} differ in {what}: ({numbers[0]}) against ({numbers[1]})")


def _read(file: Path) -> sitk.Image:
    if not file.is_file():
        raise RaterbenchError(f"{file} is not there, or is no file")
    if suffix_of(file) is None:
        known = ", ".join(WITHOUT_GEOMETRY + WITH_GEOMETRY)
        raise RaterbenchError(f"{file} is no image that can be read; known endings: {known}")
    try:
        image = sitk.ReadImage(str(file))
    except RuntimeError as error:
        raise _unreadable(file) from error
    if image.GetDimension() not in (2, 3):
        raise RaterbenchError(f"{file} has {image.GetDimension()} dimensions: only 2-D and 3-D images can be used")
    return image


def _unreadable(file: Path) -> RaterbenchError:
    return RaterbenchError(f"{file} cannot be read: it is damaged, or not what its ending says")


def _channels_first(image: sitk.Image, file: Path) -> npt.NDArray[Any]:
    pixels = sitk.GetArrayFromImage(image)
    if pixels.dtype.kind == "c":
        raise RaterbenchError(f"{file} holds complex numbers: save its magnitude")
    channels = image.GetNumberOfComponentsPerPixel()
    if channels == 1:
        return np.asarray(pixels[None])
    return np.moveaxis(pixels, -1, 0)[: channels - _alpha(file, channels)]


def _alpha(file: Path, channels: int) -> int:
    return int(suffix_of(file) == ".png" and channels in (2, 4))


def _geometry(image: sitk.Image, file: Path) -> Geometry:
    if suffix_of(file) in WITHOUT_GEOMETRY:
        # What SimpleITK takes from these files is a print resolution, which says nothing about the object.
        return Geometry.axis_aligned(image.GetDimension())
    return Geometry(
        spacing=tuple(reversed(image.GetSpacing())), origin=tuple(image.GetOrigin()), direction=tuple(image.GetDirection())
    )


def _write(file: Path, image: sitk.Image, geometry: Geometry) -> None:
    if suffix_of(file) is None:
        raise RaterbenchError(f"{file}: unknown ending; known: {', '.join(WITHOUT_GEOMETRY + WITH_GEOMETRY)}")
    if suffix_of(file) == ".png" and image.GetDimension() > 2:
        raise RaterbenchError(f"{file}: a PNG holds no volume; write NIfTI, MHA, NRRD or TIFF")
    image.SetSpacing(tuple(reversed(geometry.spacing)))
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    try:
        sitk.WriteImage(image, str(file), useCompression=True)
    except RuntimeError as error:
        raise RaterbenchError(
            f"{file} cannot be written: is the folder there, and can the format hold such an image?"
        ) from error
