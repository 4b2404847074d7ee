"""Reading pixels by SimpleITK, once a header was found in order; its reason is kept where it cannot read them."""
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ...errors import RaterbenchError
from ..base import Geometry
from .formats import suffix_of
from .headers.header import Header, VolumeHeader
from .headers.integrity import damaged

RIGHT_ANGLES = 1e-2
"""How far the directions of axes may be from unit length and right angles: headers in text round them."""


def read_volume(header: VolumeHeader) -> tuple[npt.NDArray[Any], Geometry]:
    """Pixels [*S] or [*S, C] of a 2-D or 3-D image in array order, and where they lie.

    Raises:
        RaterbenchError: SimpleITK cannot read the file, reads another number of values than the header promises, or its
            spacing or axes make no sense.
    """
    image = _execute(header)
    if image.GetNumberOfPixels() * image.GetNumberOfComponentsPerPixel() != header.count:
        shape = (*image.GetSize(), image.GetNumberOfComponentsPerPixel())
        raise damaged(header.file, f"its header promises {header.count} values, and SimpleITK reads {shape}")
    while image.GetDimension() > 3:
        image = image[(*[slice(None)] * (image.GetDimension() - 1), 0)]
    geometry = _geometry(header.file, image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    return sitk.GetArrayFromImage(image), geometry


def read_raster(header: Header) -> npt.NDArray[Any]:
    """Pixels [*S] or [*S, C] as they are stored.

    Raises:
        RaterbenchError: SimpleITK cannot read the file.
    """
    return np.asarray(sitk.GetArrayFromImage(_execute(header)))


def volume_form(header: VolumeHeader) -> tuple[int, int]:
    """Numbers of a voxel and spatial axes, without reading a voxel.

    Raises:
        RaterbenchError: SimpleITK cannot read the header.
    """
    with _reader(header) as reader, reasons(header.file):
        reader.ReadImageInformation()
        return int(reader.GetNumberOfComponents()), min(int(reader.GetDimension()), 3)


def volume_grid(header: VolumeHeader) -> tuple[tuple[int, ...], Geometry]:
    """Shape [*S] and geometry, without reading a voxel; of more than three axes the first three.

    Raises:
        RaterbenchError: SimpleITK cannot read the header, or its spacing or axes make no sense.
    """
    with _reader(header) as reader, reasons(header.file):
        reader.ReadImageInformation()
        n, ndim = int(reader.GetDimension()), min(int(reader.GetDimension()), 3)
        axes = np.array(reader.GetDirection()).reshape(n, n)[:ndim, :ndim]
        size, spacing, origin = (values[:ndim] for values in (reader.GetSize(), reader.GetSpacing(), reader.GetOrigin()))
        return tuple(reversed(size)), _geometry(header.file, spacing, origin, tuple(axes.ravel()))


def shortened(message: str) -> str:
    r"""What SimpleITK says, without the places in its source and the addresses of its objects.

    >>> shortened("Exception thrown: /tmp/a.cxx:9: ITK ERROR: NiftiImageIO(0x55): No such\nfile")
    'No such file'
    """
    words = re.sub(r"^.*(?:ITK ERROR|sitk::ERROR): ", "", " ".join(message.split()))
    return re.sub(r"^\w+\(0x[0-9a-f]+\): ?", "", words).strip().rstrip(".")


def _execute(header: Header) -> sitk.Image:
    with _reader(header) as reader, reasons(header.file):
        image: sitk.Image = reader.Execute()
    return image


@contextmanager
def _reader(header: Header) -> Iterator[sitk.ImageFileReader]:
    """A reader for the format of the header: SimpleITK, which goes by the ending, knows none in capitals."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO(header.image_io)
    reader.SetFileName(str(header.file))
    if not isinstance(header, VolumeHeader) or header.ending == suffix_of(header.file):
        yield reader
        return
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / f"image{header.ending}"
        name.symlink_to(header.file.absolute())
        reader.SetFileName(str(name))
        yield reader


@contextmanager
def reasons(file: Path) -> Iterator[None]:
    """Turns what SimpleITK raises about a file into an error that names it and keeps the reason."""
    try:
        yield
    except MemoryError as error:
        raise RaterbenchError(f"{file} cannot be read: there is not enough memory") from error
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise not_at_right_angles(file) from error
        raise RaterbenchError(f"{file} cannot be read: {shortened(str(error))}") from error


def not_at_right_angles(file: Path) -> RaterbenchError:
    """The error for an image whose axes are sheared."""
    return RaterbenchError(
        f"{file} cannot be read: the directions of its axes are not at right angles (a sheared affine matrix), so distances "
        "in voxels mean nothing; resample it, and what belongs to it, to a grid at right angles"
    )


def _geometry(file: Path, spacing: Sequence[float], origin: Sequence[float], direction: Sequence[float]) -> Geometry:
    """The geometry from what SimpleITK says of the axes x, y, z."""
    if not all(np.isfinite(step) and step > 0 for step in spacing) or not np.isfinite([*origin, *direction]).all():
        raise damaged(file, f"its spacing {spacing}, origin {origin} or direction {direction} makes no sense")
    axes = np.array(direction).reshape(len(spacing), len(spacing))
    if not np.allclose(axes.T @ axes, np.eye(len(axes)), rtol=0, atol=RIGHT_ANGLES):
        raise not_at_right_angles(file)
    return Geometry(spacing=tuple(reversed(spacing)), origin=tuple(origin), direction=tuple(direction))
