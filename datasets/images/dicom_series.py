"""Slices of a CT series of DICOM files, one a file."""
# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ...errors import RaterbenchError
from ..base import Geometry
from .by_simpleitk import reasons

SERIES, POSITION, INSTANCE = "0020|000e", "0020|0032", "0020|0013"
"""The tags of a slice's series, of the position of its first pixel, and of its number in the series."""


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files of a folder, by name; none where there is no such folder."""
    return sorted(folder.glob("[!.]*.dcm"))


def series_of(file: Path) -> str:
    """The identifier of the series that a DICOM file belongs to.

    Raises:
        RaterbenchError: the file cannot be read, or does not say it.
    """
    return _tags(file, SERIES)[0]


def find_slices(folder: Path, series: str) -> list[tuple[float, Path]]:
    """The height in mm and the file of each slice of a series, the lowest first; pixels are not read.

    Of two slices at one height the one with the smaller number in the series is kept.

    Raises:
        RaterbenchError: a file cannot be read, or does not say where its slice lies.
    """
    found: dict[float, tuple[int, Path]] = {}
    for file in dicom_files(folder):
        of, position, instance = _tags(file, SERIES, POSITION, INSTANCE)
        if of == series:
            try:
                z, number = float(position.split("\\")[2]), int(instance)
            except (ValueError, IndexError) as error:
                raise RaterbenchError(f"{file} does not say where its slice lies: copy it from the download again") from error
            found[z] = min(found.get(z, (number, file)), (number, file))
    return [(z, file) for z, (_, file) in sorted(found.items())]


def read_slices(files: Sequence[Path], rows: slice, columns: slice, step: float) -> tuple[npt.NDArray[np.float32], Geometry]:
    """A window [z, y, x] float32 of slices, the lowest first and ``step`` mm apart, in Hounsfield units of CT.

    Raises:
        RaterbenchError: a file cannot be read, or has another size than the first.
    """
    planes, geometry, size = [], None, None
    for file in files:
        with reasons(file):
            image = sitk.ReadImage(str(file), imageIO="GDCMImageIO")
        size = size or image.GetSize()
        if image.GetSize() != size or image.GetSize()[2:] != (1,):
            raise RaterbenchError(f"{file} has the size {image.GetSize()}, and {files[0].name} has {size}: copy them anew")
        planes.append(sitk.GetArrayViewFromImage(image)[0, rows, columns].astype(np.float32))
        if geometry is None:
            origin = image.TransformIndexToPhysicalPoint((columns.start, rows.start, 0))
            x, y, _ = image.GetSpacing()
            geometry = Geometry((step, y, x), tuple(origin), tuple(image.GetDirection()))
    assert geometry is not None
    return np.stack(planes), geometry


def image_size(file: Path) -> tuple[int, int]:
    """Height and width of the slice in a DICOM file, whose pixels are not read.

    Raises:
        RaterbenchError: the file cannot be read.
    """
    width, height, *_ = _header(file).GetSize()
    return int(height), int(width)


def _tags(file: Path, *names: str) -> list[str]:
    header = _header(file)
    missing = [name for name in names if not header.HasMetaDataKey(name)]
    if missing:
        raise RaterbenchError(f"{file} has no DICOM tag ({missing[0].replace('|', ',')}): copy it from the download again")
    return [header.GetMetaData(name).strip(" \0") for name in names]


def _header(file: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(file))
    with reasons(file):
        reader.ReadImageInformation()
    return reader
