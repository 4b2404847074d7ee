"""Writing label maps and probabilities: what was written is read back, and a file is there whole or not at all."""
# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ...errors import RaterbenchError
from ...whole_files import move, naming, staging
from ..base import Floats, Geometry
from .by_simpleitk import shortened
from .formats import LOSSLESS, LOSSY, READ_ONLY, WITH_GEOMETRY, WITHOUT_GEOMETRY, suffix_of
from .reading import read_channels


def write_labels(file: Path | str, labels: npt.NDArray[Any], geometry: Geometry, values: Sequence[int] | None = None) -> None:
    """Write a label map [*S] of whole numbers; ``values`` [K] are what the classes are called in the file, if not as they are.

    Raises:
        RaterbenchError: the format is unknown, lossy or cannot hold them, or the file cannot be written, as on a full disk.
    """
    file = Path(file)
    if suffix_of(file) in LOSSY:
        raise RaterbenchError(f"{file}: JPEG changes labels; write {LOSSLESS}")
    if values is not None:
        table = np.arange(256)
        table[: len(values)] = values
        labels = table[labels].astype(np.uint8 if min(values) >= 0 and max(values) < 256 else np.int32)
    if suffix_of(file) in WITHOUT_GEOMETRY:
        labels = _for_raster(file, labels)

    def written(copy: Path) -> bool:
        found = read_channels(copy)
        return found.shape[1:] == labels.shape and bool((found == labels).all())

    _write(file, sitk.GetImageFromArray(labels), geometry, written)


def write_probability(file: Path | str, probability: Floats, geometry: Geometry) -> None:
    """Write probabilities [K, *S] as one image with K channels; [1, *S] may also be a TIFF.

    Raises:
        RaterbenchError: the format cannot hold them, or the file cannot be written, as on a full disk.
    """
    file, single = Path(file), len(probability) == 1
    if suffix_of(file) not in (*WITH_GEOMETRY, *((".tif", ".tiff") if single else ())):
        raise RaterbenchError(f"{file}: probabilities are real numbers, which need NIfTI, MHA or NRRD")
    probability = probability.astype(np.float32)
    values = probability[0] if single else np.moveaxis(probability, 0, -1)

    def written(copy: Path) -> bool:
        found = read_channels(copy)
        return found.size == probability.size and bool((found.reshape(probability.shape) == probability).all())

    _write(file, sitk.GetImageFromArray(values, isVector=not single), geometry, written)


def _for_raster(file: Path, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Labels as a raster file holds them: a volume of one slice is a picture, and whole numbers are as small as they fit."""
    if suffix_of(file) in READ_ONLY:
        raise RaterbenchError(f"{file}: labels are not written in this format; write {LOSSLESS}")
    if labels.ndim > 2 and (1 in labels.shape):
        labels = np.squeeze(labels, axis=labels.shape.index(1))
    if suffix_of(file) == ".png" and labels.ndim > 2:
        raise RaterbenchError(f"{file}: a PNG holds no volume; write NIfTI, MHA, NRRD or TIFF")
    for kind in (np.uint8, np.uint16):
        if labels.min(initial=0) >= 0 and labels.max(initial=0) <= np.iinfo(kind).max:
            return labels.astype(kind)
    if suffix_of(file) == ".png":
        raise RaterbenchError(f"{file}: a PNG holds labels from 0 to 65535; write TIFF, NIfTI, MHA or NRRD")
    return labels.astype(np.int32) if np.abs(labels).max() < 2**31 else labels


def _write(file: Path, image: sitk.Image, geometry: Geometry, written: Callable[[Path], bool]) -> None:
    if suffix_of(file) is None:
        raise RaterbenchError(f"{file}: unknown ending; known: {', '.join(WITHOUT_GEOMETRY + WITH_GEOMETRY)}")
    ndim = image.GetDimension()
    if ndim == len(geometry.spacing):
        image.SetSpacing(tuple(reversed(geometry.spacing)))
        image.SetOrigin(geometry.origin)
        image.SetDirection(geometry.direction)
    # In a folder of its own, a header that names a second file keeps its name.
    with naming(file), staging(file.parent) as folder:
        copy = folder / file.name
        try:
            sitk.WriteImage(image, str(copy), useCompression=True)
        except RuntimeError as error:
            reason = shortened(str(error).replace(str(copy), str(file)))
            raise RaterbenchError(f"{file} cannot be written: {reason}; is the folder there, and space on the disk?") from error
        # Writers have been seen to lose what does not fit on the disk without a word.
        try:
            if not written(copy):
                raise RaterbenchError("the values read back differ, so the format cannot hold them")
        except RaterbenchError as error:
            reason = str(error).replace(str(copy), str(file))
            raise RaterbenchError(f"{file} cannot be written (is the disk full?): {reason}") from error
        move({file.parent / part.name: part for part in sorted(folder.iterdir(), key=lambda part: part == copy)})
