"""Reading image files: pixels in array order, and where they lie, after the header and the stored bytes were checked."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import RaterbenchError
from ..base import Geometry
from . import by_pillow, by_simpleitk
from .channels import finite_numbers, one_label_each, whole_numbers
from .file_content import check_file
from .formats import LOSSLESS, LOSSY, format_of, suffix_of
from .headers import bmp, jpeg, metaimage, nifti, nrrd, png, pnm, tiff, volume_data
from .headers.header import Header, VolumeHeader
from .headers.integrity import check_memory
from .picture import Picture

_VOLUMES: dict[str, ModuleType] = {"NIfTI": nifti, "MetaImage": metaimage, "NRRD": nrrd}
_RASTERS: dict[str, ModuleType] = {"PNG": png, "TIFF": tiff, "JPEG": jpeg, "BMP": bmp, "PNM": pnm}


def read_image(file: Path | str) -> Picture:
    """Read an image, grey or colour, 2-D or 3-D: pixels [C, *S] float32.

    An alpha channel (opacity) is left out: it says how to show a pixel, not what was seen. A palette gives its colours.

    Raises:
        RaterbenchError: the file cannot be read, is damaged, or a value is NaN or infinite.
    """
    header = _header(Path(file))
    channels, geometry = _read(header, labels=False)
    with np.errstate(over="ignore"):
        pixels = channels[: len(channels) - header.alpha].astype(np.float32)
    wrong = pixels[~np.isfinite(pixels)]
    if wrong.size:
        raise RaterbenchError(
            f"{file} has {wrong.size} values that are NaN, infinite or too large, such as {wrong[0]}: an image must be finite"
        )
    return Picture(pixels, geometry, header.file)


def read_labels(file: Path | str, *, whole: bool = True) -> Picture:
    """Read a label map: whole numbers [*S] as they are in the file; without ``whole`` any finite numbers.

    A palette gives the numbers of its colours; RGB is accepted if all channels are equal; of single bits, and where white
    is stored as zero, what is shown black is 0 and white the largest value.

    Raises:
        RaterbenchError: the file cannot be read or is damaged, is compressed with loss, does not give each voxel one label, or
            holds a value that is no whole number.
    """
    file = Path(file)
    if suffix_of(file) in LOSSY:
        raise _changes_labels(file)
    header = _header(file)
    if header.lossy:
        raise _changes_labels(file)
    channels, geometry = _read(header, labels=True)
    labels = one_label_each(channels, header)
    labels = whole_numbers(labels, file) if whole else finite_numbers(labels, file)
    return Picture(np.ascontiguousarray(labels), geometry, file)


def read_channels(file: Path) -> npt.NDArray[Any]:
    """The stored values [C, *S] of a file, verified against its header, whatever they mean; of a palette the numbers.

    Raises:
        RaterbenchError: the file cannot be read or is damaged.
    """
    return _read(_header(file), labels=True)[0]


def image_form(file: Path | str) -> tuple[int, int]:
    """Number of channels and of spatial axes that ``read_image`` will give, from the header alone.

    Raises:
        RaterbenchError: the header cannot be read.
    """
    header = _header(Path(file))
    if isinstance(header, VolumeHeader):
        channels, ndim = by_simpleitk.volume_form(header)
        return channels - header.alpha, ndim
    return header.channels - header.alpha, len(header.sizes)


def image_grid(file: Path | str) -> tuple[tuple[int, ...], Geometry]:
    """Shape [*S] and geometry of what ``read_image`` will give, from the header alone.

    Raises:
        RaterbenchError: the header cannot be read, or makes no sense.
    """
    header = _header(Path(file))
    if isinstance(header, VolumeHeader):
        return by_simpleitk.volume_grid(header)
    return tuple(header.sizes), Geometry.axis_aligned(len(header.sizes))


def pixel_file(file: Path) -> Path:
    """The file that holds the pixels: the file itself, or the one that the header of a MetaImage or an NRRD names.

    Raises:
        RaterbenchError: the header cannot be read, or the file that it names is not there.
    """
    header = _header(file) if format_of(file) in ("MetaImage", "NRRD") else None
    return header.data if isinstance(header, VolumeHeader) else file


def _header(file: Path) -> Header:
    name = check_file(file)
    header: Header = (_VOLUMES.get(name) or _RASTERS[name]).read_header(file)
    if isinstance(header, VolumeHeader):
        volume_data.check_dimensions(header)
    return header


def _read(header: Header, *, labels: bool) -> tuple[npt.NDArray[Any], Geometry]:
    """Channels [C, *S], opacity included, and their geometry, once the stored bytes were verified."""
    stored = header.count * header.value.itemsize
    needed = 3 * stored + (0 if labels else 4 * header.count)
    single = header.channels == 1
    if isinstance(header, VolumeHeader):
        volume_data.verify(header, needed)
        pixels, geometry = by_simpleitk.read_volume(header)
        single = pixels.ndim == len(geometry.spacing)
        return (pixels[None] if single else np.moveaxis(pixels, -1, 0)), geometry
    check_memory(header.file, needed)
    _RASTERS[format_of(header.file) or ""].verify(header)
    if header.reader == "SimpleITK":
        pixels = by_simpleitk.read_raster(header)
        pixels = np.iinfo(pixels.dtype).max - pixels if header.white_is_zero else pixels
    elif header.reader == "Pillow":
        pixels = by_pillow.read_raster(header, numbers=labels)
        single |= header.palette and labels
    else:
        pixels = pnm.read_pixels(header)
    if pixels.shape != (*header.sizes, *(() if single else (header.channels,))):
        raise RaterbenchError(f"{header.file} cannot be read: its header promises {header.sizes}, and {pixels.shape} was found")
    # A resolution in these files is meant for printing, and says nothing about the object.
    return (pixels[None] if single else np.moveaxis(pixels, -1, 0)), Geometry.axis_aligned(len(header.sizes))


def _changes_labels(file: Path) -> RaterbenchError:
    return RaterbenchError(f"{file} is a JPEG or compressed like one, which changes labels: save the rating as {LOSSLESS}")
